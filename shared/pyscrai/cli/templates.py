"""`pyscrai templates` and `pyscrai scenarios`: what is in the catalog."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import OK, Talk
from pyscrai.cli.timeline import timeline

if TYPE_CHECKING:
    from pyscrai.contract.templates import Template, TemplateType

TYPES: dict[str, TemplateType] = {"agents": "agents", "scenarios": "scenarios", "event-types": "event-types"}
EPILOG = """\b
Examples:
  pyscrai templates list event-types
  pyscrai templates show event-types decide > decide.yaml
  pyscrai templates add decide.yaml my/scenario
  pyscrai templates archive scenarios negotiation
"""
SCENARIOS_EPILOG = """\b
Examples:
  pyscrai scenarios list
  pyscrai scenarios show negotiation > negotiation.yaml
  pyscrai scenarios add my/scenario
  pyscrai scenarios timeline my/scenario --seed 7
"""


class Kind(click.ParamType[Any]):
    """A template type; the singular will do."""

    name = "TYPE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = str(value).replace("_", "-")
        found = TYPES.get(text) or TYPES.get(f"{text}s")
        return found or self.fail(f"{value!r}: a type is one of {', '.join(TYPES)}", param, ctx)


files_argument = click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
version_option = click.option("--version", "number", type=click.IntRange(1), help="Not the latest, but this one.")


@click.group(epilog=EPILOG)
def templates() -> None:
    """The catalog: agents, scenarios and event types. Templates never change; adding makes a new version."""


@templates.command("list")
@click.argument("kind", metavar="[TYPE]", type=Kind(), required=False)
@place
@common
@pass_talk
def list_templates(talk: Talk, /, where: Where, kind: TemplateType | None) -> int:
    """The templates of one type, or of all (agents, scenarios, event-types)."""
    return _list(talk, where, [kind] if kind else list(TYPES.values()))


@templates.command("show")
@click.argument("kind", metavar="TYPE", type=Kind())
@click.argument("name")
@version_option
@place
@common
@pass_talk
def show_template(talk: Talk, /, where: Where, kind: TemplateType, name: str, number: int | None) -> int:
    """A template as YAML, as it could be added again."""
    return _show(talk, where, kind, name, number)


@templates.command("add")
@files_argument
@click.option("--type", "kind", type=Kind(), help="What the files are, where their content does not tell.")
@place
@common
@pass_talk
def add_templates(talk: Talk, /, where: Where, files: tuple[Path, ...], kind: TemplateType | None) -> int:
    """Check files, all of them, then put them into the catalog."""
    return _add(talk, where, files, kind)


@templates.command("archive")
@click.argument("kind", metavar="TYPE", type=Kind())
@click.argument("name")
@place
@common
@pass_talk
def archive_template(talk: Talk, /, where: Where, kind: TemplateType, name: str) -> int:
    """Take a name out of the catalog. Runs that use it go on; adding it again brings it back."""
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        async with session(where, talk) as at:
            await at.api.archive_template(kind, name)
        if talk.json:
            talk.result({"type": kind, "name": name, "archived": True})
        else:
            talk.out.print(f"{kind} {name} is archived.", markup=False)

    return run_async(work)


@click.group(epilog=SCENARIOS_EPILOG)
def scenarios() -> None:
    """The scenarios of the catalog, and those that come with PyScrAI."""


scenarios.add_command(timeline)


@scenarios.command("list")
@place
@common
@pass_talk
def list_scenarios(talk: Talk, /, where: Where) -> int:
    """The scenarios in the catalog; shipped examples that were not played yet are named below."""
    return _list(talk, where, ["scenarios"])


@scenarios.command("show")
@click.argument("name")
@version_option
@place
@common
@pass_talk
def show_scenario(talk: Talk, /, where: Where, name: str, number: int | None) -> int:
    """A scenario as YAML: the catalog's, else the shipped example of that name."""
    return _show(talk, where, "scenarios", name, number)


@scenarios.command("add")
@files_argument
@place
@common
@pass_talk
def add_scenarios(talk: Talk, /, where: Where, files: tuple[Path, ...]) -> int:
    """Check scenario files or folders, all of them, then put them into the catalog."""
    return _add(talk, where, files, "scenarios")


def _list(talk: Talk, where: Where, kinds: list[TemplateType]) -> int:
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        from pyscrai.sdk.catalog import all_templates
        from pyscrai.sdk.shipped import shipped_scenarios

        async with session(where, talk) as at:
            found = [one for kind in kinds async for one in all_templates(at.api, kind)]
        if talk.json:
            talk.result([one.model_dump(mode="json", exclude={"content", "warnings"}) for one in found])
            return
        _print(talk, found)
        there = {one.name for one in found if one.type == "scenarios"}
        more = [name for name in shipped_scenarios() if name not in there] if "scenarios" in kinds else []
        if more:
            talk.say(f"Examples that come with PyScrAI, by `pyscrai run NAME`: {', '.join(more)}")

    return run_async(work)


def _print(talk: Talk, found: list[Template]) -> None:
    from pyscrai.cli.tables import table, when

    if found:
        rows = [(one.name, one.type, str(one.version), when(one.created_at), one.title) for one in found]
        table(talk.paper, ("name", "type", "version", "since (UTC)", "title"), rows)
    else:
        talk.say("Nothing yet. Add a file: pyscrai templates add FILE", "")


def _show(talk: Talk, where: Where, kind: TemplateType, name: str, number: int | None) -> int:
    from pyscrai.cli.session import run_async, session

    async def work() -> None:
        from pyscrai.sdk.catalog import in_catalog_of
        from pyscrai.sdk.errors import ScenarioNotFound

        async with session(where, talk) as at:
            try:
                found = await in_catalog_of(at.api, kind, name, number)
            except ScenarioNotFound:
                if kind != "scenarios" or number is not None or not _shipped(talk, name):
                    raise
                return
        if talk.json:
            talk.result(found.model_dump(mode="json"))
        else:
            _write_yaml(found)

    return run_async(work)


def _shipped(talk: Talk, name: str) -> bool:
    """Show an example that comes with PyScrAI, as its author wrote it; False where there is none of that name."""
    from pyscrai.sdk.scenario import Scenario
    from pyscrai.sdk.shipped import shipped_scenarios

    path = shipped_scenarios().get(name)
    if path is None:
        return False
    if talk.json:
        talk.result({"type": "scenarios", "name": name, "content": Scenario.load(path).content()})
        return True
    source = path / "scenario.yaml" if path.is_dir() else path
    sys.stdout.write(source.read_text("utf-8") if source.is_file() else _dumped(Scenario.load(path).content()))
    return True


def _dumped(content: dict[str, Any]) -> str:
    from pyscrai.domain.scenario import Scenario
    from pyscrai.formats.dump import dump

    return dump(Scenario.model_validate(content))


def _write_yaml(found: Template) -> None:
    """Straight to stdout: a console would fill its lines."""
    from pyscrai.formats.dump import plain_yaml

    content = found.content or {}
    sys.stdout.write(_dumped(content) if found.type == "scenarios" else plain_yaml(content))


def _add(talk: Talk, where: Where, files: tuple[Path, ...], kind: TemplateType | None) -> int:
    from pyscrai.cli.session import run_async, session
    from pyscrai.sdk.documents import publish_template, read_templates

    read = [one for file in files for one in read_templates(file, kind)]
    for warning in dict.fromkeys(str(f) for one in read for f in one.findings if f.severity == "warning"):
        talk.say(warning, "yellow")

    async def work() -> int:
        added: list[Template] = []
        async with session(where, talk) as at:
            for one in read:
                added.append(await publish_template(at.api, one))
                if not talk.json:
                    last = added[-1]
                    talk.out.print(f"{last.type} {last.name}, version {last.version}", markup=False, soft_wrap=True)
        if talk.json:
            talk.result([one.model_dump(mode="json", exclude={"content"}) for one in added])
        return OK

    return run_async(work)

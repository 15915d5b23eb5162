"""`pyscrai new`: begin a scenario of one's own."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pyscrai.cli.options import common, pass_talk
from pyscrai.cli.talk import OK, Talk

if TYPE_CHECKING:
    from pyscrai.cli.drafting import Begun, Part

POLICIES = ("turns", "dialogue", "flow")
NOT_COPIED = ("golden.jsonl", "README.md")
EPILOG = """\b
Examples:
  pyscrai new water-rights                               asks a few questions
  pyscrai new water-rights --policy dialogue --seats farmer,miller --yes
  pyscrai new my-negotiation --from negotiation          a copy of an example

\b
turns      all seats decide at once, then the narrator tells what comes of it
dialogue   one speaks at a time
flow       steps of your own, each started by another
The result plays at once: pyscrai run water-rights
"""


@click.command(epilog=EPILOG)
@click.argument("name")
@click.option("--policy", type=click.Choice(POLICIES), help="Who acts when (turns).")
@click.option("--seats", metavar="A,B,C", help="Who takes part, in seat order.")
@click.option("--title", help="What people read; by default the name made readable.")
@click.option("--situation", metavar="TEXT", help="What everybody knows when it begins.")
@click.option("--turns", type=click.IntRange(1, 10_000), help="How many turns.")
@click.option("--from", "example", metavar="EXAMPLE", help="Copy an example, or a scenario folder, instead.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="The folder (./NAME).")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
@common
@pass_talk
def new(talk: Talk, /, name: str, example: str | None, out: Path | None, yes: bool, **given: Any) -> int:
    """Begin a scenario: a folder with a scenario.yaml that plays at once and says what to change.

    On a terminal it asks for what is not given; --yes takes what is usual.
    """
    folder = _free(out or Path(_checked(name)))
    if example is not None:
        if given["policy"] or given["seats"]:
            raise click.UsageError("--from copies an example as it is: without --policy and --seats")
        files = _copied(example, name, given["title"])
    else:
        from pyscrai.cli.drafting import draft_text

        asking = sys.stdin.isatty() and not yes and not talk.json and not talk.quiet
        files = {"scenario.yaml": draft_text(_begun(name, asking=asking, **given))}
    _write(folder, files, talk)
    if talk.json:
        talk.result({"name": name, "folder": str(folder), "files": sorted(files)})
    else:
        talk.out.print(f"{folder / 'scenario.yaml'}", markup=False, highlight=False, soft_wrap=True)
        talk.say(f"Play it: pyscrai run {_quoted(folder)}", "green")
        talk.say("Change it in any editor, and play it again. pyscrai validate says what is wrong, with the line.")
    return OK


def _checked(name: str) -> str:
    """Raises BadParameter for what cannot be a name."""
    from pyscrai.domain.scenario import NAME, slug

    if not re.fullmatch(NAME.strip("^$"), name) or len(name) > 120:
        hint = f"for example {slug(name)}"
        raise click.BadParameter(f"{name!r}: small letters, digits, '-', '_' and '.'; {hint}", param_hint="'NAME'")
    return name


def _free(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.BadParameter(f"{folder} is there already and not empty; name another with --out")
    return folder


def _begun(
    name: str,
    *,
    asking: bool,
    policy: str | None,
    seats: str | None,
    title: str | None,
    situation: str | None,
    turns: int | None,
) -> Begun:
    from pyscrai.cli.drafting import SEATS, SITUATION, TURNS, Begun
    from pyscrai.domain.scenario import readable

    ask = _ask if asking else lambda _question, default, **_more: default
    title = title or str(ask("What is it called?", readable(_checked(name))))
    policy = policy or str(ask("Who acts when?", "turns", type=click.Choice(POLICIES)))
    situation = situation or str(ask("What does everybody know when it begins?", SITUATION))
    listed = seats or str(ask("Who takes part? Names with commas between them", ",".join(one.shown for one in SEATS)))
    usual = {one.name: one for one in SEATS}
    parts = [usual.get(one.name, one) for one in _parts(listed)]
    if policy == "dialogue" and len(parts) < 2:
        raise click.BadParameter("a dialogue needs at least two seats", param_hint="'--seats'")
    if asking:
        parts = [_interviewed(one) for one in parts]
    number = turns or int(ask("How many turns?", TURNS[policy], type=click.IntRange(1, 10_000)))
    return Begun(name=_checked(name), title=title, policy=policy, situation=situation, seats=parts, turns=number)


def _ask(question: str, default: Any, **more: Any) -> Any:
    return click.prompt(question, default=default, err=True, **more)


def _parts(listed: str) -> Iterator[Part]:
    """`Regulator, Tech company` as seats. Raises BadParameter for none, and for two of one name."""
    from pyscrai.cli.drafting import Part
    from pyscrai.domain.scenario import readable, slug

    seen: set[str] = set()
    for text in filter(None, (part.strip() for part in listed.split(","))):
        name = slug(text)
        if name in seen:
            raise click.BadParameter(f"two seats would be called {name!r}", param_hint="'--seats'")
        seen.add(name)
        yield Part(name=name, title=readable(name) if text == name else text)
    if not seen:
        raise click.BadParameter("nobody takes part; name at least one", param_hint="'--seats'")


def _interviewed(part: Part) -> Part:
    from dataclasses import replace

    role = _ask(f"{part.shown}: who is that, in a few words?", part.role or f"takes part as {part.shown}")
    goal = _ask(f"{part.shown}: what do they want?", part.goal or f"reach something that {part.shown} can live with")
    return replace(part, role=str(role), goal=str(goal))


def _copied(example: str, name: str, title: str | None) -> dict[str, str]:
    """The files of an example under a new name. Raises BadParameter where there is none."""
    import difflib

    from pyscrai.sdk.shipped import shipped_scenarios

    _checked(name)
    shipped = shipped_scenarios()
    source = Path(example) if Path(example).is_dir() else shipped.get(example)
    if source is None:
        near = difflib.get_close_matches(example, shipped, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise click.BadParameter(f"no example {example!r}; there are {', '.join(shipped)}{hint}", param_hint="'--from'")
    if source.is_file():
        return {"scenario.yaml": _renamed(source.read_text("utf-8"), name, title)}
    files = {
        str(file.relative_to(source)): file.read_text("utf-8")
        for file in sorted(source.rglob("*"))
        if file.is_file() and file.name not in NOT_COPIED
    }
    for main in ("scenario.yaml", "scenario.yml", "scenario.json"):
        if main in files:
            files[main] = _renamed(files[main], name, title)
    return files


def _renamed(text: str, name: str, title: str | None) -> str:
    """The document with another name, every other character as its author wrote it."""
    import json

    text = re.sub(r"^name:.*$", f"name: {name}", text, count=1, flags=re.MULTILINE)
    if title is not None:
        text = re.sub(
            r"^title:.*$",
            lambda _: f"title: {json.dumps(title, ensure_ascii=False)}",
            text,
            count=1,
            flags=re.MULTILINE,
        )
    return text


def _write(folder: Path, files: dict[str, str], talk: Talk) -> None:
    """Put the files there once they have been read and found playable. Raises ScenarioError."""
    from pyscrai.sdk.scenario import Scenario

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as scratch:
        made = Path(scratch) / folder.name
        for name, text in files.items():
            file = made / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        for found in Scenario.load(made).findings:
            if found.severity == "warning":
                talk.say(str(found), "yellow")
        if folder.is_dir():
            folder.rmdir()
        shutil.move(made, folder)


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))

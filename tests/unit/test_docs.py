"""The documentation says what there is: settings, commands, links, words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest

from pyscrai.cli.main import cli
from pyscrai.domain.scenario import FlowStep
from pyscrai.engine.command import engine_command
from pyscrai.formats.load import load
from pyscrai.prompting import check, known_variables
from pyscrai_actor.handlers import plain

ROOT = Path(__file__).parents[2]
CODE = ("shared", "services", "bench", "tests")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
VARIABLE = re.compile(r"\bPYSCRAI_[A-Z][A-Z_]*[A-Z]\b")
OF_COMPOSE = {"PYSCRAI_IMAGE", "PYSCRAI_PUBLISH"}
"""Read by `docker compose` alone, and explained in deploy/compose.yaml."""
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def variables_in_code() -> set[str]:
    files = (file for folder in CODE for file in (ROOT / folder).rglob("*.py") if file != Path(__file__))
    return {name for file in files for name in VARIABLE.findall(file.read_text("utf-8"))}


def shell_lines(page: Path) -> list[str]:
    blocks = [body for kind, body in FENCE.findall(page.read_text("utf-8")) if kind in ("", "sh", "console")]
    lines = [
        re.sub(r"^(\$ |[A-Z_]+=\S+ |\.venv/bin/)+", "", line.strip()) for body in blocks for line in body.splitlines()
    ]
    inline = re.findall(r"`((?:make|pyscrai) [^`\n]+)`", page.read_text("utf-8"))
    return [line for line in lines if re.match(r"(make|pyscrai)\b", line)] + inline


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_setting_of_the_code_is_explained() -> None:
    explained = set(VARIABLE.findall((ROOT / "docs/settings.md").read_text("utf-8")))
    assert sorted(variables_in_code() - explained) == []


def test_every_setting_that_is_explained_exists() -> None:
    explained = set(VARIABLE.findall((ROOT / "docs/settings.md").read_text("utf-8")))
    assert sorted(explained - variables_in_code()) == []


def test_the_api_settings_are_explained_with_their_options_and_defaults() -> None:
    from dataclasses import fields

    from pyscrai_api.settings import Settings

    table = (ROOT / "docs/settings.md").read_text("utf-8")
    for item in fields(Settings):
        option = f"`--{item.name.replace('_', '-')}`" if item.metadata.get("option", True) else "none"
        row = re.search(rf"^\| {option} \| `{item.metadata['env']}` \| (.*?) \|", table, re.MULTILINE)
        assert row, f"{option} is not explained"
        if isinstance(item.default, int | float) and not isinstance(item.default, bool):
            assert f"{item.default:g}" in {row[1].strip("`"), f"{float(row[1].strip('`')):g}"}, option


def test_the_engine_settings_are_explained_with_their_options_and_defaults() -> None:
    table = (ROOT / "docs/settings.md").read_text("utf-8").split("## Engines")[1].split("## Models")[0]
    for option in engine_command("actor", plain, text="").params:
        row = re.search(rf"^\| `{option.opts[0]}` \| `{option.envvar}` \| (.*?) \|", table, re.MULTILINE)
        assert row, f"{option.opts[0]} is not explained"
        default = "none" if option.default is None else str(option.default).removesuffix(".0")
        assert row[1].strip("`") == default, option.opts[0]


def test_deployment_sets_only_settings_that_exist() -> None:
    text = "".join(file.read_text("utf-8") for file in (ROOT / "deploy").iterdir() if file.is_file())
    assert set(VARIABLE.findall(text)) - OF_COMPOSE - variables_in_code() == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", page.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name} → {target}"
        assert not anchor or anchor in anchors(found), f"{page.name} → {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    named = {line.split()[1] for line in shell_lines(page) if re.match(r"make [a-z]", line)}
    assert named <= make_targets()


def test_every_make_target_says_what_it_does() -> None:
    explained = set(re.findall(r"^([a-z-]+):[^#\n]*## \S", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert explained == make_targets()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_exist(page: Path) -> None:
    """Each `pyscrai …` that is shown is understood by the command line, options included."""
    for line in shell_lines(page):
        words = line.split("#")[0].split()
        if words[0] != "pyscrai" or len(words) < 2:
            continue
        command, context = cli, click.Context(cli, info_name="pyscrai")
        rest = words[1:]
        while rest and isinstance(command, click.Group) and not rest[0].startswith("-"):
            found = command.get_command(context, rest[0])
            assert found is not None, f"{page.name}: {line}"
            command, rest = found, rest[1:]
        known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        options = {word.split("=")[0] for word in rest if word.startswith("--")}
        assert options <= known | {"--help"}, f"{page.name}: {line}"


def test_prompts_page_lists_every_variable() -> None:
    """A prompt that uses all of the variables on the page is one that the catalog takes, and none is missing there."""
    table = (ROOT / "docs/prompts.md").read_text("utf-8").split("## Variables")[1].split("## An example")[0]
    listed: set[str] = set()
    for row in re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE):
        names = re.findall(r"`([^`]+)`", row)
        parent = names[0].rpartition(".")[0]
        listed |= {f"{parent}{name}" if name.startswith(".") else name for name in names}
    assert listed == known_variables("a lane of an author's own")


def test_the_example_prompt_is_one_that_the_catalog_takes() -> None:
    text = (ROOT / "docs/prompts.md").read_text("utf-8")
    example = next(body for kind, body in FENCE.findall(text) if kind == "liquid")
    assert check(example, known_variables("actor")) == []


def test_the_flow_on_the_page_about_flows_is_one_that_is_played(tmp_path: Path) -> None:
    flow = next(body for kind, body in FENCE.findall((ROOT / "docs/flows.md").read_text("utf-8")) if kind == "yaml")
    about = "format: pyscrai/scenario@1\nname: meeting\nworld: {text: A hall.}\nschedule: {policy: flow@1, turns: 12}\n"
    seats = "seats: {chair: {role: chairs}, baker: {role: bakes}}\n"
    metric = "metrics: {heat: {description: how loud it is}}\n"
    (tmp_path / "meeting.yaml").write_text(about + seats + metric + flow, "utf-8")
    loaded = load(tmp_path / "meeting.yaml")
    assert loaded.scenario is not None, loaded.findings
    assert [finding for finding in loaded.findings if finding.severity in ("error", "warning")] == []
    table = (ROOT / "docs/flows.md").read_text("utf-8").split("## A step")[1].split("## Waves")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) >= set(FlowStep.model_fields) - {"n"}


def test_the_readme_shows_the_golden_play() -> None:
    """What a newcomer is told to expect is what they get: the digest, and every line of speech, word for word."""
    shown = (ROOT / "README.md").read_text().split("<!-- play -->")[1].split("<!-- /play -->")[0]
    story = (ROOT / "templates/scenarios/negotiation/golden.jsonl").read_text()
    *entries, last = [json.loads(line) for line in story.splitlines()]
    assert last["log_digest"] in shown
    said = " ".join(shown.split())
    second = [entry for entry in entries if entry["turn"] == 2 and entry["phase"] == "decision"]
    action = next(entry["body"]["action"] for entry in second if entry["kind"] == "decision")
    assert action in said
    world = next(entry["body"] for entry in entries if entry["turn"] == 2 and entry["kind"] == "world_update")
    assert " ".join(world["narrative"].split()) in said

"""The pages about the mock provider say what there is."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import yaml

from pyscrai.cli.mock_provider import OPTIONS
from pyscrai_mock_provider.bill import Line
from pyscrai_mock_provider.command import main
from pyscrai_mock_provider.faults import FAULTS, SETS
from pyscrai_mock_provider.prices import Prices, Usage
from pyscrai_mock_provider.script import read_script

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/mock-provider.md").read_text("utf-8")
CONTEXT = click.Context(main)
SETTINGS = (ROOT / "docs/settings.md").read_text("utf-8").split("## The mock provider")[1].split("\n## ")[0]


def test_every_option_is_explained_with_its_variable_and_default() -> None:
    rows = re.findall(r"^\| `(--\S+)` \| `(\w+)` \| (.+?) \|", SETTINGS, re.MULTILINE)
    declared = []
    for option in OPTIONS:
        told = option.default
        default = "not set" if told is False else "none" if option.get_default(CONTEXT) is None else f"`{told}`"
        declared.append((option.opts[0], option.envvar, default))
    assert rows == declared
    assert {name for option in main.params for name in option.opts} == {*(row[0] for row in rows), "--json"}


def test_every_fault_is_explained() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (\w+) \| (\w+) \| (\w+) \|$", PAGE, re.MULTILINE)
    said = {True: "yes", False: "no"}
    assert rows == [
        (name, fault.text, said[fault.billed], said[name in SETS["all"]], said[name in SETS["passing"]])
        for name, fault in FAULTS.items()
    ]


def test_every_field_of_a_line_is_explained() -> None:
    table = PAGE.split("| field of a line |")[1].split("\n\n")[0]
    usage = Usage(input=1, output=1)
    told = {"request": 1, "model": "m", "key": None, "digest": "d", "finish_reason": "stop", "fault": None}
    line = Line(**told, usage=usage, cost=Prices.read("1,2").cost(usage), delivered=True, status=200)  # type: ignore[arg-type]
    named = [name for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(line.shown(1))


def test_the_script_on_the_page_is_one(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "answers.yaml"
    path.write_text(shown)
    script = read_script(str(path))
    assert script.usage == {"input": 100, "output": 20}
    assert len(script.entries) == len(yaml.safe_load(shown)["answers"]) == 3


@pytest.mark.parametrize("name", ["mock_provider", "mock_provider_process"])
def test_what_tests_import_is_there(name: str) -> None:
    import pyscrai_mock_provider

    assert name in PAGE
    assert callable(getattr(pyscrai_mock_provider, name))

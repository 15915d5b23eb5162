"""The tutorial is run: each command in order, with the exit code that the page says, and printing what it shows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tests.acceptance.terminal import ROOT, SECONDS

PAGE = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"\s+# exit code (\d+)$")


def test_a_newcomer_gets_what_the_tutorial_says(env: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "clone"
    folder.mkdir()
    for name in (".venv", "templates"):
        (folder / name).symlink_to(ROOT / name)
    printed = ""
    for kind, body in BLOCK.findall(PAGE.read_text("utf-8")):
        if kind == "sh":
            printed = "".join(executed(line, folder, env) for line in body.splitlines())
        else:
            shown(body, printed)
    assert sorted(path.name for path in folder.iterdir()) == [".venv", "templates"], "the page tidies up"


def executed(line: str, folder: Path, env: dict[str, str]) -> str:
    """What a command of the page prints. `make` runs in the checkout itself, all else beside it."""
    expected = EXIT.search(line)
    command = EXIT.sub("", line)
    where = ROOT if command.startswith("make ") else folder
    done = subprocess.run(
        command, shell=True, cwd=where, env=env, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == (int(expected[1]) if expected else 0), f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def shown(block: str, printed: str) -> None:
    """Each line of the block is printed, in this order."""
    lines = iter(printed.splitlines())
    for line in block.splitlines():
        if line != "…":
            assert line in lines, f"not printed (in this place): {line}\n{printed}"


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_pages_call_the_command_where_a_newcomer_has_it(page: str) -> None:
    """Nothing is on the path after `make run`: commands that are to be typed name the virtual environment."""
    for kind, body in BLOCK.findall((ROOT / page).read_text("utf-8")):
        if kind == "sh":
            assert not re.search(r"^pyscrai ", body, re.MULTILINE)

"""docs/own-event-type.md, followed word for word: its files written, its commands run, in order, by a fresh user."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.acceptance.fleet import fleet

PAGE = Path(__file__).parents[2] / "docs" / "own-event-type.md"
BLOCK = re.compile(r"^```(yaml|python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_works_as_it_stands(dsn: str, tmp_path: Path) -> None:
    commands = ["set -eu"]
    for language, body in BLOCK.findall(PAGE.read_text("utf-8")):
        if language == "sh":
            commands.append(body)
        else:
            name = body.partition("\n")[0].removeprefix("# ")
            assert re.fullmatch(r"[a-z]+\.(yaml|py)", name), name
            (tmp_path / name).write_text(body, "utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYSCRAI_")}
    ours = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYSCRAI_DATA": str(tmp_path / "data")}
    with fleet(dsn, tmp_path / "fleet") as machines:
        url = f"http://127.0.0.1:{machines.port}"
        done = subprocess.run(
            ["sh", "-c", "\n".join(commands)],
            env=kept | ours | {"PYSCRAI_API_URL": url, "COLUMNS": "100"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        runs = machines.get("/runs")["items"]
        assert [(run["scenario"]["name"], run["status"]) for run in runs] == [
            ("market", "completed"),
            ("court", "completed"),
        ]
        said = {}
        for run in runs:
            for entry in machines.get(f"/runs/{run['id']}/log")["items"]:
                if entry["kind"] == "message":
                    said[entry["body"]["step"]] = entry["body"]
    verdict = said["verdict"]["fields"]
    assert verdict["verdict"] in ("guilty", "not guilty", "adjourned")
    assert verdict["costs"] in ("shared", "the owner", "the neighbour")
    assert 0 <= verdict["doubt"] <= 1
    assert re.fullmatch(r"The needle stops at \d+ kilograms\.", said["weigh"]["text"])
    assert set(said) == {"claims", "answers", "verdict", "offer", "weigh", "price"}

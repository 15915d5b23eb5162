"""A sweep through the command line alone: twelve runs, killed in the middle, gone on with, and summed up."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.acceptance.fleet import until
from tests.acceptance.terminal import SCENARIO, SECONDS, Cli, Doors, Start
from tests.acceptance.test_kills import query

from pyscrai import Runner, Scenario

CONFIG = """\
name: doors
scenario: scenario.yaml
choices: {model: "MODEL"}
vary:
  turns: [1, 2]
  left.private: [the key is mine, there is no key]
seeds: 3
budget: 1
at_once: 3
"""
STARTED = "SELECT count(*) AS runs, count(DISTINCT batch_id) AS batches FROM runs WHERE batch_id IS NOT NULL"
ENDED = "SELECT count(*) AS runs FROM runs WHERE status = 'completed'"


def config(tmp_path: Path, doors: Doors, latency: float) -> str:
    _scenario, model = doors(latency)
    file = tmp_path / "sweep.yaml"
    file.write_text(CONFIG.replace("MODEL", model))
    return str(file)


def results(cli: Cli, *args: str) -> dict[str, Any]:
    done = cli("batch", *args, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(300)
def test_two_values_by_two_values_by_three_seeds(cli: Cli, doors: Doors, dsn: str, tmp_path: Path) -> None:
    file = config(tmp_path, doors, 0)
    rows = tmp_path / "rows.csv"
    told = results(cli, file, "--csv", str(rows))
    assert (told["batch"]["status"], told["batch"]["counts"]) == ("done", {"completed": 12})
    assert [one["completed"] for one in told["variations"]] == [3, 3, 3, 3]
    assert [one["turns"]["mean"] for one in told["variations"]] == [1, 1, 2, 2]
    assert told["variations"][2]["turns"]["change"] == 1
    with rows.open(newline="") as lines:
        listed = list(csv.DictReader(lines))
    assert [int(row["place"]) for row in listed] == list(range(1, 13))
    assert {row["vary.left.private"] for row in listed} == {"the key is mine", "there is no key"}

    # The same file again plays nothing again.
    again = results(cli, file)
    assert [row["run_id"] for row in again["rows"]] == [row["run_id"] for row in told["rows"]]
    assert query(dsn, STARTED) == [{"runs": 12, "batches": 1}]
    page = cli("batch", "show", "doors")
    assert page.returncode == 0
    assert "12 of 12 runs" in page.stdout
    assert "95 % (Wilson)" in page.stdout
    assert "doors" in cli("batch", "list").stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_what_was_cut_off_goes_on_and_nothing_is_played_twice(
    cli: Cli, start: Start, doors: Doors, dsn: str, tmp_path: Path, how: signal.Signals
) -> None:
    file = config(tmp_path, doors, 0.3)
    process = start("batch", file)
    until("some runs that have ended", lambda: query(dsn, ENDED)[0]["runs"] >= 2, SECONDS)
    process.send_signal(how)
    _, said = process.communicate(timeout=SECONDS)
    if how is signal.SIGINT:
        assert process.returncode == 130, said
        assert f"Go on: pyscrai batch {file}" in said
        assert query(dsn, "SELECT status FROM batches") == [{"status": "paused"}]
    before = {str(row["id"]) for row in query(dsn, "SELECT id FROM runs WHERE status = 'completed'")}
    config(tmp_path, doors, 0.3)
    told = results(cli, file, "--resume")
    assert (told["batch"]["status"], told["batch"]["counts"]) == ("done", {"completed": 12})
    assert before <= {row["run_id"] for row in told["rows"]}
    assert query(dsn, STARTED) == [{"runs": 12, "batches": 1}]
    digests = "SELECT count(DISTINCT digest) AS kinds FROM runs GROUP BY choices ->> 'seed', choices -> 'edits', turns"
    assert {row["kinds"] for row in query(dsn, digests)} == {1}


def test_mistakes_are_named_before_anything_is_played(cli: Cli, doors: Doors, dsn: str, tmp_path: Path) -> None:
    file = Path(config(tmp_path, doors, 0))
    file.write_text(file.read_text().replace("left.private", "left.hat"))
    done = cli("batch", str(file))
    assert done.returncode == 1
    assert "sweep.yaml:6:" in done.stderr
    assert "there is nothing of that name" in done.stderr
    missing = cli("batch", config(tmp_path, doors, 0), "--resume")
    assert (missing.returncode, "leave out --resume" in missing.stderr) == (2, True)
    assert query(dsn, "SELECT count(*) AS batches FROM batches") == [{"batches": 0}]


@pytest.mark.timeout(300)
def test_a_program_gets_plain_rows(dsn: str, tmp_path: Path) -> None:
    config = {"name": "from-a-program", "vary": {"turns": [1, 2]}, "seeds": 2, "at_once": 2}
    scenario = Scenario.from_dict(yaml.safe_load(SCENARIO))
    with Runner(database_url=dsn, data=tmp_path / "data") as runner:
        found = runner.batch(config, scenario)
        told = runner.estimate(scenario, end_turn=2)
    rows = found.rows()
    assert found.batch.status == "done"
    assert [(row["vary.turns"], row["seed"], row["status"], row["turns"]) for row in rows] == [
        (1, 0, "completed", 1), (1, 1, "completed", 1), (2, 0, "completed", 2), (2, 1, "completed", 2),
    ]  # fmt: skip
    assert told.calls.expected == sum(row.turns for row in found.results.rows[2:3]) * 3

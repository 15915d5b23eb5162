"""The catalog, the queue and the engines from the command line, against an API with engines."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.acceptance.terminal import ROOT, SCENARIO, SECONDS, Cli, Doors, House, run_to_its_end

EVENT_TYPE = """
format: pyscrai/event-type@1
name: haiku
lane: actor
prompt: "Write a haiku about {{ data.subject }}."
payload_schema: {type: object, properties: {data: {type: object}, subject: {type: string}}, required: [subject]}
result_schema: {type: object, properties: {text: {type: string}}, required: [text]}
"""


@pytest.fixture
def cli(house: House) -> Cli:
    """Commands that find the system that `up` has started."""
    return house.cli


def test_templates_are_added_shown_archived(cli: Cli, doors: Doors, tmp_path: Path) -> None:
    scenario, _ = doors(0)
    haiku = tmp_path / "haiku.yaml"
    haiku.write_text(EVENT_TYPE)
    added = cli("templates", "add", scenario, str(haiku), "--json")
    assert added.returncode == 0, added.stderr
    assert [(one["type"], one["name"], one["version"]) for one in json.loads(added.stdout)] == [
        ("scenarios", "two-doors", 1),
        ("event-types", "haiku", 1),
    ]
    shown = cli("templates", "show", "event-type", "haiku").stdout
    haiku.write_text(shown)
    assert "haiku, version 1" in cli("templates", "add", str(haiku)).stdout
    haiku.write_text(shown + "title: Haiku\n")
    assert "haiku, version 2" in cli("templates", "add", str(haiku)).stdout
    assert "title" not in cli("templates", "show", "event-types", "haiku@1").stdout
    listed = cli("templates", "list").stdout
    assert re.search(r"^haiku +event-types +2 ", listed, re.MULTILINE)
    assert cli("templates", "archive", "event-types", "haiku").returncode == 0
    gone = cli("templates", "show", "event-types", "haiku")
    assert (gone.returncode, "decide" in gone.stderr) == (2, True)


def test_nothing_is_added_where_one_file_has_mistakes(cli: Cli, tmp_path: Path) -> None:
    scenario, bad = tmp_path / "scenario.yaml", tmp_path / "bad.yaml"
    scenario.write_text(SCENARIO.replace("two-doors", "three-doors"))
    bad.write_text(EVENT_TYPE.partition("result_schema")[0] + "result_schema: 3\n")
    done = cli("templates", "add", str(scenario), str(bad))
    assert (done.returncode, done.stdout) == (1, "")
    assert "bad.yaml:7:" in done.stderr
    assert "three-doors" not in cli("scenarios", "list").stdout
    bad.write_text(EVENT_TYPE.replace("data.subject", "data.subject | nofilter"))
    refused = cli("templates", "add", str(bad))
    assert (refused.returncode, "bad.yaml:5:" in refused.stderr) == (1, True), refused.stderr


def test_scenarios_are_shown_as_files_that_play(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "negotiation.yaml"
    shown = cli("scenarios", "show", "negotiation")
    file.write_text(shown.stdout)
    assert cli("scenarios", "add", str(file)).returncode == 0
    again = json.loads(cli("scenarios", "show", "negotiation", "--json").stdout)
    assert (again["version"], again["content"]["format"]) == (1, "pyscrai/scenario@1")
    by_hand, shipped = (
        json.loads(cli("run", wanted, "--turns", "1", "--json").stdout)["log_digest"]
        for wanted in ("negotiation", str(file))
    )
    assert by_hand == shipped


def test_events_are_posted_listed_and_corrected(cli: Cli) -> None:
    said = cli("events", "post", "--lane", "actor", "--payload", '{"prompt": "Say hello."}', "--wait", "--json")
    event = json.loads(said.stdout)
    assert (said.returncode, event["status"]) == (0, "completed")
    assert event["result"]["content"]
    to_actors = ("events", "post", "--lane", "actor", "--payload", '{"prompt": "x"}', "--json")
    dead = json.loads(cli(*to_actors, "--model", "gpt-4o", "--wait").stdout)
    assert dead["status"] == "failed"
    letters = json.loads(cli("events", "dead", "--json").stdout)
    assert [one["id"] for one in letters] == [dead["id"]]
    assert str(dead["id"]) in cli("events", "dead").stdout
    assert json.loads(cli("events", "redrive", "--all", "--json").stdout)["redriven"] == [dead["id"]]
    assert cli("events", "redrive").returncode == 2
    later = json.loads(cli(*to_actors, "--at", "2999-01-01T00:00:00Z").stdout)
    assert json.loads(cli("events", "cancel", str(later["id"]), "--json").stdout)["status"] == "cancelled"
    again = cli("events", "retry", str(later["id"]))
    assert (again.returncode, "not a dead letter" in again.stderr) == (1, True)
    assert "cancelled" in cli("events", "show", str(later["id"])).stdout
    assert len(json.loads(cli("events", "list", "--type", "prompt", "--json").stdout)) == 3


def test_engines_are_listed(cli: Cli) -> None:
    listed = json.loads(cli("engines", "list", "--json").stdout)
    assert sorted(engine["engine_type"] for engine in listed) == ["actor", "analyst", "narrator"]
    assert cli("engines", "list").stdout.count("active") == 3


def test_an_event_without_an_api_gets_engines_of_its_own(env: dict[str, str]) -> None:
    post = ("events", "post", "--lane", "narrator", "--payload", '{"prompt": "Say hello."}', "--wait", "--json")
    said = run_to_its_end(env, *post)
    assert (said.returncode, json.loads(said.stdout)["status"]) == (0, "completed")


def test_seed_commands_work_under_their_own_name(env: dict[str, str], doors: Doors, tmp_path: Path) -> None:
    scenario, model = doors(0)
    script = "import sys; sys.argv[0] = '/usr/local/bin/scenario-lab'; from pyscrai.cli.main import main; main()"

    def lab(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", script, *args],
            env=env, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip

    assert 'scenario-lab = "pyscrai.cli.main:main"' in (ROOT / "pyproject.toml").read_text()
    assert lab("--help").stdout.startswith("Usage: scenario-lab")
    out = tmp_path / "out"
    ran = lab("run", scenario, "--end-turn", "2", "--credit-limit", "5.0", "--model", model, "--out", str(out))
    assert ran.returncode == 0, ran.stderr
    assert "━━ Turn 2 of 2" in ran.stdout
    assert json.loads((out / "run.json").read_text())["run"]["limit"] == "5.0000000000"
    assert lab("version").stdout.startswith("PyScrAI")
    assert lab("validate", scenario).returncode == 0

"""Operating the queue from the command line, against a system that is up: pauses, drains, dead letters in bulk."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.acceptance.terminal import Cli, House


@pytest.fixture
def cli(house: House) -> Cli:
    """Commands that find the system that `up` has started."""
    return house.cli


def answer(cli: Cli, *args: str, code: int = 0) -> Any:
    done = cli(*args, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def post(cli: Cli, *more: str, code: int = 0) -> Any:
    return answer(cli, "events", "post", "--lane", "actor", "--payload", '{"prompt": "Say hello."}', *more, code=code)


def test_the_doctor_looks_at_queue_and_database(cli: Cli) -> None:
    found = {line["name"]: line for line in answer(cli, "doctor", "--no-start")}
    for name in ("Queue: engines", "Queue: loops", "Database: autovacuum", "Database: oldest snapshot"):
        assert found[name]["state"] == "ok", found[name]
    assert sum(name.startswith(("Queue: ", "Database: ")) for name in found) >= 15
    assert "Database: connections" in cli("doctor", "--no-start").stdout


def test_a_type_is_paused_and_goes_on(cli: Cli) -> None:
    paused = answer(cli, "events", "pause", "prompt", "--lane", "actor", "--reason", "a new prompt")
    assert (paused["event_type"], paused["lane"], paused["reason"]) == ("prompt", "actor", "a new prompt")
    held = post(cli)
    drained = answer(cli, "events", "drain", "prompt", "--lane", "actor", "--timeout", "60")
    assert (drained["drained"], drained["leased"]) == (True, 0)
    assert answer(cli, "events", "show", str(held["id"]))["status"] == "queued"
    seen = cli("events", "lanes")
    assert "Events of type prompt in lane actor are paused since" in seen.stdout
    assert "by local: a new prompt" in seen.stdout
    (lane,) = [one for one in answer(cli, "events", "lanes")["lanes"] if one["lane"] == "actor"]
    assert lane["depth"]["ready"] + lane["depth"]["held"] == 1
    assert answer(cli, "events", "resume", "prompt", "--lane", "actor") == []
    assert post(cli, "--wait")["status"] == "completed"
    again = cli("events", "resume", "prompt", "--lane", "actor")
    assert (again.returncode, "not paused" in again.stderr) == (1, True)
    warned = cli("events", "pause", "decied")
    assert (warned.returncode, "Did you mean decide" in warned.stderr) == (0, True)
    assert answer(cli, "events", "pause", "decied")["known"] is False
    assert answer(cli, "events", "resume", "decied") == []
    for nonsense in (("pause",), ("pause", "prompt", "--all"), ("drain",), ("resume",)):
        assert cli("events", *nonsense).returncode == 2


def test_a_scheduled_event_is_had_at_once(cli: Cli) -> None:
    later = post(cli, "--at", "2999-01-01T00:00:00Z")
    listed = answer(cli, "events", "list", "--status", "scheduled")
    assert [one["id"] for one in listed] == [later["id"]]
    assert "not before 2999-01-01" in cli("events", "list", "--status", "scheduled").stdout
    assert answer(cli, "events", "promote", str(later["id"]))["id"] == later["id"]
    refused = cli("events", "promote", str(later["id"]))
    assert (refused.returncode, "not scheduled" in refused.stderr) == (1, True)


def test_dead_letters_in_bulk(cli: Cli) -> None:
    dead = [post(cli, "--model", "gpt-4o", "--wait", code=1)["id"] for _ in range(3)]
    assert [one["id"] for one in answer(cli, "events", "dead", "--type", "prompt")] == dead
    (code,) = {one["error"] for one in answer(cli, "events", "dead")}
    assert code
    everybodys = answer(cli, "events", "dead", "--everybody")
    assert [(one["id"], one["owner"], one["data"]) for one in everybodys] == [(number, "local", {}) for number in dead]
    assert "owner" in cli("events", "dead", "--everybody").stdout
    counted = answer(cli, "events", "discard", "--lane", "actor", "--dry-run")
    assert (counted["matched"], counted["discarded"]) == (3, [])
    assert "3 dead letters would be given up" in cli("events", "discard", "--all", "--dry-run").stdout
    assert answer(cli, "events", "discard", "--older-than", "1h")["matched"] == 0
    assert answer(cli, "events", "redrive", "--code", "no-such-code")["matched"] == 0
    assert answer(cli, "events", "discard", str(dead[0]))["discarded"] == dead[:1]
    assert answer(cli, "events", "discard", str(dead[0]), code=1)["matched"] == 0
    assert answer(cli, "events", "redrive", "--type", "prompt", "--everybody")["redriven"] == dead[1:]
    assert cli("events", "discard").returncode == 2
    assert cli("events", "discard", "--older-than", "soon").returncode == 2


def test_an_engine_is_paused_resumed_and_drained(cli: Cli) -> None:
    engine = next(one for one in answer(cli, "engines", "list") if one["engine_type"] == "analyst")
    assert answer(cli, "engines", "pause", engine["id"])["status"] == "paused"
    assert "paused" in cli("engines", "list").stdout
    assert answer(cli, "engines", "resume", engine["id"])["status"] == "active"
    assert answer(cli, "engines", "drain", engine["id"], "--wait")["status"] == "gone"
    assert cli("engines", "pause", engine["id"]).returncode == 2
    assert cli("engines", "pause", "nobody").returncode == 2

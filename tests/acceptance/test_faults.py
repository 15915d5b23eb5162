"""Model providers that misbehave: runs end as they should, and nobody is asked more or sooner than agreed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.acceptance.fleet import Fleet, fleet, until
from tests.acceptance.provider import Provider, provider, silence, too_many
from tests.acceptance.terminal import SCENARIO
from tests.acceptance.test_kills import query

from pyscrai_mock_provider import MockProvider, mock_provider
from pyscrai_mock_provider.faults import FAULTS

DECISION = {"reasoning": "It is my door.", "goals": [], "action": "I push."}
WORLD = {"narrative": "The doors creak.", "facts": {}, "changes": []}
PUT_OFF = ("rate_limit", "overloaded")
"""What the provider did not begin: waited for, and nobody's failure."""
TRIED_AGAIN = ("server_error", "late_error", "dropped_before", "dropped", "timeout", "broken_body", "refused")
TAKEN = ("no_usage", "broken_json", "empty", "overlong")
"""Taken as it is, or repaired within the try."""
FOR_A_PERSON = {
    "bad_key": "model_key_refused",
    "too_long": "model_context_exceeded",
    "overcharged": "bound_exceeded",
}
FIRST_ASKED = [1, 2, 5, 7, 8, 11]
"""The requests that ask something for the first time, where each question has to be asked twice: two seats and the
narrator, in two turns."""
COUNTS = """
SELECT sum(o.failures)::int AS failures, sum(o.handbacks)::int AS handbacks, sum(o.losses)::int AS losses,
  (SELECT count(*)::int FROM calls c WHERE c.run_id = o.run_id AND c.state IN (2, 3)) AS sent,
  (SELECT count(*)::int FROM calls c WHERE c.run_id = o.run_id AND c.state = 1) AS open
FROM outcomes o WHERE o.run_id = $1 GROUP BY o.run_id
"""


def crowd(seats: int) -> dict[str, Any]:
    """Many who decide at once, and nothing else."""
    document = {"format": "pyscrai/scenario@1", "name": "crowd", "world": {"text": "A crowd."}}
    return document | {
        "seats": {f"s{number:02d}": {} for number in range(seats)},
        "schedule": {"turns": 1, "phases": ["decision"]},
    }


def play(machines: Fleet, content: dict[str, Any], model: str) -> dict[str, Any]:
    return machines.play(content, model=model, limit="5", prices={model: {"input": "1", "output": "2"}}, seed=3)


def limits(path: Path, hosts: dict[str, Any]) -> str:
    path.write_text(yaml.safe_dump(hosts))
    return str(path)


def host_of(url: str) -> str:
    return url.split("/")[2]


def to_its_end(machines: Fleet, run: dict[str, Any], code: str | None) -> dict[str, Any]:
    """The run when it is over; a person mends what `code` names as often as it stands still for that."""
    for _ in range(20):
        found = machines.ended(run)
        if found["status"] not in ("paused", "blocked"):
            return found
        assert found["reason"]["code"] == code, found
        machines.post(f"/runs/{run['id']}/resume")
    raise AssertionError(f"run {run['label']} still stands still")


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, MockProvider]]:
    """A server for each fault, which meets every question once, and one without."""
    with ExitStack() as stack:
        made = {}
        for fault in ("none", *FAULTS):
            path = folder / f"{fault}.yaml"
            path.write_text(yaml.safe_dump(script(None if fault == "none" else fault)))
            made[fault] = stack.enter_context(mock_provider(script=str(path), retry_after=0.2))
        yield made


def script(fault: str | None) -> dict[str, Any]:
    """The same words whenever somebody is asked; what is faulty is told apart by the form that is asked for."""
    world = {"contains": '"narrative"'}
    when = {"request": FIRST_ASKED}
    faulty = [
        {"when": when | world, "fail": fault, "answer": WORLD},
        {"when": when, "fail": fault, "answer": DECISION},
    ]
    good = [{"when": world, "answer": WORLD}, {"when": {}, "answer": DECISION}]
    return {"answers": (faulty if fault else []) + good}


@pytest.mark.timeout(300)
def test_each_fault_ends_with_the_story_of_a_run_without(dsn: str, tmp_path: Path) -> None:
    """Each run meets its fault with every question, all of them at the same time."""
    assert {*PUT_OFF, *TRIED_AGAIN, *TAKEN, *FOR_A_PERSON} == set(FAULTS), "each fault is played"
    content = yaml.safe_load(SCENARIO) | {"schedule": {"turns": 2, "phases": ["decision", "world_update"]}}
    declared = limits(tmp_path / "providers.yaml", {"*": {"timeout": 2, "concurrency": 3}})
    with servers(tmp_path) as asked, fleet(dsn, tmp_path / "fleet", PYSCRAI_PROVIDERS=declared) as machines:
        runs = {fault: play(machines, content, server.model) for fault, server in asked.items()}
        ended = {fault: to_its_end(machines, run, FOR_A_PERSON.get(fault)) for fault, run in runs.items()}
        counts = {fault: query(dsn, COUNTS, run["id"])[0] for fault, run in runs.items()}
        open_calls = [each["open_calls"] for each in machines.get("/providers")]
        endings = {fault: server.bill()["endings"] for fault, server in asked.items()}
    assert {fault: run["status"] for fault, run in ended.items()} == dict.fromkeys(ended, "completed")
    undisturbed = ended["none"]["log_digest"]
    for fault in FAULTS:
        assert endings[fault][fault] > 0, "the fault was met"
        # What is too long for a taste, but fits its form, is taken.
        assert fault == "overlong" or ended[fault]["log_digest"] == undisturbed, fault
    for fault, count in counts.items():
        assert count["sent"] == sum(endings[fault].values()), "each request was reserved, and no client repeats any"
        assert (count["open"], count["losses"]) == (0, 0), fault
    for fault in PUT_OFF:
        assert (counts[fault]["failures"], counts[fault]["handbacks"] >= 6) == (0, True), fault
    for fault in TRIED_AGAIN:
        assert counts[fault]["failures"] == 6, fault
    assert not any(open_calls)


@pytest.mark.timeout(300)
def test_a_provider_is_asked_by_all_engines_as_if_they_were_one(dsn: str, tmp_path: Path) -> None:
    with mock_provider(concurrency=3, latency="0.05") as strict, provider() as busy, provider() as hanging:
        hosts = {host_of(hanging.url): {"timeout": 3600}, "*": {"concurrency": 3}}
        settings = {"PYSCRAI_LEASE_SECONDS": "5", "PYSCRAI_HEARTBEAT_SECONDS": "1"}
        settings["PYSCRAI_PROVIDERS"] = limits(tmp_path / "providers.yaml", hosts)
        with fleet(dsn, tmp_path / "fleet", engines=2, **settings) as machines:
            nobody_is_turned_away(machines, strict)
            all_wait_when_one_was_told_to(machines, busy)
            a_hanging_call_ends_with_the_lease_of_its_dead_engine(machines, hanging)


def nobody_is_turned_away(machines: Fleet, strict: MockProvider) -> None:
    """By a provider that takes three calls at once."""
    runs = [play(machines, crowd(8), strict.model) for _ in range(2)]
    assert [machines.ended(run)["status"] for run in runs] == ["completed"] * 2
    assert strict.bill()["endings"] == {"answered": 16}


def all_wait_when_one_was_told_to(machines: Fleet, busy: Provider) -> None:
    busy.tricks = [too_many(3)] * 3
    run = play(machines, crowd(6), f"{busy.url}#m")

    def told() -> bool:
        found = machines.get(f"/runs/{run['id']}")["waiting_for"]
        return bool(found) and found["seconds"] > 0 and "asked for a break" in found["reason"]

    assert until("somebody to wait", told)
    assert machines.ended(run)["status"] == "completed"
    asked = sorted(busy.times)
    assert len(asked) == 9
    assert asked[3] - asked[0] >= 3, "three were on their way; then nobody asked before the time was over"


def a_hanging_call_ends_with_the_lease_of_its_dead_engine(machines: Fleet, hanging: Provider) -> None:
    hanging.tricks = [silence, silence]
    run = play(machines, crowd(2), f"{hanging.url}#m")
    until("both calls", lambda: len(hanging.times) == 2)
    for engine in ("actor-1", "actor-2"):
        machines.kill(engine)
    machines.start("actor-3")
    assert machines.ended(run)["status"] == "completed"
    (counts,) = query(machines.dsn, COUNTS, run["id"])
    assert (counts["failures"], counts["losses"], counts["sent"], counts["open"]) == (0, 2, 4, 0)

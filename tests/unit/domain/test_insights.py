"""What is read from a scenario before it is played, and from a log afterwards: timeline, knowledge, patterns."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.domain.plans import make_plan
from tests.unit.domain.test_talking import SEATS, Table, proposes, quiet

from pyscrai.domain.entry import Entry, draft
from pyscrai.domain.knowledge import end_of_turn, knowers, seen, told
from pyscrai.domain.patterns import patterns
from pyscrai.domain.timeline import timeline
from pyscrai.domain.work import Work

HAPPENINGS: list[dict[str, Any]] = [
    {"name": "vote", "type": "scheduled", "turns": [2], "text": "A vote."},
    {"name": "tide", "type": "trend", "first": 1, "every": 3, "text": "The tide.", "adds": {"level": 1}},
    {"name": "storm", "type": "random", "probability": 0.4, "once": False, "text": "A storm."},
    {"name": "quake", "type": "random", "probability": 0.3, "text": "A quake."},
    {"name": "strike", "type": "conditional", "when": "mood < 3", "first": 4, "text": "A strike."},
]


@pytest.mark.parametrize("seed", range(5))
def test_the_timeline_says_what_a_run_will_see(seed: int) -> None:
    document = {
        "name": "weather",
        "seats": SEATS,
        "metrics": {"mood": {"by": "manual"}},
        "happenings": HAPPENINGS,
        "schedule": {"turns": 9, "phases": ["decision"]},
    }
    plan = make_plan(document, seed=seed)
    played: dict[str, list[int]] = {}
    for entry in Table(plan, quiet).play().of("exogenous"):
        played.setdefault(str(entry.body["happening"]), []).append(entry.turn)
    expected = {one.name: one for one in timeline(plan.scenario, seed).happenings}
    assert {name: one.sureness for name, one in expected.items()} == {
        "vote": "certain",
        "tide": "certain",
        "storm": "drawn",
        "quake": "drawn",
        "strike": "possible",
    }
    for name in ("vote", "tide", "storm", "quake"):
        assert expected[name].turns == played.get(name, [])
    assert expected["strike"].turns == [4, 5, 6, 7, 8, 9]
    assert "strike" not in played
    assert timeline(plan.scenario, seed, 3).happenings[1].turns == [1]


def talk() -> Table:
    document = {"name": "talks", "seats": SEATS, "communication": {"bilateral": True, "coalitions": True}}
    return Table(make_plan(document | {"schedule": {"turns": 2, "phases": ["decision"]}}), proposes).play()


def test_who_could_know_what_and_when() -> None:
    table = talk()
    formed = next(entry for entry in table.of("proposal") if entry.body["act"] == "formed")
    inside = next(entry for entry in table.of("message") if entry.body["channel"] == "coalition")
    assert [one.seat for one in knowers(formed, table.plan.seats)] == ["ada", "bo", "cy"]
    assert [(one.seat, one.since, one.turn) for one in knowers(inside, table.plan.seats)] == [
        ("ada", inside.seq, 2),
        ("bo", inside.seq, 2),
    ]
    first = end_of_turn(table.log, 1)
    assert first < inside.seq
    assert inside not in seen(table.log, "bo", first)
    assert inside in seen(table.log, "bo", inside.seq)
    assert inside not in seen(table.log, "cy", 10_000)
    assert all(entry.visible("cy") for entry in seen(table.log, "cy", 10_000))


def test_secrets_that_were_told() -> None:
    heard = {"ada/private": ["ada", "bo"], "cy/goal 1": "all"}
    check = {"check": "disclosure", "consistent": False, "issues": [], "heard": heard}
    log = [Entry(**dict(draft("check", check, turn=3)), seq=7, step=1, n=0)]
    assert [(one.of, one.name, one.since, one.turn) for one in told(log, "bo", 7)] == [
        ("ada", "private", 7, 3),
        ("cy", "goal 1", 7, 3),
    ]
    assert [one.of for one in told(log, "cy", 7)] == []
    assert told(log, "bo", 6) == []


def test_who_moved_whom() -> None:
    def answers(work: Work) -> dict[str, Any]:
        if work.phase == "communication" and work.turn == 1:
            if work.seat == "ada" and work.payload["round"] == 1:
                letter = {"to": "bo", "text": "Open the old gate at dawn, please.", "closing": False}
                return quiet(work) | {"letters": [letter]}
            if work.seat == "bo" and work.payload["round"] == 2:
                return quiet(work) | {"letters": [{"to": "ada", "text": "Well.", "closing": True}]}
        if work.phase == "decision" and work.seat == "bo" and work.turn == 1:
            return quiet(work) | {"action": "I open the old gate at dawn."}
        if work.phase == "coalition":
            return proposes(work)
        return quiet(work)

    document = {"name": "talks", "seats": SEATS, "communication": {"bilateral": True, "coalitions": True}}
    table = Table(make_plan(document | {"schedule": {"turns": 2, "phases": ["decision"]}}), answers).play()
    links = {(link.source, link.target): link for link in patterns(table.log).links}
    ada_bo = links["ada", "bo"]
    assert (ada_bo.letters, ada_bo.answered, ada_bo.offers, ada_bo.accepted, ada_bo.taken_up) == (1, 1, 1, 1, 1)
    assert (links["bo", "ada"].letters, links["bo", "ada"].answered) == (1, 0)
    assert (links["ada", "cy"].offers, links["ada", "cy"].accepted) == (1, 0)
    whats = [point.what for point in patterns(table.log).turning_points]
    assert whats == ["the coalition “Pact” is formed", "the coalition “Pact” is over"]


def measured(turn: int, name: str, value: float, seat: str | None = None) -> Entry:
    line = draft("metric", {"metric": name, "value": value}, turn=turn, phase="metrics", seat=seat)
    return Entry(**dict(line), seq=turn * 10 + len(name) + len(seat or ""), step=turn, n=0)


def test_turning_points_and_positions() -> None:
    values = {1: 0.5, 2: 0.52, 3: 0.1, 4: 0.12}
    log = [measured(turn, "trust", value) for turn, value in values.items()]
    log += [measured(turn, "mood", float(turn), seat) for turn in (1, 2) for seat in ("ada", "bo")]
    found = patterns(log, {"trust": (0, 1), "mood": (0, 100)})
    largest = max(found.turning_points, key=lambda point: point.size)
    assert (largest.turn, largest.kind, largest.what) == (3, "metric", "trust moves from 0.52 to 0.1")
    assert largest.size == pytest.approx(0.42)
    assert [(one.metric, one.seats) for one in found.positions] == [
        ("mood", {"ada": [(1, 1.0), (2, 2.0)], "bo": [(1, 1.0), (2, 2.0)]})
    ]
    assert patterns([]).turning_points == []

"""Where a run may be branched: going on from a boundary without any change tells the very same story."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from tests.unit.domain.plans import TALKS, answer, digest, make_plan

from pyscrai.domain.boundaries import MARKS, Boundary, Mark, boundaries
from pyscrai.domain.entry import Entry
from pyscrai.domain.injected import Injected
from pyscrai.domain.plan import Plan
from pyscrai.domain.play import advance, begin
from pyscrai.domain.state import fold, initial, window
from pyscrai.domain.work import Result, Work

SEATS: dict[str, Any] = {"ada": {"title": "Ada"}, "bo": {"title": "Bo"}, "cy": {"title": "Cy"}}
CHECK: dict[str, Any] = {"sense": {"prompt": "?", "on_issue": "reask"}}
SCENARIOS: dict[str, dict[str, Any]] = {
    "turns": {**TALKS, "schedule": {"turns": 3}, "reports": {"every": 2, "at_end": True}},
    "talking": {
        "name": "t",
        "seats": SEATS,
        "communication": {"bilateral": True, "statements": True, "coalitions": True, "rounds": 3},
        "schedule": {"turns": 2},
        "checks": CHECK,
        "metrics": {"hours": {"by": "pattern", "pattern": r"(\d+) hours"}},
        "happenings": [{"name": "storm", "text": "A storm.", "type": "random", "probability": 0.5, "once": False}],
    },
    "dialogue": {
        "name": "d",
        "seats": {"ada": {"opening": "Welcome."}, "bo": {}},
        "schedule": {"policy": "dialogue@1", "turns": 5},
        "metrics": {"words": {"by": "keyword", "keywords": ["says"]}},
        "checks": {"sense": {"prompt": "?"}},
    },
    "tools": {
        "name": "d",
        "seats": {"ada": {}, "bo": {"tools": [{"name": "sign", "ends": "success"}]}},
        "schedule": {"policy": "dialogue@1", "turns": 9},
    },
    "flow": {
        "name": "f",
        "seats": SEATS,
        "schedule": {"policy": "flow@1", "turns": 4},
        "flow": {
            "intro": {"by": "system", "prompt": "It begins.", "on": "start"},
            "speak": {"by": "ada", "on": "start", "prompt": "speak"},
            "bell": {"by": "system", "prompt": "A bell.", "on": "turn_complete", "repeat": 3},
            "reply": {"by": "all_seats", "on": "turn_complete", "repeat": 3, "prompt": "reply"},
        },
    },
}


def reply(work: Work) -> dict[str, Any]:
    if work.phase == "communication":
        letters = [{"to": to, "text": f"hello {to}"} for to in list(work.payload["to"])[:1]]
        return {"statement": "we are ready" if work.payload["statement"] else "", "letters": letters}
    if work.phase == "coalition":
        if work.payload["round"] == 2:
            offers: Any = work.payload["offers"]
            return {"answers": [{"coalition": name, "accept": True, "reason": "yes"} for name in offers]}
        first = work.seat == "ada" and not work.payload["members"]
        return {"proposal": {"name": "Union", "purpose": "peace", "with": ["bo"]} if first else None, "leave": []}
    if work.phase == "tool":
        return {"content": "Signed.", "documents": []}
    if work.payload.get("tools_left") and work.turn == 4:
        return {"text": "", "tool_call": {"name": "sign", "input": {}}}
    if work.phase == "validation" and not work.payload.get("again"):
        return {"consistent": work.turn != 1, "issues": ["odd"] if work.turn == 1 else [], "severity": "medium"}
    return answer(work)


def go_on(plan: Plan, log: list[Entry], move: Any, step: int, told: dict[int, list[Injected]]) -> list[Entry]:
    while move.work:
        step += 1
        results = [Result(work=work, value=reply(work)) for work in move.work]
        move = advance(plan, move.state, results, seq=log[-1].seq, step=step, inputs=told.get(step, []))
        log = [*log, *move.entries]
    return log


def marks(log: Iterable[Entry]) -> list[Mark]:
    return [
        Mark(e.seq, e.step, e.n, e.kind, e.turn, str(e.body["phase"]) if "phase" in e.body else None)
        for e in log
        if e.kind in MARKS
    ]


@pytest.mark.parametrize("name", SCENARIOS)
def test_going_on_from_any_boundary_tells_the_same(name: str) -> None:
    plan = make_plan(SCENARIOS[name])
    first = begin(plan)
    told = {step: [Injected(kind="input", body={"text": f"news {step}"})] for step in (2, 3, 5)}
    log = go_on(plan, list(first.entries), first, 0, told)
    found = list(boundaries(marks(log)))
    assert found[0].named() == "1 (before turn 1)"
    assert {one.turn for one in found if one.phase is None} == {0, *(e.turn for e in log if e.kind == "turn_complete")}
    assert {one.step for one in found} == {entry.step for entry in log}
    for place in found:
        shared = [entry for entry in log if entry.seq <= place.seq]
        assert (shared[-1].step, shared[-1].n) == (place.step, place.n)
        state = fold(initial(plan), shared, window(plan))
        rest = told.get(place.step, []) if not any(e.kind == "input" and e.step == place.step for e in shared) else []
        move = advance(plan, state, [], seq=place.seq, step=place.step, n=place.n + 1, inputs=rest)
        branch = go_on(plan, [*shared, *move.entries], move, place.step, told)
        assert branch == log
        assert digest(plan, branch) == digest(plan, log)


def test_what_the_policy_says_by_itself_is_no_boundary() -> None:
    kinds = [("turn_started", 0), ("phase_complete", 0), ("phase_complete", 1), ("input", 1), ("phase_complete", 1)]
    found = [
        Mark(seq, step, n, kind, 1, "p")
        for seq, (n, (kind, step)) in enumerate(zip((0, 1, 0, 1, 2), kinds, strict=True), 1)
        if kind in MARKS
    ]
    assert list(boundaries(found)) == [Boundary(seq=3, turn=1, phase="p", step=1, n=0)]

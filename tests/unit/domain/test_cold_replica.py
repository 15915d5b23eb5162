"""A replica that reads a run's log goes on as the one that wrote it would have: the order of keys is not in a log."""

from __future__ import annotations

from typing import Any

from tests.unit.domain.plans import answer, digest, make_plan, play

from pyscrai.domain.canonical import read
from pyscrai.domain.digest import canonical_entry
from pyscrai.domain.entry import Entry
from pyscrai.domain.plan import Plan
from pyscrai.domain.play import advance, begin
from pyscrai.domain.state import DISCLOSURES, State, fold, initial, window
from pyscrai.domain.work import Result, Work

GOALS = [f"see number {number} of the old boats again" for number in range(DISCLOSURES)]
TOLD = {
    "name": "boats",
    "seats": {"ada": {"goals": GOALS}, "bo": {"goals": ["be in bed before it is dark"]}},
    "schedule": {"turns": 2, "phases": ["decision"]},
    "reports": {"every": 1},
}


def tells_all(work: Work) -> dict[str, Any]:
    """A seat that says at once whatever it wants."""
    if work.phase == "decision" and work.seat == "ada":
        return {"reasoning": "r", "goals": ["g"], "action": ". ".join(GOALS)}
    return answer(work)


def reread(plan: Plan, log: list[Entry]) -> State:
    """The state as a process has it that finds nothing but the log."""
    told = [Entry(seq=e.seq, step=e.step, n=e.n, **read(canonical_entry(e))) for e in log if e.track == "story"]
    return fold(initial(plan), told, window(plan))


def play_cold(plan: Plan) -> list[Entry]:
    """A whole run, each step of which is committed by another process."""
    move = begin(plan)
    log, step = list(move.entries), 0
    while move.work:
        step += 1
        results = [Result(work=work, value=tells_all(work)) for work in move.work]
        move = advance(plan, reread(plan, log), results, seq=log[-1].seq, step=step)
        log += move.entries
    return log


def test_reports_list_disclosures_in_one_order() -> None:
    plan = make_plan(TOLD)
    warm, _ = play(plan, tells_all)
    listed = [e.body["disclosures"] for e in warm if e.kind == "report"]
    assert any(text.startswith("By now") for text in listed[-1])
    cold = play_cold(plan)
    assert [e.body for e in cold if e.kind == "report"] == [e.body for e in warm if e.kind == "report"]
    assert digest(plan, cold) == digest(plan, warm)

"""Who is asked for an event of a run: a model, a person, or both, one after the other (DESIGN §6, Humans)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyscrai.contract.events import Finish
from pyscrai.domain.choices import SeatChoice
from pyscrai.domain.plan import Plan
from pyscrai.domain.work import Work
from pyscrai_api.queue import people
from pyscrai_api.queue.people import RECORDED, Asking, Recorded
from pyscrai_api.runs.locked import LockedRun

Rule = tuple[str, float | None]
"""What happens at the deadline, and how many seconds there are until then."""
WAIT = "wait"
_SEATS = "SELECT id, seat FROM events WHERE id = ANY($1::bigint[]) AND seat = ANY($2::text[])"


async def of_step(run: LockedRun, plan: Plan, work: Sequence[Work], step: int) -> Mapping[int, Rule]:
    """By ordinal: which events of a step wait for a person. In a replay those that did in its recording, and of the
    others none that a model answered there: seats may have changed hands since."""
    before: Mapping[int, Recorded] = {}
    by_models: frozenset[int] = frozenset()
    if run.replay_of is not None:
        before = await people.recorded(run.conn, run.replay_of, step)
        by_models = await people.answered_by_models(run.conn, run.replay_of, step)
    found: dict[int, Rule] = {}
    for ordinal, item in enumerate(work):
        told = before.get(ordinal)
        if told is not None and (told.event_type, told.seat, told.phase) == (item.event_type, item.seat, item.phase):
            found[ordinal] = RECORDED, 0.0
        elif item.seat is not None and ordinal not in by_models and plan.by_person(item.seat):
            found[ordinal] = rule_of(plan.choice(item.seat))
    return found


async def ask(run: LockedRun, work: Sequence[Work], ids: Sequence[int], rules: Mapping[int, Rule]) -> None:
    """Put the events of a step that wait for people into their inbox. `ids`: of the step's events, in order."""
    asked = [Asking(ids[ordinal], str(work[ordinal].seat), *rule) for ordinal, rule in rules.items()]
    await people.ask(run.conn, run.id, asked)
    run.waiting = len(asked)
    run.recorded = any(one.rule == RECORDED for one in asked)


async def rules(run: LockedRun, completed: Sequence[Finish]) -> Mapping[int, Rule]:
    """By event: which of these answers a person looks at before they count."""
    chosen: Mapping[str, Mapping[str, Any]] = run.choices.get("seats") or {}
    seats = [seat for seat, choice in chosen.items() if choice.get("approve")]
    if not completed or not seats:
        return {}
    rows = await run.conn.fetch(_SEATS, [item.event_id for item in completed], seats)
    return {row["id"]: rule_of(SeatChoice.model_validate(chosen[row["seat"]])) for row in rows}


def rule_of(choice: SeatChoice) -> Rule:
    """Without a deadline there is nothing but waiting."""
    return (WAIT, None) if choice.deadline is None else (choice.on_deadline or WAIT, choice.deadline)

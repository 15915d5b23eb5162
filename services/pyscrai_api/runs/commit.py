"""A step commits in the transaction that finishes its last open event (DESIGN rule 4). There is no coordinator.

An error in fold or policy undoes the transaction; it is done again up to the outcomes, which are kept, and the run is
`blocked` with the error until `resume` tries again. (Not a savepoint: it would cost two round trips in every step that
goes well.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from pyscrai.contract.runs import Trouble
from pyscrai.domain.canonical import canonical, normalise, read
from pyscrai.domain.documents import to_keep
from pyscrai.domain.entry import Entry
from pyscrai.domain.plan import Plan
from pyscrai.domain.play import Advance, advance
from pyscrai.domain.state import State
from pyscrai.domain.work import Result, Work
from pyscrai_api.errors import from_exception
from pyscrai_api.queue.fairness import Fairness
from pyscrai_api.queue.lanes import lane_of_run
from pyscrai_api.queue.states import Live
from pyscrai_api.queue.store import NewRow, enqueue_step
from pyscrai_api.runs import asking, inputs
from pyscrai_api.runs.documents import keep_documents
from pyscrai_api.runs.entries import place_in_step
from pyscrai_api.runs.folds import Folds, store
from pyscrai_api.runs.locked import LockedRun
from pyscrai_api.runs.plans import Plans

log = structlog.get_logger(__name__)

# Hardly ever has somebody injected something: what says so spares a statement in each step.
_RESULTS = """
SELECT e.event_type, e.turn, e.phase, e.seat, e.payload, e.priority, o.result,
  EXISTS (SELECT FROM inputs i WHERE i.run_id = $1) AS injected
FROM events e JOIN outcomes o ON o.event_id = e.id
WHERE e.run_id = $1 AND e.step = $2 ORDER BY e.ordinal
"""


@dataclass(frozen=True, kw_only=True)
class Committed:
    """The state that a transaction led to; it may be kept once that has committed."""

    state: State
    at_seq: int
    entries: list[Entry]


class StepError(Exception):
    """A step that cannot be committed: its transaction was undone, and the run is to be blocked with this."""


class Committer:
    """Commits steps. `plans`, `folds` and `fairness` are what this process remembers."""

    def __init__(self, plans: Plans, folds: Folds, fairness: Fairness) -> None:
        self._plans = plans
        self._folds = folds
        self._fairness = fairness

    async def commit(self, run: LockedRun) -> Committed:
        """Commit the run's step, of which nothing is open any more; the caller saves the run afterwards.

        Raises StepError where fold, policy or what they made cannot be used; errors of an absent or full database
        pass through.
        """
        try:
            plan = await self._plans.of(run.conn, run.id, run.plan_version)
            state = await self._folds.at(run.conn, run.id, plan, run.at_seq)
            rows = await run.conn.fetch(_RESULTS, run.id, run.step)
            results = _results(rows)
            # Whoever adds something holds the run's lock, as we do.
            nothing = run.replay_of is None and bool(rows) and not rows[0]["injected"]
            injected = [] if nothing else await inputs.take(run, plan)
            n = await place_in_step(run.conn, run.id, run.at_seq) + 1 if run.branching else 0
            move = advance(plan, state, results, seq=run.last_seq, step=run.step, n=n, inputs=injected)
            await keep_documents(run.conn, run.id, to_keep(results))
            return await write(run, plan, move, self._fairness)
        except Exception as error:
            if from_exception(error).status == 503:
                raise
            log.exception("step_cannot_be_committed", run=str(run.id), step=run.step)
            raise StepError(f"the step cannot be committed: {type(error).__name__}: {error}") from error

    def committed(self, run_id: UUID, done: Committed) -> None:
        """After the transaction's commit: its fold may be used."""
        self._folds.keep(run_id, done.at_seq, done.state, done.entries)


async def write(run: LockedRun, plan: Plan, move: Advance, fairness: Fairness) -> Committed:
    """Append the story, open the next step or end the run. Shared by the first step and every later one."""
    run.append(move.entries)
    run.turn, run.step, run.at_seq = move.state.turn, run.step + 1, run.last_seq
    if _turn_ended(move.entries):
        await store(run.conn, run.id, move.state)
    if move.work:
        await _enqueue(run, plan, move.work, fairness)
        if halt := move.halt:
            message = f"a check that halts the run found: {'; '.join(halt)[:2000]}. Resume it to go on all the same."
            run.stop("paused", "run_paused", Trouble(code="halted_by_check", message=message))
    else:
        run.status, run.phase, run.reason = "completed", None, None
        run.outcome = None if move.state.end is None else move.state.end.outcome
    return Committed(state=move.state, at_seq=run.at_seq, entries=move.entries)


async def _enqueue(run: LockedRun, plan: Plan, work: list[Work], fairness: Fairness) -> None:
    by_people = await asking.of_step(run, plan, work, run.step)
    rows = [
        NewRow(
            ordinal=ordinal,
            event_type=item.event_type,
            lane=lane_of_run(plan.event_type(item).lane, run.pool),
            seat=item.seat,
            turn=item.turn,
            phase=item.phase,
            payload=canonical(normalise(item.payload)),
            priority=item.priority,
            state=Live.WAITING if ordinal in by_people else Live.READY,
        )
        for ordinal, item in enumerate(work)
    ]
    ids, run.last_pass, ready = await enqueue_step(
        run.conn,
        run.id,
        rows,
        step=run.step,
        last_pass=run.last_pass,
        owner=run.owner,
        max_failures=plan.choices.max_failures,
        max_losses=plan.choices.max_losses,
        fairness=fairness,
    )
    run.phase, run.open = work[0].phase, len(rows)
    await asking.ask(run, work, ids, by_people)
    run.woke(ready)


def _turn_ended(entries: list[Entry]) -> bool:
    return any(entry.kind in ("turn_complete", "run_started") for entry in entries)


def _results(rows: Iterable[Any]) -> list[Result]:
    return [
        Result(
            work=Work(
                event_type=row["event_type"],
                turn=row["turn"],
                phase=row["phase"],
                seat=row["seat"],
                payload=read(row["payload"]),
                priority=row["priority"],
            ),
            value=None if row["result"] is None else read(row["result"]),
        )
        for row in rows
    ]

"""What a claim shows of an event: view, prompt, result schema and model, built after the claim has committed.

Views are pure functions of (run, seat, at_seq); they are not stored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog

from pyscrai.contract.events import Claimed, ModelChoice, Prompt
from pyscrai.domain.chance import chance
from pyscrai.domain.plan import Plan
from pyscrai.domain.view import result_schema, view
from pyscrai.domain.work import EventType, Work
from pyscrai_api.database import Connection, Pool
from pyscrai_api.errors import from_exception
from pyscrai_api.money.provider_limits import Declared
from pyscrai_api.queue.ports import ClaimedRow, PermanentFailure, moment
from pyscrai_api.queue.statements import sql
from pyscrai_api.runs.folds import Folds
from pyscrai_api.runs.plans import Plans
from pyscrai_api.runs.recorded_seats import RecordedSeats

log = structlog.get_logger(__name__)


# Behind whatever prompt the author has written: not a part of the template that the run pins.
SENT_BACK = """

# What you are asked to change

{% for one in remarks %}You had proposed: {{ one.proposed | json }}

A person who looks at your answers before they count sent this back: {{ one.remark }}

{% endfor %}Answer anew, in the same form, and take what was said into account.
"""


class Claims:
    """Builds what engines see of events of runs. One that cannot be built fails by itself; the others are delivered."""

    def __init__(self, pool: Pool, plans: Plans, folds: Folds, providers: Declared) -> None:
        self._pool = pool
        self._plans = plans
        self._folds = folds
        self._providers = providers
        self._recorded = RecordedSeats()

    async def details(self, items: Sequence[ClaimedRow]) -> list[Claimed | PermanentFailure]:
        """In the order of `items`."""
        async with self._pool.acquire() as conn:
            return [await self._detail(conn, item) for item in items]

    async def _detail(self, conn: Connection, item: ClaimedRow) -> Claimed | PermanentFailure:
        try:
            if item.run_id is None:
                raise LookupError("it belongs to no run")
            return await self._of_run(conn, item, item.run_id, item.at_seq or 0)
        except Exception as error:
            if from_exception(error).status == 503:
                raise
            log.exception("claim_detail_failed", event_id=item.id, run=str(item.run_id))
            message = f"the event cannot be shown to an engine: {type(error).__name__}: {error}"
            return PermanentFailure(event_id=item.id, code="unbuildable", error=message)

    async def _of_run(self, conn: Connection, item: ClaimedRow, run_id: UUID, at_seq: int) -> Claimed:
        plan = await self._plans.of(conn, run_id, item.plan_version)
        work = work_of(item)
        state = await self._folds.at(conn, run_id, plan, at_seq)
        recent = await self._folds.recent(conn, run_id, state, at_seq)
        event_type = plan.event_type(work)
        step, ordinal = item.step or 0, item.ordinal or 0
        remarks: list[Any] = []
        if work.seat is not None and plan.approved(work.seat):
            remarks = json.loads(await conn.fetchval(sql("people", "remarks"), item.id) or "[]")
        planned = self._limited(model_for(plan, work, step, ordinal, again=len(remarks)))
        return _claimed(
            item,
            event_type,
            view=view(plan, state, recent, work) | ({"remarks": remarks} if remarks else {}),
            schema=result_schema(plan, work),
            model=await self._recorded.model(conn, run_id, step, ordinal, planned),
        )

    def _limited(self, model: ModelChoice) -> ModelChoice:
        """With the time that the installation gives its provider's calls, where it says so."""
        timeout = self._providers.timeout_of(model.id)
        return model if timeout is None else model.model_copy(update={"timeout": timeout})


def work_of(item: ClaimedRow) -> Work:
    """The work that a run's event stands for."""
    return Work(
        event_type=item.event_type,
        turn=item.turn or 0,
        phase=str(item.phase),
        seat=item.seat,
        payload=json.loads(item.payload),
        priority=item.priority,
    )


def model_for(plan: Plan, work: Work, step: int, ordinal: int, *, again: int = 0) -> ModelChoice:
    """Which model answers an event; its seed is a hash of the run's seed, the event's place, and how often a person
    has sent the answer back."""
    who = work.seat or ("narrator" if work.phase == "world_update" else "analyst")
    seating = plan.seating(who)
    return ModelChoice(
        id=seating.model,
        temperature=seating.temperature,
        max_tokens=seating.max_tokens,
        seed=chance(plan.seed, step, ordinal, "model", *([again] if again else [])),
    )


def _claimed(
    item: ClaimedRow, event_type: EventType, *, model: ModelChoice, view: dict[str, object], schema: dict[str, object]
) -> Claimed:
    user = event_type.prompt + (SENT_BACK if "remarks" in view else "")
    return Claimed(
        id=item.id,
        event_type=item.event_type,
        priority=item.priority,
        data=json.loads(item.payload),
        run_id=str(item.run_id),
        step=item.step,
        ordinal=item.ordinal,
        seat=item.seat,
        turn=item.turn,
        phase=item.phase,
        lease_no=item.lease_no,
        lease_until=moment(item.lease_until),
        lease_for=item.lease_for,
        attempt=item.attempt,
        try_no=item.failures + 1,
        view=view,
        prompt=Prompt(renderer=event_type.renderer, system=event_type.system, user=user),
        result_schema=schema or None,
        model=model,
    )

"""Posting, pausing, cancelling and continuing sweeps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from pyscrai.contract.batches import Batch, BatchResults, NewBatch, ResumeBatch
from pyscrai.contract.problems import FieldError
from pyscrai.contract.runs import Resume
from pyscrai.domain.canonical import canonical, normalise, sha256
from pyscrai.domain.plan import needed_event_types
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.sweeps import InvalidSweep, PlannedRun, Sweep, planned, variations
from pyscrai_api.batches import reading
from pyscrai_api.batches.results import summed_up
from pyscrai_api.batches.starting import Starting
from pyscrai_api.catalog import store as catalog
from pyscrai_api.database import Connection, Pool
from pyscrai_api.errors import ApiError, Conflict, Invalid
from pyscrai_api.idempotency import Answer, Key, once
from pyscrai_api.ids import new_id
from pyscrai_api.money.limits import Limits, Wanted
from pyscrai_api.money.terms import Terms
from pyscrai_api.people.pools import check_pool
from pyscrai_api.runs.service import Runs
from pyscrai_api.runs.start import as_played, check, check_money, check_results, pin_event_types
from pyscrai_api.settings import Settings

AT_ONCE = 3
"""Runs that a batch plays at once where neither it nor the installation says."""
_INSERT = """
INSERT INTO batches (id, name, owner, config, sha256, status, at_once, runs, budget, pool)
VALUES ($1, $2, $3, $4, $5, 'running', $6, $7, $8, $9) ON CONFLICT (owner, name) DO NOTHING RETURNING id
"""
_FIND = "SELECT id, sha256 FROM batches WHERE owner = $1 AND name = $2"
_PLACES = """
INSERT INTO batch_runs (batch_id, place, variation, varied, choices, seed, repetition)
SELECT $1, * FROM unnest($2::int[], $3::int[], $4::text[], $5::text[], $6::bigint[], $7::int[])
"""
_STATUS = "UPDATE batches SET status = $2 WHERE id = $1 AND status = ANY($3) RETURNING id"
_STOP_ALL = "UPDATE batches SET status = 'paused' WHERE owner = $1 AND status = 'running'"
_GO_ON = """
UPDATE batches SET status = 'running', pool = CASE WHEN $2 THEN $3 ELSE pool END,
  budget = CASE WHEN $4 THEN $5 ELSE budget END
WHERE id = $1 AND status <> 'cancelled' RETURNING id
"""
_RUNS = """
SELECT r.id FROM batch_runs b JOIN runs r ON r.id = b.run_id WHERE b.batch_id = $1 AND r.status = ANY($2) ORDER BY r.id
"""
GOING = ["pending", "running", "waiting"]
STANDING = ["paused", "blocked"]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A sweep whose scenario is pinned, with the runs that it means. `text` is its canonical JSON."""

    sweep: Sweep
    scenario: Scenario
    runs: list[PlannedRun]
    text: str

    @property
    def sha256(self) -> str:
        return sha256(self.text)


class Batches:
    """`starting` is what begins their runs, one by one."""

    def __init__(self, pool: Pool, runs: Runs, limits: Limits, terms: Terms, settings: Settings) -> None:
        self._pool = pool
        self._runs = runs
        self._limits = limits
        self._terms = terms
        self._settings = settings
        self.starting = Starting(pool, runs)

    async def create(self, wanted: NewBatch, owner: str, admin: bool, key: Key | None = None) -> Answer:
        """Post a sweep: 201, or 200 with the one that there is under this name, where it is the same.

        Raises NotFound, Invalid with JSON Pointers, Unprocessable as a start does, Conflict where the name is taken by
        another one.
        """
        check_pool(owner, wanted.pool)
        budget = _amount(wanted.config.budget)
        async with self._pool.acquire() as conn:
            prepared = await self._prepared(conn, wanted.config, owner)
            held = await conn.fetchrow(_FIND, owner, prepared.sweep.name)
            if held is not None:
                _same(held, prepared)
        if budget is not None and held is None:
            # Before the first run can begin. Of a batch that there is, somebody may have set another one meanwhile.
            limit = Wanted(scope="group", name=wanted.config.name, user=owner, limit=budget)
            await self._limits.set(limit, by=owner, admin=admin)

        async def work() -> Answer:
            batch_id, new = await self._keep(conn, prepared, budget, owner, wanted.pool)
            told = await reading.read(conn, batch_id)
            return Answer(status=201 if new else 200, body=told.model_dump_json())

        async with self._pool.acquire() as conn, conn.transaction():
            answer = await once(conn, key, work)
        self.starting.wake.set()
        return answer

    async def _prepared(self, conn: Connection, sweep: Sweep, owner: str) -> Prepared:
        pin = await catalog.resolve(conn, "scenarios", sweep.scenario, sweep.version, owner=owner)
        scenario = Scenario.model_validate(json.loads(pin.canonical))
        sweep = sweep.model_copy(update={"scenario": str(pin.template_id), "version": pin.version})
        try:
            runs, told = planned(sweep, scenario), variations(sweep, scenario)
        except InvalidSweep as error:
            what = FieldError(pointer=f"/config{error.pointer}", message=error.message)
            raise Invalid("the batch cannot be played", errors=[what]) from None
        for one in told:
            try:
                await self._check(conn, pin, scenario, one.choices, owner)
            except ApiError as error:
                error.detail = f"variation {one.number} ({_named(one.varied)}): {error.detail}"
                raise
        config: dict[str, Any] = {
            "config": sweep.model_dump(mode="json", by_alias=True),
            "name": pin.name,
            "variations": len(told),
        }
        return Prepared(sweep=sweep, scenario=scenario, runs=runs, text=canonical(normalise(config)))

    async def _check(self, conn: Connection, pin: Any, scenario: Scenario, choices: Any, owner: str) -> None:
        """What starting a run of this variation would object to."""
        played = as_played(scenario, choices)
        check(played, choices)
        pins = await pin_event_types(conn, needed_event_types(played), owner)
        plan = await self._runs.plans.build(conn, pin.version_id, pins, choices)
        check_results(plan)
        default = self._settings.default_limit
        limit = default if choices.limit is None else None if choices.limit == "none" else choices.limit
        check_money(plan, limit, self._terms.prices)

    async def _keep(
        self, conn: Connection, prepared: Prepared, budget: Decimal | None, owner: str, pool: str | None
    ) -> tuple[UUID, bool]:
        sweep, runs = prepared.sweep, prepared.runs
        at_once = min(sweep.at_once or AT_ONCE, self._settings.runs_at_once or sweep.at_once or AT_ONCE)
        batch_id = await conn.fetchval(
            *(_INSERT, new_id(), sweep.name, owner, prepared.text, prepared.sha256, at_once, len(runs), budget, pool)
        )
        if batch_id is None:
            held = await conn.fetchrow(_FIND, owner, sweep.name)
            assert held is not None
            _same(held, prepared)
            found: UUID = held["id"]
            return found, False
        await conn.execute(
            *(_PLACES, batch_id, [one.place for one in runs], [one.variation for one in runs]),
            *([json.dumps(one.varied) for one in runs], [one.choices.model_dump_json() for one in runs]),
            *([one.seed for one in runs], [one.repetition for one in runs]),
        )
        return batch_id, True

    async def pause(self, batch_id: UUID, by: str) -> Batch:
        """Start no more runs, and let those that play stand still. Raises Conflict where it has ended."""
        await self._set(batch_id, "paused", ["running", "paused"])
        for run_id in await self._of(batch_id, GOING):
            await self._quietly(self._runs.control.pause(run_id, by))
        return await self._read(batch_id)

    async def stop_all(self, owner: str) -> None:
        """Start no more runs of anything that is somebody's; what plays is left alone."""
        await self._pool.execute(_STOP_ALL, owner)

    async def cancel(self, batch_id: UUID) -> Batch:
        """End it now, and all its runs. Raises Conflict where it is done."""
        await self._set(batch_id, "cancelled", ["running", "paused", "cancelled"])
        for run_id in await self._of(batch_id, [*GOING, *STANDING]):
            await self._quietly(self._runs.control.cancel(run_id))
        return await self._read(batch_id)

    async def resume(self, batch_id: UUID, wanted: ResumeBatch, owner: str, admin: bool) -> Batch:
        """Go on: what stands still goes on, what was planned is started; finished runs are never repeated."""
        check_pool(owner, wanted.pool)
        budget = _amount(wanted.budget)
        name = (await self._read(batch_id)).name
        if wanted.budget is not None:
            limit = Wanted(scope="group", name=name, user=owner, limit=budget)
            await self._limits.set(limit, by=owner, admin=admin)
        async with self._pool.acquire() as conn, conn.transaction():
            args = (wanted.move, wanted.pool, wanted.budget is not None, budget)
            if await conn.fetchval(_GO_ON, batch_id, *args) is None:
                raise Conflict("the batch is cancelled")
        going = [*GOING, *STANDING] if wanted.move else STANDING
        for run_id in await self._of(batch_id, going):
            await self._quietly(self._runs.control.resume(run_id, Resume(pool=wanted.pool, move=wanted.move)))
        self.starting.wake.set()
        return await self._read(batch_id)

    async def results(self, batch_id: UUID) -> BatchResults:
        """Every run, and each variation summed up."""
        async with self._pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            batch = await reading.read(conn, batch_id)
            rows = await reading.rows(conn, batch_id)
        return BatchResults(batch=batch, rows=rows, variations=summed_up(rows))

    async def _set(self, batch_id: UUID, status: str, before: list[str]) -> None:
        async with self._pool.acquire() as conn, conn.transaction():
            if await conn.fetchval(_STATUS, batch_id, status, before) is None:
                raise Conflict(f"the batch is {(await reading.read(conn, batch_id)).status} already")

    async def _of(self, batch_id: UUID, statuses: list[str]) -> list[UUID]:
        return [row["id"] for row in await self._pool.fetch(_RUNS, batch_id, statuses)]

    async def _quietly(self, change: Any) -> None:
        """A run that has ended meanwhile needs nothing any more."""
        try:
            await change
        except Conflict:
            return

    async def _read(self, batch_id: UUID) -> Batch:
        async with self._pool.acquire() as conn:
            return await reading.read(conn, batch_id)


def _same(held: Any, prepared: Prepared) -> None:
    """Raises Conflict where the batch that there is under this name is another one."""
    if held["sha256"] != prepared.sha256:
        raise Conflict(
            f"there is a batch {prepared.sweep.name} already, of another configuration or another version of its "
            "scenario: give this one a name of its own"
        )


def _amount(budget: Decimal | str | None) -> Decimal | None:
    return budget if isinstance(budget, Decimal) else None


def _named(varied: dict[str, Any]) -> str:
    return ", ".join(f"{path} {value}" for path, value in varied.items()) or "as it is"

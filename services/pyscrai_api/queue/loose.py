"""Events without a run: their whole transactions. What belongs to a run goes through `ports.RunFinisher` instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from uuid import UUID

from pyscrai.contract.events import CallRecord, Finish, Finished, Grant, Reserve
from pyscrai_api.database import Pool
from pyscrai_api.money.bills import log_bills
from pyscrai_api.money.terms import Terms
from pyscrai_api.queue import budget, store
from pyscrai_api.queue.combining import Combiner, Success
from pyscrai_api.queue.deferring import put_off
from pyscrai_api.queue.notify import Bell
from pyscrai_api.queue.ports import Observer
from pyscrai_api.queue.statements import sql


class Loose:
    """Finishing, money and the sweep of events without a run. `retry_base`: seconds before their first retry."""

    def __init__(
        self,
        pool: Pool,
        bell: Bell,
        combiner: Combiner,
        *,
        terms: Terms,
        default_limit: Decimal | None,
        retry_base: float,
    ) -> None:
        self._pool = pool
        self._bell = bell
        self._terms = terms
        self._default_limit = default_limit
        self._retry_base = retry_base
        self.combiner = combiner
        self.observer: Observer | None = None

    async def finish(
        self, engine_id: UUID, items: Sequence[Finish], texts: Mapping[int, str] = MappingProxyType({})
    ) -> dict[int, Finished]:
        """By event, where it is not simply done: what became of it. `texts`: of the results, in canonical JSON."""
        plain = [
            Success(item.event_id, item.lease_no, texts[item.event_id]) for item in items if item.event_id in texts
        ]
        done = await self.combiner.finish(engine_id, plain) if plain else frozenset()
        left = [item for item in items if item.event_id not in done]
        return {answer.event_id: answer for answer in await self._apart(engine_id, left, texts)} if left else {}

    async def _apart(self, engine_id: UUID, items: Sequence[Finish], texts: Mapping[int, str]) -> list[Finished]:
        """Outcomes, failures and hand-backs in one transaction, whatever their leases have been through."""
        completed = [_finish_row(item, texts) for item in items if item.status == "completed"]
        failed = [_fail_row(item) for item in items if item.status == "failed"]
        handed = [item for item in items if item.status == "handed_back"]
        async with self._pool.acquire() as conn, conn.transaction():
            await store.lock_rows(conn, completed, failed, handed)
            back, given_up = await put_off(conn, handed, hold=False)
            failed += given_up
            rows = [
                *await store.finish_rows(conn, engine_id, completed),
                *await store.fail_rows(conn, engine_id, failed, base=self._retry_base),
                *await store.hand_back_rows(conn, engine_id, back),
            ]
            await budget.assume(conn, [(r.event_id, r.lease_no) for r in rows if r.ended], self._default_limit)
        self._ring([row.woken for row in rows])
        if self.observer is not None and (died := [row.event_id for row in rows if row.died]):
            self.observer.died(died)
        return [row.finished() for row in rows]

    async def settle(self, engine_id: UUID, owner: str, calls: Sequence[CallRecord]) -> None:
        """Model calls of one owner's events, whatever became of their leases."""
        async with self._pool.acquire() as conn, conn.transaction():
            paid = await budget.settle(conn, owner, engine_id, calls, self._default_limit)
        log_bills(paid.bills)

    async def reserve(self, engine_id: UUID, owner: str, calls: Sequence[Reserve]) -> list[Grant]:
        """Money for model calls of one owner's events, in order; a refused event has been handed back."""
        async with self._pool.acquire() as conn, conn.transaction():
            return await budget.reserve(conn, owner, engine_id, calls, self._terms, self._default_limit)

    async def sweep(self, ids: Sequence[int]) -> int:
        """Take back expired leases; returns how many."""
        async with self._pool.acquire() as conn, conn.transaction():
            rows = await store.expire_rows(conn, ids)
            await budget.assume(conn, [(row.event_id, row.lease_no) for row in rows], self._default_limit)
        self._ring([row.woken for row in rows])
        if self.observer is not None:
            self.observer.lost([row.event_id for row in rows])
            self.observer.died([row.event_id for row in rows if row.died])
        return len(rows)

    async def close_calls(self, leases: Sequence[tuple[int, int]]) -> None:
        """Charge what is still reserved under leases (event, number) that are over at its upper bound."""
        async with self._pool.acquire() as conn, conn.transaction():
            await budget.assume(conn, leases, self._default_limit)

    async def cancel(self, ids: Sequence[int]) -> list[int]:
        """Live events end cancelled; returns which."""
        async with self._pool.acquire() as conn, conn.transaction():
            rows = await conn.fetch(sql("control", "cancel"), ids)
            ended = [(row["event_id"], row["lease_no"]) for row in rows if row["closing"]]
            await budget.assume(conn, ended, self._default_limit)
        return [row["event_id"] for row in rows]

    async def redrive(self, ids: Sequence[int]) -> list[int]:
        """Dead letters back to work; returns which."""
        async with self._pool.acquire() as conn, conn.transaction():
            rows = await store.redriven(conn, ids)
        self._ring(rows)
        return [row.event_id for row in rows]

    async def discard(self, ids: Sequence[int]) -> list[int]:
        """Dead letters given up; returns which."""
        async with self._pool.acquire() as conn, conn.transaction():
            return await store.discard_rows(conn, ids)

    def _ring(self, woken: Sequence[store.Woken | None]) -> None:
        for lane, place in store.first_of_lanes(woken).items():
            self._bell.ring_lane(lane, place)


def _finish_row(item: Finish, texts: Mapping[int, str]) -> store.FinishRow:
    return store.FinishRow(item.event_id, item.lease_no, texts[item.event_id])


def _fail_row(item: Finish) -> store.FailRow:
    error = item.error or "the engine gave no reason"
    return store.FailRow(item.event_id, item.lease_no, error, item.code, item.retry_after, item.permanent)

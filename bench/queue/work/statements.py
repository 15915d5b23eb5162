"""The SQL of our tables alone: the product's own statements on asyncpg, without HTTP, without an API."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID, uuid4

import asyncpg

from bench.queue.work.session import Session, work
from pyscrai_api.queue import store
from pyscrai_api.queue.claimer import BOTTOM, claim_text
from pyscrai_api.queue.ports import ClaimedRow
from pyscrai_api.queue.statements import sql

LANE = "bench"
RESULT = '{"ok":true}'
IDLE = 0.005


async def main(session: Session) -> None:
    """`dsn`, `batch`, and how many `loops` have a connection each."""
    engines = [uuid4() for _ in range(session.options["loops"])]
    connections = [await asyncpg.connect(session.options["dsn"], statement_cache_size=500) for _ in engines]
    await session.go()
    pairs = zip(connections, engines, strict=True)
    await session.until_stopped(*(loop(session, connection, engine) for connection, engine in pairs))


async def loop(session: Session, connection: asyncpg.Connection, engine: UUID) -> None:
    """Claim, which gives the payloads too, and finish; for ever. Like the API's claimer it remembers where it was."""
    batch = session.options["batch"]
    claim, mark = claim_text(batch), BOTTOM
    while True:
        poll = [engine], [uuid4()], [60.0]
        rows = [
            ClaimedRow._make(row) for row in await connection.fetch(claim, LANE, *poll, *mark, None, None, bytes(batch))
        ]
        if len(rows) < batch:
            mark = BOTTOM
        if not rows:
            await asyncio.sleep(IDLE)
            continue
        mark = store.Place(rows[-1].rank, rows[-1].pass_, rows[-1].id)
        for row in rows:
            session.started(json.loads(row.payload))
        session.did(await finished(connection, engine, sorted(rows, key=lambda row: row.id)))


async def finished(connection: asyncpg.Connection, engine: UUID, rows: list[ClaimedRow]) -> int:
    """How many have ended. What another claim has just looked at is skipped at first, as the API does it."""
    ends = [row.id for row in rows], [row.lease_no for row in rows], [engine] * len(rows), [RESULT] * len(rows)
    quick = {row["event_id"] for row in await connection.fetch(sql("finish", "quick"), *ends)}
    left = [store.FinishRow(row.id, row.lease_no, RESULT) for row in rows if row.id not in quick]
    if not left:
        return len(quick)
    async with connection.transaction():
        return len(quick) + sum(row.ended for row in await store.finish_rows(connection, engine, left))


if __name__ == "__main__":
    work(main)

"""The SQL of our tables alone: the product's own statements on asyncpg, without HTTP, without an API."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID, uuid4

import asyncpg

from bench.queue.work.session import Session, work
from pyscrai_api.queue import store
from pyscrai_api.queue.claimer import BOTTOM, claim_text
from pyscrai_api.queue.statements import sql

LANE = "bench"
IDLE = 0.005


async def main(session: Session) -> None:
    """`dsn`, `batch`, and how many `loops` have a connection each."""
    engines = [uuid4() for _ in range(session.options["loops"])]
    connections = [await asyncpg.connect(session.options["dsn"], statement_cache_size=500) for _ in engines]
    await session.go()
    pairs = zip(connections, engines, strict=True)
    await session.until_stopped(*(loop(session, connection, engine) for connection, engine in pairs))


async def loop(session: Session, connection: asyncpg.Connection, engine: UUID) -> None:
    """Claim, read what was claimed, finish; for ever. Like the API's claimer it remembers where it was."""
    batch = session.options["batch"]
    claim, mark = claim_text("claim", batch), BOTTOM
    while True:
        name = uuid4()
        rows = await connection.fetch(claim, LANE, [engine] * batch, [name] * batch, [60.0] * batch, *mark)
        if len(rows) < batch:
            mark = BOTTOM
        if not rows:
            await asyncio.sleep(IDLE)
            continue
        mark = max(mark, max(store.Place(row["rank"], row["pass"], row["id"]) for row in rows))
        leased = await connection.fetch(sql("claim", "leased"), [row["id"] for row in rows], engine, name)
        for row in leased:
            session.started(json.loads(row["payload"]))
        ends = [store.FinishRow(row["id"], row["lease_no"], '{"ok":true}') for row in leased]
        async with connection.transaction():
            ended = await store.finish_rows(connection, engine, ends)
        session.did(sum(row.ended for row in ended))


if __name__ == "__main__":
    work(main)

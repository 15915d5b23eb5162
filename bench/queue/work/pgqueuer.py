"""pgqueuer as its documentation runs it: PgQueuer.run() on asyncpg, one connection per manager."""

from __future__ import annotations

import json
import logging

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.models import Job

from bench.queue.work.session import Session, work


async def main(session: Session) -> None:
    """`dsn`, `batch`, and how many `managers` this process has."""
    logging.disable(logging.WARNING)
    managers = []
    for _ in range(session.options["managers"]):
        manager = PgQueuer.from_asyncpg_connection(await asyncpg.connect(session.options["dsn"]))

        @manager.entrypoint("bench")
        async def handle(job: Job) -> None:
            session.started(json.loads(job.payload or b"{}"))
            session.did(1)

        managers.append(manager)
    await session.go()
    await session.until_stopped(*(manager.run(batch_size=session.options["batch"]) for manager in managers))


if __name__ == "__main__":
    work(main)

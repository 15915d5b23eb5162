"""procrastinate as its documentation runs it: an async worker on psycopg with a concurrency."""

from __future__ import annotations

import logging
from typing import Any

import procrastinate

from bench.queue.work.session import Session, work


async def main(session: Session) -> None:
    """`dsn`, and the `concurrency` of the worker."""
    logging.disable(logging.WARNING)
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=session.options["dsn"]))

    @app.task(name="bench", queue="bench")
    async def handle(**data: Any) -> None:
        session.started(data)
        session.did(1)

    async with app.open_async():
        await session.go()
        worker = app.run_worker_async(
            queues=["bench"], concurrency=session.options["concurrency"], install_signal_handlers=False
        )
        await session.until_stopped(worker)


if __name__ == "__main__":
    work(main)

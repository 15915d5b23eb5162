"""Ours, over HTTP, by the engine runtime: it batches as it does in production; only the model is missing."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from bench.queue.work.session import Session, work
from pyscrai.client.engine import EngineApi
from pyscrai.client.http import Http
from pyscrai.contract.events import Claimed
from pyscrai.engine.logging import make_logger
from pyscrai.engine.outcomes import Done, Outcome
from pyscrai.engine.runtime import Engine
from pyscrai.engine.settings import EngineSettings

LANE = "bench"


class Trivial:
    """A handler that has its answer at once, or after the `latency` of the model that it stands for, in seconds.

    It counts what it handled; what is finished, the database knows.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._latency = float(session.options.get("latency", 0))
        self._result = session.options.get("result", {"ok": True})

    async def handle(self, event: Claimed, _meter: Any, _log: Any) -> Outcome:
        self._session.started(event.data)
        if self._latency:
            await asyncio.sleep(self._latency)
        self._session.did(1)
        return Done(result=self._result)


async def main(session: Session) -> None:
    """`url`, the `concurrency` of an engine, and how many `engines` this process is."""
    settings = EngineSettings(
        engine_type=session.options.get("lane", LANE),
        api_url=session.options["url"],
        concurrency=session.options["concurrency"],
        health_port=None,
        log_level="error",
    )
    log = make_logger(settings.log_level, service="bench")
    handler: Any = Trivial(session)
    async with AsyncExitStack() as stack:
        connections = [
            await stack.enter_async_context(Http(settings.api_url)) for _ in range(session.options["engines"])
        ]
        engines = [
            Engine(settings, api=EngineApi(http), handler=handler, warm_up=_nothing, log=log) for http in connections
        ]
        await session.go()
        await session.until_stopped(*(engine.run() for engine in engines))


async def _nothing() -> None:
    """No model library to load."""


if __name__ == "__main__":
    work(main)

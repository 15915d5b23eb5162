"""A light engine: `python -m tests.chaos.light`. The engine runtime of the product, with work that needs no model.

Starts in a third of a second of CPU, so that hundreds of them can be killed.
"""

from __future__ import annotations

import os
import sys

import uvloop
from tests.chaos.witness import Witness
from tests.chaos.work import LANE, Work

from pyscrai.client.http import Http
from pyscrai.engine.handler import Handler
from pyscrai.engine.logging import capture_standard_logging, make_logger
from pyscrai.engine.runtime import Engine
from pyscrai.engine.settings import EngineSettings
from pyscrai.engine.stopping import stop_on_signals
from pyscrai.machine.ending import collect_rarely, end_quickly


class Light(Handler):
    """The engine's handler, with other work and without a model."""

    def __init__(self) -> None:
        self.handle = Work().handle  # type: ignore[method-assign]


async def nothing() -> None:
    """There is no model to get ready."""


async def run() -> int:
    read = os.environ
    settings = EngineSettings(
        engine_type=LANE,
        api_url=read["PYSCRAI_API_URL"],
        concurrency=int(read["PYSCRAI_CONCURRENCY"]),
        lease_seconds=float(read["PYSCRAI_LEASE_SECONDS"]),
        heartbeat_seconds=float(read["PYSCRAI_HEARTBEAT_SECONDS"]),
        health_port=None,
    )
    log = make_logger(read["PYSCRAI_LOG_LEVEL"], service="pyscrai_chaos")
    capture_standard_logging(log)
    async with Http(settings.api_url) as http:
        engine = Engine(settings, api=Witness.open(http), handler=Light(), warm_up=nothing, log=log)
        with stop_on_signals(engine.stop):
            return await engine.run()


if __name__ == "__main__":
    end_quickly()
    collect_rarely()
    sys.exit(uvloop.run(run()))

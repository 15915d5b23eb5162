"""The loops of an API process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pyscrai_api.deps import Deps
from pyscrai_api.loops.admission import Admit
from pyscrai_api.loops.base import Loop, running
from pyscrai_api.loops.batches import StartRuns
from pyscrai_api.loops.deadlines import PassDeadlines
from pyscrai_api.loops.engines import Silence
from pyscrai_api.loops.going import MoneyAgain
from pyscrai_api.loops.pauses import HoldPaused
from pyscrai_api.loops.promote import Promote
from pyscrai_api.loops.reservations import Reservations
from pyscrai_api.loops.retention import Retention
from pyscrai_api.loops.sweep import Sweep


def loops(deps: Deps) -> list[Loop]:
    """One of each."""
    return [
        Promote(pool=deps.pool, bell=deps.bell),
        HoldPaused(pauses=deps.queue.pauses),
        Sweep(pool=deps.pool, loose=deps.queue.loose, runs=deps.run_finisher),
        Reservations(pool=deps.pool, loose=deps.queue.loose, runs=deps.run_finisher),
        MoneyAgain(going=deps.runs.going),
        Admit(admission=deps.runs.admission),
        StartRuns(starting=deps.batches.starting),
        PassDeadlines(deadlines=deps.runs.seats.deadlines),
        Silence(pool=deps.pool),
        Retention(pool=deps.pool, days=deps.settings.retention_days, cache_days=deps.settings.cache_days),
    ]


@asynccontextmanager
async def all_running(deps: Deps) -> AsyncIterator[None]:
    """All loops, for as long as the block lasts."""
    async with running(loops(deps), deps.metrics):
        yield

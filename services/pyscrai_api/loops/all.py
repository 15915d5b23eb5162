"""The loops of an API process."""

from __future__ import annotations

from pyscrai_api.database import Pool
from pyscrai_api.loops.base import Loop
from pyscrai_api.loops.engines import Silence
from pyscrai_api.loops.promote import Promote
from pyscrai_api.loops.retention import Retention
from pyscrai_api.loops.sweep import Sweep
from pyscrai_api.queue.notify import Bell
from pyscrai_api.queue.ports import RunFinisher
from pyscrai_api.queue.service import Queue
from pyscrai_api.settings import Settings


def loops(settings: Settings, pool: Pool, bell: Bell, queue: Queue, runs: RunFinisher) -> list[Loop]:
    """All of them; see `loops.base.running`."""
    return [
        Promote(pool=pool, bell=bell),
        Sweep(pool=pool, loose=queue.loose, runs=runs),
        Silence(pool=pool),
        Retention(pool=pool, days=settings.retention_days),
    ]

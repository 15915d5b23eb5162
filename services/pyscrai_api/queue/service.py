"""The queue of one API process, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pyscrai.contract.operating import NewPause, Pause, QueueState
from pyscrai_api.database import Pool
from pyscrai_api.database import lines as open_lines
from pyscrai_api.money.terms import Terms
from pyscrai_api.people.keys import Keys
from pyscrai_api.queue.claimers import Claimers
from pyscrai_api.queue.combining import Combiner
from pyscrai_api.queue.dead import DeadLetters
from pyscrai_api.queue.delivery import Delivery
from pyscrai_api.queue.depths import Depths
from pyscrai_api.queue.engines import Engines
from pyscrai_api.queue.entrance import Entrance
from pyscrai_api.queue.events import Events
from pyscrai_api.queue.fairness import Fairness
from pyscrai_api.queue.finishing import Finishing
from pyscrai_api.queue.known import judged
from pyscrai_api.queue.loose import Loose
from pyscrai_api.queue.notify import Bell
from pyscrai_api.queue.overview import overview
from pyscrai_api.queue.pauses import Pauses
from pyscrai_api.queue.plain import Plain
from pyscrai_api.queue.ports import RunDeadLetters, RunFinisher
from pyscrai_api.queue.posting import AT_ONCE, Posting
from pyscrai_api.queue.tally import Tally
from pyscrai_api.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Queue:
    """What routes and loops use."""

    engines: Engines
    events: Events
    posting: Posting
    entrance: Entrance
    dead: DeadLetters
    claimers: Claimers
    delivery: Delivery
    finishing: Finishing
    loose: Loose
    pauses: Pauses
    depths: Depths
    tally: Tally

    async def state(self, viewer: str) -> QueueState:
        """Lanes with their depths, the engines that `viewer` may see, and pauses."""
        counted = await self.depths.look()
        engines, pauses = await self.engines.health(viewer), await self.pauses.all()
        return overview(counted, engines, pauses, seconds_old=self.depths.age(counted))

    async def pause(self, wanted: NewPause, by: str) -> Pause:
        """Pause, and say whether there is such a thing. Raises Conflict as `Pauses.put`."""
        pause = await self.pauses.put(wanted, by)
        return judged(pause, await self.pauses.names(), (await self.depths.look()).events.keys())


@asynccontextmanager
async def open_queue(
    settings: Settings,
    pool: Pool,
    bell: Bell,
    runs: RunFinisher,
    letters: RunDeadLetters,
    *,
    terms: Terms,
    stopping: asyncio.Event,
    keys: Keys,
    fairness: Fairness,
    entrance: Entrance,
) -> AsyncIterator[Queue]:
    """Claims are served for as long as the block lasts; parked ones are answered when `stopping` is set."""
    lines = open_lines(settings)
    await lines.open()
    loose = Loose(
        pool, bell, Combiner(lines), terms=terms, default_limit=settings.default_limit, retry_base=settings.retry_base
    )
    finishing = Finishing(pool, runs, loose, terms.providers)
    plain = Plain(pool, settings.default_model, terms.providers.declared)
    delivery = Delivery(pool, runs, finishing, keys, plain)
    events = Events(pool, bell, loose)
    lines_in = open_lines(settings, AT_ONCE)
    posting = Posting(bell, entrance, fairness, lines_in)
    pauses = Pauses(pool, bell, lambda engine_id: claimers.let_go(engine_id))
    claimers = Claimers(lines, delivery.give_back, pauses)
    silence = bell.listen_lanes(claimers.ring)
    deafen = bell.listen_lanes(fairness.heard)
    stopper = asyncio.create_task(_stop(claimers, pauses, stopping), name="claimers:stop")
    engines = Engines(pool)
    tally = Tally(engines.claimants.lane_of)
    finishing.tally, entrance.refused = tally, tally.refused
    loose.observer = runs.observer = tally
    try:
        async with pauses.running():
            yield Queue(
                engines=engines,
                events=events,
                posting=posting,
                entrance=entrance,
                dead=DeadLetters(pool, events, loose, letters),
                claimers=claimers,
                delivery=delivery,
                finishing=finishing,
                loose=loose,
                pauses=pauses,
                depths=Depths(pool),
                tally=tally,
            )
    finally:
        stopper.cancel()
        pauses.stop()
        claimers.stop()
        silence()
        deafen()
        await posting.close()
        await lines_in.close()
        await claimers.close()
        await loose.combiner.close()
        await lines.close()


async def _stop(claimers: Claimers, pauses: Pauses, stopping: asyncio.Event) -> None:
    await stopping.wait()
    pauses.stop()
    claimers.stop()

"""What the routes and loops of one API process share, made once at its start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection

from pyscrai.domain.choices import Price
from pyscrai_api.access import TokenLookup
from pyscrai_api.batches.service import Batches
from pyscrai_api.catalog import seed
from pyscrai_api.catalog.lazy import Catalog
from pyscrai_api.database import Pool, connect, migrate
from pyscrai_api.estimates.service import Estimates
from pyscrai_api.health.metrics import watch_health
from pyscrai_api.health.report import Health
from pyscrai_api.metrics import Metrics
from pyscrai_api.money.limits import Limits
from pyscrai_api.money.provider_state import watch_providers
from pyscrai_api.money.providers import Providers
from pyscrai_api.money.terms import Terms
from pyscrai_api.people.keys import Keys
from pyscrai_api.people.users import Users
from pyscrai_api.queue.entrance import Entrance
from pyscrai_api.queue.fairness import Fairness
from pyscrai_api.queue.metrics import watch_queue
from pyscrai_api.queue.notify import Bell
from pyscrai_api.queue.ports import RunFinisher
from pyscrai_api.queue.service import Queue, open_queue
from pyscrai_api.room import Room
from pyscrai_api.runs.service import Runs
from pyscrai_api.settings import Settings
from pyscrai_api.stream.hub import Hub
from pyscrai_api.tokens import Tokens

CLOSE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Deps:
    """`stopping` is set when the service begins to stop: long polls and streams end then."""

    settings: Settings
    pool: Pool
    stopping: asyncio.Event
    metrics: Metrics
    tokens: TokenLookup
    catalog: Catalog
    bell: Bell
    runs: Runs
    run_finisher: RunFinisher
    hub: Hub
    queue: Queue
    users: Users
    keys: Keys
    limits: Limits
    estimates: Estimates
    batches: Batches
    prices: Mapping[str, Price]
    providers: Providers
    health: Health
    room: Room = field(default_factory=Room)


def deps(connection: HTTPConnection) -> Deps:
    """The shared things, as a FastAPI dependency or a plain call."""
    found: Deps = connection.app.state.deps
    return found


@asynccontextmanager
async def open_deps(settings: Settings) -> AsyncIterator[Deps]:
    """Migrate, connect and build everything; close it all in the opposite order. Raises StartupError."""
    async with AsyncExitStack() as stack:
        await migrate(settings.database_url)
        pool = await connect(settings)
        stack.push_async_callback(close_pool, pool)
        await seed.load(settings.database_url, seed.folder(settings.seed))
        catalog = Catalog(settings)
        stack.push_async_callback(catalog.close)
        metrics = Metrics()
        metrics.watch_pool(pool)
        bell = Bell(settings.listen_url or settings.database_url)
        await stack.enter_async_context(bell.running())
        terms = Terms.of(settings)
        fairness, entrance = Fairness(settings.fair_by), Entrance(pool, settings.most_queued)
        stack.push_async_callback(entrance.filling.close)
        runs = Runs(pool, bell, settings, terms, fairness, entrance)
        hub = Hub(pool, bell)
        await stack.enter_async_context(hub.running())
        stopping = asyncio.Event()
        keys = Keys(pool, settings)
        await keys.renew()
        queue = await stack.enter_async_context(
            open_queue(
                *(settings, pool, bell, runs.events, runs.letters),
                terms=terms,
                stopping=stopping,
                keys=keys,
                fairness=fairness,
                entrance=entrance,
            )
        )
        watch_queue(metrics, queue)
        health = Health(pool, queue, metrics)
        watch_health(metrics, health)
        watch_providers(metrics, pool, terms.providers)
        limits = Limits(pool, terms.wider, settings.default_limit)
        opened = Deps(
            settings=settings,
            pool=pool,
            stopping=stopping,
            metrics=metrics,
            tokens=Tokens(pool),
            catalog=catalog,
            bell=bell,
            runs=runs,
            run_finisher=runs.events,
            hub=hub,
            queue=queue,
            users=Users(pool),
            keys=keys,
            limits=limits,
            batches=Batches(pool, runs, limits, terms, settings),
            estimates=Estimates(pool, terms.prices, settings.default_model, settings.default_limit),
            prices=terms.prices,
            providers=terms.providers,
            health=health,
        )
        yield opened


async def close_pool(pool: Pool) -> None:
    """Close the pool; connections that are still in use after a while are cut."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await pool.close()
    except TimeoutError:
        pool.terminate()

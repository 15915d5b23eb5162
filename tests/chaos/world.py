"""A world of real processes: PostgreSQL, several API replicas behind a hostile network, engines of several kinds.

    async with world(WorldConfig(seed=7)) as made:
        ...                                    # the network is honest until made.network.storm(...)

To be entered in the main thread. Everything in it is started again by itself, and nothing of it outlives the block,
nor the harness, however that ends.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from tests.chaos.clocks import Clock, library
from tests.chaos.disk import Disk, disk
from tests.chaos.ground import ground
from tests.chaos.ledger import Ledger
from tests.chaos.looking import CannotLook, Looker
from tests.chaos.postgres import APP, Postgres, postgres
from tests.chaos.processes import Kind, Member, Roster
from tests.chaos.programs import Programs, port_below_clients
from tests.chaos.proxy import Network, network
from tests.chaos.wire import Wire

STEP = 0.05


@dataclass(frozen=True, kw_only=True)
class WorldConfig:
    """Times in seconds. `keep_logs`: a folder for the logs, which otherwise go with the world; `skewed`: the share of
    engines whose wall clock is off by hours, as is that of the last of several replicas, unless it is 0; `disk_mb`
    holds for root, whose disk alone can be filled."""

    seed: int = 1
    keep_logs: Path | None = None
    replicas: int = 3
    light_engines: int = 8
    light_concurrency: int = 20
    real_engines: Mapping[str, int] = field(default_factory=lambda: {"actor": 1, "narrator": 1, "analyst": 1})
    lease_seconds: float = 3.0
    heartbeat_seconds: float = 0.75
    statement_timeout: float = 2.0
    retry_base: float = 0.2
    pool_size: int = 8
    max_connections: int = 90
    disk_mb: int = 4096
    skewed: float = 0.25
    api_settings: Mapping[str, str] = field(default_factory=dict)
    engine_settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Replica:
    """One API process, its port, and its line to the database."""

    member: Member
    port: int
    wire: Wire

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class World:
    """`notes`: what cannot be done on this machine. `folder`: logs/NAME.log, words/NAME.txt of every process."""

    config: WorldConfig
    folder: Path
    ledger: Ledger
    disk: Disk
    postgres: Postgres
    looker: Looker
    network: Network
    roster: Roster
    replicas: list[Replica] = field(default_factory=list)
    clocks: dict[str, Clock] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The front door, through the hostile network."""
        return self.network.url

    @property
    def replica_urls(self) -> list[str]:
        """The replicas themselves."""
        return [replica.url for replica in self.replicas]

    @property
    def dsn(self) -> str:
        """The database, as the superuser."""
        return self.postgres.dsn

    async def calm(self, timeout: float = 90.0) -> None:
        """End every disturbance, and wait until everything is there again. Raises TimeoutError."""
        self.network.honest()
        self.disk.free()
        for replica in self.replicas:
            replica.wire.disarm()
        for member in self.roster:
            if member.frozen:
                member.thaw()
        await self.ready(timeout)

    async def ready(self, timeout: float = 90.0) -> None:
        """Wait until database and replicas answer and every engine is registered. Raises TimeoutError."""
        until = time.monotonic() + timeout
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            while missing := await self._missing(client):
                if time.monotonic() > until:
                    raise TimeoutError(f"not ready after {timeout:.0f} s: {', '.join(missing)}")
                await asyncio.sleep(STEP)

    async def serving(self, timeout: float = 90.0) -> None:
        """Wait until the database and some replica answer. Raises TimeoutError."""
        until = time.monotonic() + timeout
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            while not (self.postgres.up.is_set() and await self._any_ready(client)):
                if time.monotonic() > until:
                    raise TimeoutError(f"not one replica serves after {timeout:.0f} s")
                await asyncio.sleep(STEP)

    async def _any_ready(self, client: httpx.AsyncClient) -> bool:
        asked = [asyncio.create_task(_is_ready(client, url)) for url in self.replica_urls]
        try:
            for answer in asyncio.as_completed(asked):
                if await answer:
                    return True
            return False
        finally:
            for task in asked:
                task.cancel()

    async def _missing(self, client: httpx.AsyncClient) -> list[str]:
        if not self.postgres.up.is_set():
            return ["postgres"]
        answers = await asyncio.gather(*(_is_ready(client, replica.url) for replica in self.replicas))
        missing = [replica.member.name for replica, ok in zip(self.replicas, answers, strict=True) if not ok]
        if missing:
            return missing
        try:
            known = await self.looker.engines()
        except CannotLook as error:
            return [str(error)]
        return [member.name for member in self.roster if member.spec.kind != "api" and member.pid not in known]


async def _is_ready(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/readyz")).status_code == 200
    except httpx.TransportError:
        return False


@asynccontextmanager
async def world(config: WorldConfig) -> AsyncIterator[World]:
    """A world that stands: all processes there, the network honest. Raises TimeoutError, EmbeddedError."""
    chance = random.Random(f"world {config.seed}")
    notes: list[str] = []
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(ground(config.keep_logs))
        own = stack.enter_context(disk(folder / "disk", config.disk_mb))
        if not own.own:
            notes.append("disk full: skipped, only root can have a disk of its own to fill")
        server = await stack.enter_async_context(
            postgres(
                folder,
                own,
                folder / "logs",
                port=port_below_clients(chance),
                max_connections=config.max_connections,
            )
        )
        looker = Looker(lambda: server.dsn, APP)
        stack.push_async_callback(looker.close)
        ports: list[int] = []
        net = await stack.enter_async_context(network(lambda: ports, random.Random(f"network {config.seed}")))
        ledger = Ledger()
        roster = await stack.enter_async_context(Roster(ledger))
        made = World(config, folder, ledger, own, server, looker, net, roster, notes=notes)
        await _populate(made, ports, chance, stack)
        await made.ready()
        ledger.began = time.monotonic()
        try:
            yield made
        finally:
            lines = [f"{at:8.2f} {what}\n" for at, what in ledger.history()]
            (folder / "logs" / "history.txt").write_text("".join(lines), "utf-8")


async def _populate(made: World, ports: list[int], chance: random.Random, stack: AsyncExitStack) -> None:
    config, programs = made.config, Programs(made.config, made.folder, made.url)
    faketime = library()
    if faketime is None:
        made.notes.append("clocks off by hours: skipped, libfaketime is not installed")

    def wrong_clock(name: str) -> dict[str, str]:
        if faketime is None:
            return {}
        made.clocks[name] = Clock(made.folder / "clocks" / name, chance)
        return made.clocks[name].environment(faketime)

    for number in range(1, config.replicas + 1):
        wire = await stack.enter_async_context(
            Wire(made.postgres.port, made.ledger.did, random.Random(f"wire {number} {config.seed}"))
        )
        port, name = port_below_clients(chance), f"api-{number}"
        # One of several: no replica's clock may matter either.
        more = wrong_clock(name) if config.skewed and number > 1 and number == config.replicas else {}
        replica = made.roster.add(programs.api(name, port, made.postgres.app_dsn(wire.port), more))
        made.replicas.append(Replica(replica, port, wire))
        ports.append(port)
    wanted: list[tuple[str, Kind, str]] = [
        (f"light-{n}", "engine", "tests.chaos.light") for n in range(1, config.light_engines + 1)
    ]
    for kind, count in config.real_engines.items():
        wanted += [(f"{kind}-{n}", "real_engine", f"pyscrai_{kind}") for n in range(1, count + 1)]
    for name, engine_kind, module in wanted:
        more = wrong_clock(name) if chance.random() < config.skewed else {}
        made.roster.add(programs.engine(name, engine_kind, [sys.executable, "-m", module], more))

"""Everything else that goes wrong: processes that stand still, clocks that jump, a database that is cut off, locked,
full or crowded out. Each undoes what it did, also when it is cancelled."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import AsyncExitStack

import asyncpg
from tests.chaos.looking import LOST, CannotLook
from tests.chaos.programs import block_file
from tests.chaos.world import World

HOT_TABLES = ("queue", "outcomes", "events", "runs", "engines", "idempotency", "entries")


async def freeze_engine(world: World, chance: random.Random) -> None:
    """Stop an engine, one with leases if there is one, for longer than these last; then let it go on."""
    members = world.roster.of("engine", "real_engine")
    leases = await world.looker.leases()
    holders = [member for member in members if leases.get(member.pid or 0)]
    if not members:
        world.ledger.missed["engine frozen"] += 1
        return
    member = chance.choice(holders or members)
    member.busy = True
    try:
        if not member.freeze():
            return
        await asyncio.sleep(world.config.lease_seconds * chance.uniform(1.2, 2.5))
        world.ledger.did("engine frozen past its lease" if holders else "idle engine frozen")
    finally:
        member.thaw()
        member.busy = False


async def freeze_api(world: World, chance: random.Random) -> None:
    """Stop a replica; its sockets go on taking in requests."""
    if not (members := world.roster.of("api")):
        world.ledger.missed["api frozen"] += 1
        return
    member = chance.choice(members)
    member.busy = True
    try:
        if member.freeze():
            world.ledger.did("api frozen")
            await asyncio.sleep(world.config.lease_seconds * chance.uniform(0.3, 2.0))
    finally:
        member.thaw()
        member.busy = False


async def block_api(world: World, chance: random.Random) -> None:
    """The event loop of a replica stands still, as if one request kept it."""
    for member in sorted(world.roster.of("api"), key=lambda _: chance.random()):
        seconds = world.config.lease_seconds * chance.uniform(0.2, 1.6)
        block_file(world.folder, member.name).write_text(f"{seconds:.2f}\n", "utf-8")
        if member.disturb():
            world.ledger.did("event loop of the api blocked")
            return
    world.ledger.missed["event loop of the api blocked"] += 1


async def cut_lines(world: World, chance: random.Random) -> None:
    """Cut some or all connections of a replica to the database, whatever they are doing."""
    replica = chance.choice(world.replicas)
    for _ in range(replica.wire.cut(chance.choice((1, 2, 100)))):
        world.ledger.did("database line cut")


async def cut_in_doubt(world: World, chance: random.Random) -> None:
    """The next commits of a replica are sent, and their answers never arrive. Counted when it happens, by the line."""
    chance.choice(world.replicas).wire.cut_in_doubt(chance.randint(1, 3))


async def terminate_backends(world: World, chance: random.Random) -> None:
    """The server itself ends connections that are in a transaction."""
    for pid in (await world.looker.busy_backends())[: chance.randint(1, 3)]:
        await world.looker.execute("SELECT pg_terminate_backend($1)", pid)
        world.ledger.did("connection terminated in a transaction")


async def jump_clock(world: World, chance: random.Random) -> None:
    """The wall clock of an engine jumps while it works."""
    if not world.clocks:
        world.ledger.missed["clock jumped"] += 1
        return
    world.clocks[chance.choice(sorted(world.clocks))].jump()
    world.ledger.did("clock jumped by hours")


async def fill_disk(world: World, chance: random.Random) -> None:
    """No room for the database, for some seconds; half the time not even for its own log, which ends the server."""
    if not world.disk.own:
        world.ledger.missed["disk full"] += 1
        return
    until, ended = time.monotonic() + chance.uniform(2.0, 5.0), False
    to_the_end = chance.random() < 0.5
    try:
        while time.monotonic() < until:
            await asyncio.to_thread(world.disk.fill)
            if to_the_end:
                try:
                    # What it keeps ready for its log is used up, and the next piece has no room.
                    await world.looker.execute("SELECT pg_switch_wal()")
                except CannotLook:
                    ended = True
            await asyncio.sleep(0.1)
        world.ledger.did("disk full until the server ended" if ended else "disk full")
    finally:
        world.disk.free()


async def lock_table(world: World, chance: random.Random) -> None:
    """A transaction elsewhere holds a table, or some hundred of its rows, for longer than a statement may take."""
    table = chance.choice(HOT_TABLES)
    whole = chance.random() < 0.5
    statement = f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"
    if not whole:
        statement = f"SELECT FROM (SELECT FROM {table} LIMIT 500 FOR UPDATE) AS locked"
    try:
        connection = await asyncpg.connect(world.dsn, server_settings={"lock_timeout": "1s"})
        try:
            async with connection.transaction():
                await connection.execute(statement)
                world.ledger.did("table locked" if whole else "rows locked")
                await asyncio.sleep(world.config.statement_timeout * chance.uniform(0.8, 1.8))
        finally:
            connection.terminate()
    except LOST:
        world.ledger.missed["lock that was not had, or lost"] += 1


async def crowd_out(world: World, chance: random.Random) -> None:
    """Strangers take every connection that the server gives to ordinary users."""
    async with AsyncExitStack() as stack:
        taken = 0
        try:
            while taken < world.config.max_connections:
                connection = await asyncpg.connect(world.postgres.app_dsn(), timeout=5)
                stack.callback(connection.terminate)
                taken += 1
        except asyncpg.TooManyConnectionsError:
            world.ledger.did("connections exhausted")
            # The replicas' lines are cut now and then, and must be made anew while there is no room.
            chance.choice(world.replicas).wire.cut(2)
            await asyncio.sleep(chance.uniform(1.0, 4.0))
        except LOST:
            world.ledger.missed["connections exhausted"] += 1


async def hold_snapshot(world: World, chance: random.Random) -> None:
    """A transaction elsewhere keeps the oldest snapshot open: nothing that ends can be cleaned away."""
    try:
        connection = await asyncpg.connect(world.dsn)
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await connection.fetchval("SELECT count(*) FROM engines")
                world.ledger.did("old snapshot held")
                await asyncio.sleep(chance.uniform(5.0, 25.0))
        finally:
            connection.terminate()
    except LOST:
        world.ledger.missed["old snapshot lost"] += 1

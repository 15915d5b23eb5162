"""kill -9, with an exact record of what the victim held.

The victim is stopped first (SIGSTOP): then one looks what it holds, and only then it dies. One that holds nothing may
go on, and another one is tried.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import suppress
from pathlib import Path
from typing import Literal

from tests.chaos.ledger import Kill, KillKind
from tests.chaos.looking import CannotLook
from tests.chaos.processes import Member
from tests.chaos.world import World

TRIES = 40
PAUSE = 0.02


async def kill_engine(world: World, chance: random.Random, *, holding: bool, real: bool = False) -> bool:
    """One engine; where `holding`, one with a lease if any can be found. False where there was no victim."""
    kind: Literal["engine", "real_engine"] = "real_engine" if real else "engine"
    for attempt in range(TRIES):
        victims = world.roster.of(kind)
        if not victims:
            break
        if holding and attempt < TRIES - 1:
            leases = await world.looker.leases()
            victims = [member for member in victims if leases.get(member.pid or 0)]
        if victims and await _kill_engine(world, chance.choice(victims), kind, holding and attempt < TRIES - 1):
            return True
        await asyncio.sleep(PAUSE)
    world.ledger.missed[f"kill {kind}"] += 1
    return False


async def _kill_engine(world: World, member: Member, kind: KillKind, holding: bool) -> bool:
    pid, age = member.pid, member.age
    if pid is None or not member.freeze():
        return False
    member.busy = True
    try:
        leases = await world.looker.leases_of(pid, age)
        if holding and not leases:
            member.thaw()
            return False
        member.kill()
        _record(world, kind, member.name, pid, leases=leases)
        return True
    except CannotLook:
        member.thaw()
        raise
    finally:
        member.busy = False


async def kill_api(world: World, chance: random.Random, *, holding: bool) -> bool:
    """One replica; where `holding`, in mid-transaction if that can be met."""
    for attempt in range(TRIES):
        replicas = [replica for replica in world.replicas if replica.member in world.roster.of("api")]
        if not replicas:
            break
        replica = chance.choice(replicas)
        member, pid = replica.member, replica.member.pid
        if pid is None or not member.freeze():
            continue
        member.busy = True
        try:
            transactions = await world.looker.transactions_of(replica.wire.ports)
            if transactions or not holding or attempt == TRIES - 1:
                member.kill()
                _record(world, "api", member.name, pid, transactions=transactions)
                return True
            member.thaw()
        except CannotLook:
            member.thaw()
            raise
        finally:
            member.busy = False
        await asyncio.sleep(PAUSE)
    world.ledger.missed["kill api"] += 1
    return False


async def kill_postgres(world: World, chance: random.Random) -> bool:
    """The postmaster, half the time with all its processes at once; it comes back by itself."""
    leases, transactions = await world.looker.everything()
    pid = world.postgres.pid
    if pid is None:
        return False
    world.postgres.kill(everyone=chance.random() < 0.5)
    _record(world, "postgres", "postgres", pid, leases=leases, transactions=transactions)
    return True


async def kill_backend(world: World, chance: random.Random) -> bool:
    """One process of the server, in mid-transaction if that can be met: the server throws out all and recovers."""
    for attempt in range(TRIES):
        busy = await world.looker.busy_backends()
        if not busy:
            await asyncio.sleep(PAUSE)
            continue
        pid = chance.choice(busy)
        if not _stop(pid):
            continue
        try:
            still = pid in await world.looker.busy_backends()
            if still or attempt == TRIES - 1:
                leases, _ = await world.looker.everything()
                _signal(pid, signal.SIGKILL)
                _record(world, "backend", f"backend {pid}", pid, leases=leases, transactions=int(still))
                return True
        finally:
            _signal(pid, signal.SIGCONT)
    world.ledger.missed["kill backend"] += 1
    return False


def _record(world: World, kind: KillKind, name: str, pid: int, *, leases: int = 0, transactions: int = 0) -> None:
    world.ledger.kills.append(
        Kill(at=world.ledger.now, kind=kind, name=name, pid=pid, leases=leases, transactions=transactions)
    )


def _stop(pid: int) -> bool:
    """Stop a server process, if it is one."""
    with suppress(OSError):
        if Path(f"/proc/{pid}/comm").read_text("utf-8").startswith("postgres"):
            os.kill(pid, signal.SIGSTOP)
            return True
    return False


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)

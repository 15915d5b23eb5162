"""When what goes wrong: kills at times drawn beforehand, so that their number is certain; everything else by rates."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from tests.chaos import faults, kills
from tests.chaos.ledger import KillKind
from tests.chaos.looking import CannotLook
from tests.chaos.weather import STORM, Weather
from tests.chaos.world import World

Fault = Callable[[World, random.Random], Awaitable[object]]

FAULTS: dict[str, Fault] = {
    "freeze_engine": faults.freeze_engine,
    "freeze_api": faults.freeze_api,
    "block_api": faults.block_api,
    "cut_lines": faults.cut_lines,
    "cut_in_doubt": faults.cut_in_doubt,
    "terminate_backends": faults.terminate_backends,
    "jump_clock": faults.jump_clock,
    "fill_disk": faults.fill_disk,
    "lock_table": faults.lock_table,
    "crowd_out": faults.crowd_out,
    "hold_snapshot": faults.hold_snapshot,
}
DATABASE = frozenset({"postgres", "backend", "fill_disk", "crowd_out", "lock_table"})
"""These stop everything: one at a time, and only when the last one is over, or there would be no work to disturb."""
RATES: dict[str, float] = {
    "freeze_engine": 2.0,
    "freeze_api": 1.0,
    "block_api": 1.0,
    "cut_lines": 2.0,
    "cut_in_doubt": 4.0,
    "terminate_backends": 1.0,
    "jump_clock": 2.0,
    "fill_disk": 0.25,
    "lock_table": 0.6,
    "crowd_out": 0.25,
    "hold_snapshot": 0.3,
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What happens in `seconds`: so many kills by kind, about `holding` of which find a victim that holds something;
    other faults by `rates` per minute. `gap`: seconds of peace after a fault that stopped everything."""

    seconds: float
    kills: Mapping[KillKind, int]
    rates: Mapping[str, float] = field(default_factory=lambda: dict(RATES))
    weather: Weather = STORM
    holding: float = 0.85
    gap: float = 2.0
    patience: float = 120.0
    """Seconds beyond `seconds` for kills that had to wait."""


LONG = Plan(seconds=1800.0, kills={"engine": 440, "real_engine": 24, "api": 135, "postgres": 26, "backend": 8})
SHORT = Plan(
    seconds=40.0,
    kills={"engine": 12, "api": 4, "postgres": 1, "backend": 1},
    rates={name: rate * (8.0 if name in DATABASE else 3.0) for name, rate in RATES.items()},
    gap=1.0,
)


def lasting(plan: Plan, seconds: float) -> Plan:
    """The same for another time, with as many kills a minute."""
    share = seconds / plan.seconds
    return replace(plan, seconds=seconds, kills={kind: round(count * share) for kind, count in plan.kills.items()})


async def storm(world: World, plan: Plan) -> None:
    """Disturb the world for so long, and leave it calm: everything there again. Raises TimeoutError."""
    world.network.storm(plan.weather)
    try:
        await _Storm(world, plan).run()
    finally:
        world.network.honest()
    await world.calm()


class _Storm:
    def __init__(self, world: World, plan: Plan) -> None:
        self._world = world
        self._plan = plan
        self._chance = random.Random(f"storm {world.config.seed}")
        self._one_at_a_time = asyncio.Lock()
        self._end = time.monotonic() + plan.seconds

    async def run(self) -> None:
        chances = iter(range(1_000_000))

        def own() -> random.Random:
            # Each its own, so that what one draws does not depend on when the others draw.
            return random.Random(f"{self._world.config.seed} {next(chances)}")

        async with asyncio.TaskGroup() as group:
            for kind, count in self._plan.kills.items():
                group.create_task(self._kills(kind, count, own()))
            for name, rate in self._plan.rates.items():
                if rate:
                    group.create_task(self._faults(name, rate, own()))

    async def _kills(self, kind: KillKind, count: int, chance: random.Random) -> None:
        """So many, at times drawn over the whole; late ones follow each other until patience ends."""
        begin, last = time.monotonic(), self._end + self._plan.patience
        times = sorted(chance.uniform(0.02, 0.98) * self._plan.seconds for _ in range(count))
        for at in times:
            await asyncio.sleep(begin + at - time.monotonic())
            while time.monotonic() < last:
                if await self._exclusively(kind, lambda: self._kill(kind, chance)):
                    break
                await asyncio.sleep(0.2)

    async def _kill(self, kind: KillKind, chance: random.Random) -> bool:
        holding = chance.random() < self._plan.holding
        match kind:
            case "engine" | "real_engine":
                return await kills.kill_engine(self._world, chance, holding=holding, real=kind == "real_engine")
            case "api":
                return await kills.kill_api(self._world, chance, holding=holding)
            case "postgres":
                return await kills.kill_postgres(self._world, chance)
            case "backend":
                return await kills.kill_backend(self._world, chance)

    async def _faults(self, name: str, rate: float, chance: random.Random) -> None:
        fault = FAULTS[name]

        async def once() -> bool:
            await fault(self._world, chance)
            return True

        while True:
            await asyncio.sleep(min(chance.expovariate(rate / 60.0), self._end - time.monotonic() + 0.01))
            if time.monotonic() >= self._end:
                return
            await self._exclusively(name, once)

    async def _exclusively(self, name: str, act: Callable[[], Awaitable[bool]]) -> bool:
        """What stops everything comes alone; the rest at any time, also in the middle of that."""
        try:
            if name not in DATABASE:
                return await act()
            async with self._one_at_a_time:
                done = await act()
                if done:
                    await self._world.serving(self._plan.patience)
                    await asyncio.sleep(self._plan.gap)
                return done
        except CannotLook:
            # The server is not there, or full of others: whoever wants a victim tries again.
            return False

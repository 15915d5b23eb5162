"""What the sections of the benchmark share: the server, the sizes, what was asked for, and the alternating rounds."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from bench.queue.postgres import Postgres
from bench.queue.results import Record, Results

Measure = Callable[[], Awaitable[Record]]


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured. `share`: of the jobs that a full measurement takes; `finished`, `future`, `held`: rows of a
    history; `under_snapshot`: jobs done while a snapshot is held, `after`: seconds from its end to the look whether all
    is well; `parked`: engines that wait; `behind`: events of the run that another comes behind."""

    rounds: int
    share: float
    finished: int
    future: int
    held: int
    under_snapshot: int
    after: float
    parked: int
    behind: int
    quick: bool = False

    def jobs(self, full: int) -> int:
        """So many of `full`, in round numbers."""
        return max(20, int(round(full * self.share, -1)))


FULL = Sizes(
    rounds=3,
    share=1.0,
    finished=1_000_000,
    future=200_000,
    held=100_000,
    under_snapshot=60_000,
    after=10,
    parked=1000,
    behind=100_000,
)
QUICK = Sizes(
    rounds=1,
    share=0.5,
    finished=200_000,
    future=50_000,
    held=25_000,
    under_snapshot=20_000,
    after=10,
    parked=1000,
    behind=20_000,
    quick=True,
)
TINY = Sizes(
    rounds=1,
    share=0.005,
    finished=100,
    future=100,
    held=100,
    under_snapshot=100,
    after=0,
    parked=20,
    behind=200,
    quick=True,
)


@dataclass(kw_only=True)
class Bench:
    """One run of the benchmark. `only`: words of which one must be in a measurement's name; none: all are wanted."""

    postgres: Postgres
    results: Results
    sizes: Sizes
    console: Console
    only: Sequence[str] = ()
    began: float = field(default_factory=time.monotonic)

    def wants(self, section: str, case: str = "") -> bool:
        """Whether a measurement was asked for; without a case, whether any of a section may be."""
        name = f"{section} · {case}".lower()
        return not self.only or any(word.lower() in name for word in self.only)

    def wanted(self, section: str, cases: Mapping[str, Measure]) -> dict[str, Measure]:
        """Those of the cases that were asked for."""
        return {case: measure for case, measure in cases.items() if self.wants(section, case)}

    async def rounds(self, section: str, cases: Mapping[str, Measure], *, rounds: int | None = None) -> None:
        """Measure every case once per round, each round in another order. One that breaks does not stop the others."""
        wanted = self.wanted(section, cases)
        for number in range(rounds or self.sizes.rounds):
            for case in rotated(list(wanted), number):
                await self.once(section, case, number, wanted[case])

    async def once(self, section: str, case: str, number: int, measure: Measure) -> None:
        """One measurement, recorded and shown."""
        try:
            found = await measure()
        except Exception as error:
            found = {"error": f"{type(error).__name__}: {error}"}
        record = {"section": section, "case": case, "round": number, "load": os.getloadavg()[0], **found}
        self.results.add(record)
        self.say(f"{section} · {case}", shown(record))

    def say(self, what: str, text: str) -> None:
        """A line of progress."""
        passed = time.monotonic() - self.began
        line = f"{int(passed // 60):2}:{int(passed % 60):02}  {what:58}  {text}"
        self.console.print(Text(line), soft_wrap=True)


def rotated(cases: list[str], number: int) -> list[str]:
    """Another first case in each round, and every second round backwards: nobody always comes after the same one."""
    if not cases:
        return []
    first = (number * max(1, len(cases) // 3)) % len(cases)
    turned = cases[first:] + cases[:first]
    return turned[::-1] if number % 2 else turned


def shown(record: Record) -> str:
    """A measurement in a line."""
    if "error" in record:
        return f"not measured: {record['error'].strip().splitlines()[-1][:160]}"
    parts = []
    if "rate" in record:
        parts.append(f"{record['rate']:>9,.0f}/s")
    if "cpu" in record:
        split = ", ".join(f"{name} {record[name]:.0f}" for name in ("client", "server", "postgres"))
        parts.append(f"CPU {record['cpu']:5.0f} µs ({split})")
    if "wal" in record:
        parts.append(f"WAL {record['wal']:,.0f} B")
    if "p50" in record:
        parts.append(f"p50 {record['p50']:.2f} ms  p99 {record['p99']:.2f} ms  of {record['jobs']}")
    if "seconds" in record and "rate" not in record:
        parts.append(f"{record['seconds']:.3f} s")
    if "shares" in record:
        parts += [f"{part} {share:.0%}" for part, share in list(record["shares"].items())[:3]]
    return "  ".join(parts)

"""What the queue shall reach, and whether it did. A target that was not measured is neither met nor missed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bench.queue import consumers, drains, engines, fairness, histories, latencies, snapshots, wholes
from bench.queue.consumers import Consumer
from bench.queue.results import Results

Value = float | None


@dataclass(frozen=True)
class Target:
    """`share` is what was measured, in the unit of `goal`; `met` None: not measured, or nothing was promised."""

    what: str
    goal: str
    share: str
    met: bool | None
    note: str = ""


def targets(found: Results) -> list[Target]:
    """All of them, in the order of the issue that they come from."""
    parts = (_throughput, _cost, _latency, _history, _snapshot, _many_engines, _runs)
    return [target for part in parts for target in part(found)]


def _throughput(found: Results) -> Iterator[Target]:
    def rate(consumer: Consumer) -> Value:
        return found.median(drains.SECTION, consumer.case, "rate")

    def best(options: Iterable[Consumer]) -> Value:
        return max((value for each in options if (value := rate(each)) is not None), default=None)

    ours = {batch: [consumers.ours(batch, n, 0) for n in (1, 4)] for batch in (10, 100)}
    for batch, goal in ((10, 2.0), (100, 1.5)):
        theirs = [consumers.pgqueuer(batch, n, 0) for n in (1, 2, 4)]
        what = f"batch {batch}, against pgqueuer"
        for n in (1, 4):
            pair = rate(consumers.ours(batch, n, 0)), rate(consumers.pgqueuer(batch, n, 0))
            yield at_least(f"{what}, {n} process{'es' if n > 1 else ''}", goal, *pair)
        yield at_least(f"{what}, best of each", goal, best(ours[batch]), best(theirs))
    procrastinate = best(each for each in consumers.all_consumers() if each.system.name == "procrastinate")
    for batch in (10, 100):
        yield at_least(f"batch {batch}, against procrastinate's best", 20, best(ours[batch]), procrastinate)
    graphile = best(consumers.graphile_worker(n, 0) for n in (1, 2))
    yield at_least("batch 100, against graphile-worker in process, unfenced", 1, best(ours[100]), graphile)
    for batch, connections in ((10, 8), (100, 4)):
        alone = rate(consumers.statements(batch, connections, 0))
        what = f"batch {batch}, against the SQL alone on {connections} connections"
        yield at_least(what, 0.5, best(ours[batch]), alone)


def _cost(found: Results) -> Iterator[Target]:
    for processes in (1, 4):
        pair = [
            found.median(drains.SECTION, make(10, processes, 0).case, "cpu")
            for make in (consumers.ours, consumers.pgqueuer)
        ]
        what = f"CPU per event at batch 10, against pgqueuer, {processes} process{'es' if processes > 1 else ''}"
        yield at_most(what, 1, *pair, unit=" µs")


def _latency(found: Results) -> Iterator[Target]:
    cases = {consumers.runtime(n, 0).case: consumers.pgqueuer(10, n, 0).case for n in (1, 4)}
    one = consumers.pgqueuer(10, 1, 0).case
    crowds = {case: one for case in found.cases(latencies.SECTION) if "parked" in case}
    for ours, theirs in {**cases, **crowds}.items():
        name = ours.removeprefix("ours, ")
        p50, p99 = (found.median(latencies.SECTION, ours, key) for key in ("p50", "p99"))
        yield limit(f"latency p50, {name}", p50, 3, " ms")
        yield at_most(
            f"latency p50 against pgqueuer, {name}", 2, p50, found.median(latencies.SECTION, theirs, "p50"), unit=" ms"
        )
        yield limit(f"latency p99, {name}", p99, 10, " ms")


def _history(found: Results) -> Iterator[Target]:
    names = {"finished": "finished events", "future": "future events", "held": "held events"}
    for consumer in histories.measured_consumers():
        clean = found.median(histories.SECTION, histories.case(consumer, "clean"), "rate")
        for state, name in names.items():
            if state in consumer.system.states:
                now = found.median(histories.SECTION, histories.case(consumer, state), "rate")
                goal = 0.9 if consumer.system.name == "ours" else None
                yield at_least(f"{consumer.system.name}: {name}, against clean", goal, now, clean)
    # The other work of the machine moves rates more than this, for which nothing was promised.
    for consumer in histories.measured_consumers()[:1]:
        clean = found.median(histories.SECTION, histories.case(consumer, "clean"), "cpu")
        for state, name in names.items():
            now = found.median(histories.SECTION, histories.case(consumer, state), "cpu")
            yield at_most(f"{consumer.system.name}: CPU with {name}, against clean", None, now, clean, unit=" µs")


def _snapshot(found: Results) -> Iterator[Target]:
    goals = {"held": ("under a held snapshot", 0.85), "released": ("10 s after its release", 0.95)}
    for consumer in snapshots.measured_consumers():
        clean = found.median(snapshots.SECTION, snapshots.case(consumer, "clean"), "rate")
        for phase, (name, goal) in goals.items():
            now = found.median(snapshots.SECTION, snapshots.case(consumer, phase), "rate")
            mine = goal if consumer.system.name == "ours" else None
            yield at_least(f"{consumer.system.name}: {name}, against clean", mine, now, clean)


def _many_engines(found: Results) -> Iterator[Target]:
    many, few = (found.median(engines.SECTION, f"{n} engines", "cpu") for n in (32, 4))
    yield at_most("CPU per event with 32 engines, against 4", 1.1, many, few, unit=" µs")


def _runs(found: Results) -> Iterator[Target]:
    cpu = found.median(wholes.SECTION, wholes.CASE, "cpu")
    yield limit("whole runs: CPU per model call", None if cpu is None else cpu / 1000, 6, " ms")
    for name in fairness.OWNERS.values():
        alone, behind = (found.median(fairness.SECTION, f"{name}, {where}", "seconds") for where in ("alone", "behind"))
        yield at_most(f"a run of 10 events behind a huge one, against alone: {name}", 2, behind, alone, unit=" s")


def at_least(what: str, goal: float | None, ours: Value, theirs: Value) -> Target:
    """A ratio of rates that shall be so much or more; without a goal it is only shown."""
    return _ratio(what, goal, ours, theirs, "≥", lambda share: goal is None or share >= goal, "/s")


def at_most(what: str, goal: float | None, ours: Value, theirs: Value, *, unit: str) -> Target:
    """A ratio of costs that shall be so much or less; without a goal it is only shown."""
    return _ratio(what, goal, ours, theirs, "≤", lambda share: goal is None or share <= goal, unit)


def limit(what: str, value: Value, goal: float, unit: str) -> Target:
    """A value that shall be so much or less."""
    if value is None:
        return Target(what, f"≤ {goal:g}{unit}", "", None)
    return Target(what, f"≤ {goal:g}{unit}", f"{value:.3g}{unit}", value <= goal)


def _ratio(
    what: str, goal: float | None, ours: Value, theirs: Value, sign: str, met: Callable[[float], bool], unit: str
) -> Target:
    wanted = "" if goal is None else f"{sign} {goal:g} ×"
    if ours is None or not theirs:
        return Target(what, wanted, "", None)
    share = ours / theirs
    note = f"{number(ours)} / {number(theirs)}{unit}"
    return Target(what, wanted, f"{share:.2f} ×", None if goal is None else met(share), note)


def number(value: float) -> str:
    """With as many digits as say something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"

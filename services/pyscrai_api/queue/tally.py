"""What this process gave out and what became of it, in plain numbers: about a microsecond per event.

Counted is what has been committed. A series is a lane and an event type, and there are only so many of them: what comes
then counts as type `other`. Pools are called by people's names, and whoever may scrape need not know who there is: they
are told as one, `actor:*`.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal
from uuid import UUID

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from pyscrai.contract.events import Finish, Finished
from pyscrai_api.queue.ports import ClaimedRow

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
MOST_SERIES = 50
"""Pairs of a lane and a type with numbers of their own."""
REMEMBERED = 20_000
"""Events of which it is known when they were given out here."""
OTHER = "other"
HOW: tuple[Literal["completed", "failed", "handed_back", "invalid", "stale"], ...] = (
    "completed", "failed", "handed_back", "invalid", "stale",
)  # fmt: skip


@dataclass(slots=True)
class Times:
    """How long something took, in buckets."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        bounds = [*map(str, SECONDS), "+Inf"]
        return [(bound, float(number)) for bound, number in zip(bounds, accumulate(self.counts), strict=True)]


@dataclass(slots=True)
class Series:
    """The numbers of one lane and type."""

    claims: int = 0
    ended: dict[str, int] = field(default_factory=lambda: dict.fromkeys(HOW, 0))
    lost: int = 0
    died: int = 0
    waits: Times = field(default_factory=Times)
    works: Times = field(default_factory=Times)


class Tally(Collector):
    """Of one process. `lane_of` gives the lane of an engine, where it is known. `clock`: monotonic seconds."""

    def __init__(self, lane_of: Callable[[UUID], str | None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._lane_of = lane_of
        self._clock = clock
        self._series: dict[tuple[str, str], Series] = {}
        self._open: OrderedDict[int, tuple[Series, float]] = OrderedDict()
        self._refused: dict[str, int] = {}

    # ── counting ──

    def claimed(self, lane: str, rows: Sequence[ClaimedRow]) -> None:
        """Events were given out."""
        now, opened, kind, series = self._clock(), self._open, None, None
        for row in rows:
            if series is None or row.event_type != kind:
                kind = row.event_type
                series = self._of(lane, kind)
            series.claims += 1
            series.waits.add(row.waited)
            opened[row.id] = series, now
        while len(opened) > REMEMBERED:
            opened.popitem(last=False)

    def ended(
        self, engine_id: UUID, items: Iterable[Finish], told: Mapping[int, Finished], kind_of: Callable[[int], str]
    ) -> None:
        """Reports of an engine were taken; `told` has those that are not simply done."""
        now = self._clock()
        for item in items:
            answer = told.get(item.event_id)
            how = item.status if answer is None or answer.state == "done" else answer.state
            if how == "unknown":
                continue
            known = self._open.get(item.event_id)
            if known is None:
                series = self._of(self._lane_of(engine_id) or OTHER, kind_of(item.event_id))
            else:
                series = known[0]
                if how != "stale":
                    del self._open[item.event_id]
                if how == "completed":
                    series.works.add(now - known[1])
            series.ended[how] += 1

    def lost(self, event_ids: Iterable[int]) -> None:
        """Leases ran out."""
        for event_id in event_ids:
            self._known(event_id).lost += 1

    def died(self, event_ids: Iterable[int]) -> None:
        """Events became dead letters."""
        for event_id in event_ids:
            self._known(event_id).died += 1

    def refused(self, lane: str) -> None:
        """Somebody was sent away from a lane that is full."""
        label = lane_label(lane)
        if label not in self._refused and len(self._refused) >= MOST_SERIES:
            label = OTHER
        self._refused[label] = self._refused.get(label, 0) + 1

    # ── telling ──

    @property
    def claims(self) -> int:
        """All that this process gave out."""
        return sum(series.claims for series in self._series.values())

    @property
    def losses(self) -> int:
        """All the leases that this process saw run out."""
        return sum(series.lost for series in self._series.values())

    def describe(self) -> Iterator[Metric]:
        """Nothing: the registry need not collect to learn the names."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        labels = ["lane", "event_type"]
        claims = CounterMetricFamily("pyscrai_queue_claims", "Events given out", labels=labels)
        ended = CounterMetricFamily(
            "pyscrai_queue_reports", "Reports of engines, by what they said", labels=[*labels, "how"]
        )
        lost = CounterMetricFamily("pyscrai_queue_losses", "Leases that ran out", labels=labels)
        died = CounterMetricFamily("pyscrai_queue_deaths", "Events that became dead letters", labels=labels)
        waits = HistogramMetricFamily("pyscrai_queue_wait_seconds", "From ready to claimed", labels=labels)
        works = HistogramMetricFamily("pyscrai_queue_work_seconds", "From claimed to completed", labels=labels)
        for (lane, kind), series in self._series.items():
            at = [lane, kind]
            claims.add_metric(at, series.claims)
            lost.add_metric(at, series.lost)
            died.add_metric(at, series.died)
            for how, number in series.ended.items():
                ended.add_metric([*at, how], number)
            waits.add_metric(at, series.waits.buckets(), series.waits.total)
            works.add_metric(at, series.works.buckets(), series.works.total)
        refused = CounterMetricFamily("pyscrai_queue_refused", "Requests sent away from a full lane", labels=["lane"])
        for lane, number in self._refused.items():
            refused.add_metric([lane], number)
        yield from (claims, ended, lost, died, waits, works, refused)

    def _known(self, event_id: int) -> Series:
        known = self._open.get(event_id)
        return self._of(OTHER, OTHER) if known is None else known[0]

    def _of(self, lane: str, kind: str) -> Series:
        """Of very many lanes and types the late ones are `other`: first their types, then all of them."""
        label = lane_label(lane)
        found = self._series.get((label, kind))
        if found is None:
            place = label, kind
            if len(self._series) >= MOST_SERIES:
                place = label if len(self._series) < 2 * MOST_SERIES else OTHER, OTHER
            found = self._series.setdefault(place, Series())
        return found


def lane_label(lane: str) -> str:
    """A lane as it is told to whoever scrapes."""
    engine_type, colon, _ = lane.partition(":")
    return f"{engine_type}:*" if colon else lane

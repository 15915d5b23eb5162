"""The queue as it is meant to be, without a database: plain rows and a clock that somebody else moves.

Times are seconds of the model's own clock. Every method does what one request does, and returns what its answer says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

LEASE, BEAT, LONGEST = 2000, 500, 3600
"""Seconds of an engine's lease, between its heartbeats, and from a claim to the end of a lease that nobody lists."""
TRIES, LOSSES, AGAIN = 2, 2, (3, 10)
"""Failures and losses that kill an event; further ones that redriving a dead letter allows."""
RETRY, RETRY_OF_RUNS = 1500.0, 1.0
PUT_OFF = (20, 900)
"""Hand-backs of a busy provider, and seconds of them, after which the event has failed."""


class State(IntEnum):
    SCHEDULED, READY, LEASED, WAITING, HELD, DEAD = 1, 2, 3, 4, 5, 6
    SUCCEEDED, CANCELLED, DISCARDED = 11, 12, 13


FAILED, LOST, BACK = 1, 2, 3


@dataclass
class Event:
    id: int
    run: str | None
    lane: str
    type: str
    rank: int
    place: int
    state: State
    run_at: float | None = None
    number: int = 0
    engine: str | None = None
    claim: str | None = None
    leased_at: float | None = None
    until: float | None = None
    lost_by: str | None = None
    claims: int = 0
    failures: int = 0
    losses: int = 0
    backs: int = 0
    most_failures: int = TRIES
    most_losses: int = LOSSES
    closing: int = 0

    @property
    def live(self) -> bool:
        return self.state < State.SUCCEEDED

    @property
    def order(self) -> tuple[int, int, int]:
        return self.rank, self.place, self.id

    def free(self, state: State) -> None:
        """No lease any more."""
        self.state, self.engine, self.claim, self.leased_at, self.until = state, None, None, None, None


@dataclass
class Run:
    turns: int
    status: str = "running"
    step: int = 1
    open: int = 0
    last_place: int = 0


@dataclass
class Engine:
    lane: str
    status: str = "active"
    heard: float = 0.0


@dataclass(frozen=True)
class Attempt:
    kind: int
    engine: str
    at: float
    put_off: bool = False


@dataclass(frozen=True)
class Word:
    """What an engine says of one event. `what`: completed, failed, handed_back, or busy (handed back by a provider)."""

    event: int
    number: int | None
    what: str
    wait: float | None = None
    permanent: bool = False


@dataclass
class Model:
    now: float = 0.0
    events: dict[int, Event] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    engines: dict[str, Engine] = field(default_factory=dict)
    attempts: dict[tuple[int, int], Attempt] = field(default_factory=dict)
    floors: dict[tuple[str, int], tuple[int, int | None]] = field(default_factory=dict)
    """Of a lane and rank: the highest place that was the lowest once, and the highest that was given."""
    lasts: dict[tuple[str, int, bool], int] = field(default_factory=dict)
    """Of events without a run, in a lane and rank, with a time or without: the last place that was given."""
    pauses: set[tuple[str, str]] = field(default_factory=set)
    """Lanes and types that are paused; empty: all."""
    waits: dict[int, float] = field(default_factory=dict)
    """Of events that are tried again: the shortest wait that was promised; jitter makes it up to a quarter longer."""

    # ── what is there ──

    def live(self, state: State | None = None, run: str | None = None) -> list[Event]:
        found = [e for e in self.events.values() if e.live and state in (None, e.state) and run in (None, e.run)]
        return sorted(found, key=lambda e: e.id)

    def offered(self, lane: str, types: Iterable[str] | None) -> list[Event]:
        """What a claim may take, the first first."""
        ready = [e for e in self.live(State.READY) if e.lane == lane and (types is None or e.type in types)]
        return sorted((e for e in ready if self._plays(e) and not self.paused(e)), key=lambda e: e.order)

    def paused(self, event: Event, *, whole: bool = True) -> bool:
        """Whether it is not to be given out: its type, there or everywhere; with `whole`, its lane too."""
        kinds = ("", event.type) if whole else (event.type,)
        return any((lane, kind) in self.pauses for lane in ("", event.lane) for kind in kinds)

    def places(self, lane: str, rank: int, last: int, count: int, *, ready: bool = True) -> range:
        """Where so many new events of a key stand whose last place is `last`: behind the first that is ready and not
        below the floor; where nothing is, behind the last place that was ever given, else that of the runs that play.
        """
        floor, top = self.floors.get((lane, rank), (0, None))
        in_lane = (e.place for e in self.live(State.READY) if (e.lane, e.rank) == (lane, rank))
        low = min((place for place in in_lane if place >= floor), default=None)
        if top is None:
            top = max((run.last_place for run in self.runs.values() if run.status == "running"), default=0)
        first = max(top if low is None else low, last) + 1
        if count:
            seen = low if low is not None else first if ready else 0
            self.floors[lane, rank] = max(floor, seen), max(top, low or 0, first + count - 1)
        return range(first, first + count)

    def _plays(self, event: Event) -> bool:
        return event.run is None or self.runs[event.run].status == "running"

    # ── engines ──

    def claim(self, name: str, claim: str, taken: Sequence[int]) -> None:
        for event in (self.events[i] for i in taken):
            event.state, event.number, event.claims = State.LEASED, event.number + 1, event.claims + 1
            event.engine, event.claim, event.lost_by, event.run_at = name, claim, None, None
            event.leased_at, event.until = self.now, self.now + LEASE

    def held(self, name: str, claim: str | None = None) -> list[Event]:
        return [e for e in self.live(State.LEASED) if e.engine == name and claim in (None, e.claim)]

    def beat(self, name: str, listed: dict[int, int] | None) -> tuple[list[int], list[int], list[int]]:
        """A heartbeat; `listed`: events with their numbers. Returns what is renewed, lost, and cancelled."""
        self.engines[name].heard = self.now
        mine = self.held(name)
        if listed is None:
            for event in mine:
                assert event.leased_at is not None
                event.until = min(self.now + LEASE, event.leased_at + LONGEST)
            return [e.id for e in mine], [], []
        renewed = [e for e in mine if listed.get(e.id) == e.number]
        for event in renewed:
            event.until = self.now + LEASE
        forgotten = [e for e in mine if e.id not in listed and (e.leased_at or 0) < self.now - 2 * BEAT]
        self._hand_back(forgotten)
        lost = sorted(listed.keys() - {e.id for e in renewed})
        return [e.id for e in renewed], lost, [i for i in lost if self.events[i].state == State.CANCELLED]

    def leave(self, name: str) -> None:
        self.engines[name].status = "gone"
        self._hand_back(self.held(name))

    def silence(self) -> None:
        for engine in self.engines.values():
            if engine.heard < self.now - max(5 * BEAT, 2 * LEASE):
                engine.status = "gone"

    def _hand_back(self, leases: list[Event]) -> None:
        for event in leases:
            assert event.engine is not None
            self.say(event.engine, [Word(event.id, event.number, "handed_back")])

    def say(self, name: str, words: Sequence[Word]) -> list[str]:
        """One request of an engine. Returns the answers; a run whose step is over by it has open = 0."""
        status = {run: self.runs[run].status for run in self.runs}
        answers = {}
        for word in sorted(words, key=lambda w: ("completed", "failed").index(w.what) if w.what[0] in "cf" else 2):
            answers[word.event] = self._word(name, word, status)
        return [answers[word.event] for word in words]

    def _word(self, name: str, word: Word, status: dict[str, str]) -> str:
        event = self.events.get(word.event)
        if event is None:
            return "unknown"
        kind = {"completed": 0, "failed": FAILED}.get(word.what, BACK)
        if word.what == "busy" and self._too_busy(event):
            kind = FAILED
        leased = event.state == State.LEASED and event.engine == name
        swept = event.state in (State.SCHEDULED, State.READY, State.HELD) and event.lost_by == name
        if not (leased or swept) or word.number not in (None, event.number):
            return self._missed(event, name, word.number, kind)
        event.losses -= swept
        event.lost_by = None
        if kind == 0:
            self.attempts.pop((event.id, event.number), None)
            event.closing, event.state, event.engine = 1, State.SUCCEEDED, name
            self._ended(event)
            return "done"
        self.attempts[event.id, event.number] = Attempt(kind, name, self.now, kind == BACK and word.what == "busy")
        if kind == FAILED:
            self._failed(event, word)
        elif word.what == "busy":
            event.backs += 1
            event.free(State.SCHEDULED)
            self.waits[event.id] = word.wait or 0
        else:
            event.backs += 1
            stands = event.run is not None and status[event.run] != "running"
            event.free(State.HELD if stands else State.READY)
        return "done"

    def _failed(self, event: Event, word: Word) -> None:
        base = RETRY if event.run is None else RETRY_OF_RUNS
        self.waits[event.id] = max(word.wait or 0, min(base * 2**event.failures, 3600))
        event.failures += 1
        self._free_or_dead(event, word.permanent or event.failures >= event.most_failures, State.SCHEDULED)

    def _too_busy(self, event: Event) -> bool:
        numbers = [n for (i, n), a in self.attempts.items() if i == event.id and a.kind == FAILED]
        since = [
            a.at for (i, n), a in self.attempts.items() if i == event.id and a.put_off and n > max(numbers, default=0)
        ]
        return bool(since) and (len(since) >= PUT_OFF[0] or self.now - min(since) >= PUT_OFF[1])

    def _missed(self, event: Event, name: str, number: int | None, kind: int) -> str:
        if kind == 0:
            before = event.state == State.SUCCEEDED and event.engine == name and number in (None, event.number)
        else:
            wanted = event.number if number is None and event.live else number
            attempt = self.attempts.get((event.id, -1 if wanted is None else wanted))
            before = attempt is not None and (attempt.kind, attempt.engine) == (kind, name)
        return "done" if before else "stale"

    def _free_or_dead(self, event: Event, died: bool, else_state: State) -> None:
        event.free(State.DEAD if died else else_state)
        run = self.runs.get(event.run or "")
        if died and run is not None and run.status == "running":
            run.status = "blocked"

    def _ended(self, event: Event) -> None:
        if event.run is not None:
            self.runs[event.run].open -= 1

    # ── loops ──

    def sweep(self) -> None:
        for event in self.live(State.LEASED):
            assert event.until is not None
            assert event.engine is not None
            if event.until < self.now:
                self.attempts[event.id, event.number] = Attempt(LOST, event.engine, self.now)
                event.losses, event.lost_by = event.losses + 1, event.engine
                self._free_or_dead(event, event.losses >= event.most_losses, State.READY)

    def promote(self) -> None:
        for event in self.live(State.SCHEDULED):
            if (event.run_at or 0) <= self.now:
                event.state, event.run_at = State.READY, None
        for event in self.live(State.READY):
            if event.run is not None and not self._plays(event):
                event.state = State.HELD

    def move(self) -> None:
        """What is ready and of a paused type is held; what is held and is not, goes on where its run plays."""
        for event in self.live():
            paused = self.paused(event, whole=False)
            if event.state == State.READY and paused:
                event.state = State.HELD
            elif event.state == State.HELD and not paused and self._plays(event):
                event.state = State.READY

    # ── people ──

    def cancel(self, events: Iterable[Event]) -> None:
        for event in events:
            event.closing = int(event.state == State.LEASED)
            event.state, event.number = State.CANCELLED, event.number + 1
            self._ended(event)

    def redrive(self, dead: Iterable[Event], further: tuple[int, int] = AGAIN) -> None:
        for event in dead:
            event.state, event.number, event.lost_by = State.READY, event.number + 1, None
            event.most_failures, event.most_losses = event.failures + further[0], event.losses + further[1]

    def discard(self, event: Event) -> None:
        event.state, event.number, event.engine = State.DISCARDED, event.number + 1, None
        self._ended(event)

    def unblock(self, dealt: Iterable[Event]) -> None:
        """Runs whose dead letters are all dealt with go on."""
        for name in {event.run for event in dealt if event.run is not None}:
            if self.runs[name].status == "blocked" and not self.live(State.DEAD, name):
                self.resume(name)

    def resume(self, name: str) -> None:
        self.runs[name].status = "running"
        self.redrive(self.live(State.DEAD, name), (TRIES, LOSSES))
        for event in self.live(State.HELD, name):
            event.state = State.READY

    def end(self, name: str) -> None:
        self.runs[name].status = "cancelled"
        self.cancel(self.live(run=name))

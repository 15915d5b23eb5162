"""A walk through every transition of the queue, one after the other, that does not wait for chance to find them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.integration.queue.model.machine import LANES, SEATS, TICK, TYPES, QueueMachine
from tests.integration.queue.model.model import LEASE, Event, State, Word
from tests.integration.queue.model.service import Service

Walk = Callable[["Guide"], None]


class Guide:
    """Moves a machine by hand, and compares after each step."""

    def __init__(self, machine: QueueMachine) -> None:
        self.machine = machine
        self.model = machine.model
        machine.begin(0, 0)
        self.other_lane, self.second, self.first = machine.names[-1], machine.names[-2], machine.names[-3]
        self.claims = 0

    def then(self, step: Callable[..., Any], *args: Any, **more: Any) -> None:
        step(*args, **more)
        self.machine.the_database_is_what_the_model_says()

    def put(
        self, count: int = 1, lane: str = LANES[0], kind: str = TYPES[0], rank: int = 4, *, later: bool = False
    ) -> None:
        self.then(self.machine.put, count, lane, kind, 9 - rank, later=later)

    def run(self) -> str:
        self.then(self.machine.start)
        return list(self.model.runs)[-1]

    def take(self, name: str, most: int = 1, kind: str | None = None, claim: str | None = None) -> list[Event]:
        """Claim; what the engine holds under that claim now."""
        self.claims += 1
        claim = claim or f"t{self.claims}"
        self.then(self.machine.take, name, claim, most, kind)
        return self.model.held(name, claim)

    def say(self, name: str, what: str, *events: Event, shift: int | None = 0, **more: Any) -> None:
        """Of each event, with its present number shifted; None: without one."""
        words = [Word(e.id, None if shift is None else e.number + shift, what, **more) for e in events]
        self.then(self.machine.send, name, words)

    def wait(self, ticks: int, *, sweep: bool = False, promote: bool = False) -> None:
        self.then(self.machine.time_passes, ticks, promote, sweep)

    def people(self, verb: str, event: Event | None = None) -> None:
        self.then(self.machine.correct, verb, event)

    def operate(self, verb: str, lane: str = "", kind: str = "") -> None:
        self.then(self.machine.operate, verb, lane, kind)

    def command(self, verb: str, run: str) -> None:
        self.then(self.machine.order, run, verb)


def order_and_priority(g: Guide) -> None:
    g.put(2)
    g.put(rank=0)
    g.put(kind=TYPES[1])
    g.put(lane=LANES[1])
    g.put(later=True)
    g.take(g.first, 1)
    g.take(g.second, 1, TYPES[1])
    g.take(g.first, 5)
    g.take(g.other_lane, 5)
    g.wait(1, promote=True)
    g.take(g.first, 5)
    g.wait(1, promote=True)
    g.take(g.first, 5)


def fence(g: Guide) -> None:
    g.put(5)
    mine = g.take(g.first, 5)
    for what in ("completed", "failed", "handed_back"):
        g.say(g.first, what, *mine, shift=-1)
        g.say(g.first, what, *mine, shift=1)
        g.say(g.second, what, *mine)
        g.say(g.second, what, *mine, shift=None)
    g.say(g.first, "completed", mine[0])
    g.say(g.first, "completed", mine[0])
    g.say(g.second, "completed", mine[0])
    g.say(g.first, "failed", mine[1])
    g.say(g.first, "failed", mine[1])
    g.say(g.second, "failed", mine[1])
    g.say(g.first, "handed_back", mine[2])
    g.say(g.first, "handed_back", mine[2])
    g.say(g.first, "completed", mine[2])
    g.say(g.first, "completed", mine[3], shift=None)
    g.take(g.second, 1)
    g.say(g.first, "completed", mine[2])


def claims_repeated(g: Guide) -> None:
    g.put(4)
    mine = g.take(g.first, 2, claim="lost")
    g.take(g.first, 2, claim="lost")
    g.say(g.first, "completed", mine[0])
    g.take(g.first, 2, claim="lost")
    g.say(g.first, "completed", mine[1])
    g.take(g.first, 2, claim="lost")
    g.take(g.second, 2, claim="lost")


def failures(g: Guide) -> None:
    g.put(3)
    for tries in range(2):
        mine = g.take(g.first, 5)
        g.say(g.first, "failed", *mine[:2], wait=2000.0)
        g.say(g.first, "failed", *mine[2:], **({"permanent": True} if not tries else {}))
        g.wait(1, promote=True)
        g.take(g.first, 5)
        g.wait(6, promote=True)
    dead = g.model.live(State.DEAD)
    assert len(dead) == 3
    g.say(g.first, "completed", *dead)
    g.people("retry", dead[0])
    g.say(g.first, "completed", dead[0], shift=-1)
    g.people("discard", dead[1])
    g.people("redrive")
    for _ in range(3):
        g.say(g.first, "failed", *g.take(g.first, 5))
        g.wait(6, promote=True)
    for verb in ("discard", "retry", "cancel"):
        for event in list(g.model.events.values()):
            g.people(verb, event)


def losses(g: Guide) -> None:
    g.put(5)
    mine = g.take(g.first, 5)
    g.wait(1, sweep=True)
    g.then(g.machine.slow_sweep)
    g.wait(3)
    g.say(g.first, "completed", mine[4])
    g.wait(0, sweep=True)
    g.say(g.first, "completed", mine[0])
    g.say(g.first, "failed", mine[1])
    g.say(g.first, "handed_back", mine[2])
    g.take(g.second, 1)
    g.say(g.first, "completed", *mine[2:4])
    g.wait(6, sweep=True, promote=True)
    for _ in range(2):
        g.take(g.second, 5)
        g.wait(6, sweep=True)
    assert g.model.live(State.DEAD)
    g.say(g.second, "completed", *g.model.live(State.DEAD))
    g.people("redrive")
    g.say(g.second, "completed", *g.model.live(State.READY))


def heartbeats(g: Guide) -> None:
    g.put(4)
    mine = g.take(g.first, 4)
    g.wait(1)
    listed = {event.id: event.number for event in mine[:2]}
    g.then(g.machine.renew, g.first, listed | {mine[2].id: mine[2].number + 1})
    g.wait(1)
    g.then(g.machine.renew, g.first, listed)
    assert [event.state for event in mine] == [State.LEASED] * 2 + [State.READY] * 2
    g.then(g.machine.renew, g.second, listed)
    g.wait(1, sweep=True)
    g.then(g.machine.renew, g.first, listed)
    g.people("cancel", mine[0])
    g.then(g.machine.renew, g.first, listed)
    g.say(g.first, "completed", mine[0], shift=-1)
    g.then(g.machine.renew, g.first, None)
    g.wait(1, sweep=True)
    g.then(g.machine.renew, g.first, None)
    g.wait(LEASE // TICK, sweep=True)


def busy(g: Guide) -> None:
    g.put(1)
    for _ in range(3):
        mine = g.take(g.first, 1)
        g.say(g.first, "busy", *mine, wait=2000.0)
        g.say(g.first, "busy", *mine, wait=2000.0)
        g.wait(6, promote=True)


def engines(g: Guide) -> None:
    g.put(3)
    mine = g.take(g.first, 2)
    g.then(g.machine.go, g.first, "drains")
    g.take(g.first, 1)
    g.then(g.machine.go, g.first, "leaves")
    g.say(g.first, "completed", mine[0])
    g.then(g.machine.renew, g.first, {})
    g.take(g.first, 1)
    g.take(g.second, 1)
    g.wait(3)
    g.then(g.machine.go, g.second, "is silent")
    g.wait(3)
    g.then(g.machine.go, g.second, "is silent")
    g.say(g.second, "completed", *g.model.held(g.second))


def runs(g: Guide) -> None:
    run, other = g.run(), g.run()
    mine = g.take(g.first, SEATS)
    g.say(g.first, "completed", mine[0])
    g.command("pause", run)
    g.command("pause", run)
    g.take(g.second, 1)
    g.say(g.first, "completed", mine[1])
    g.wait(0, promote=True)
    g.command("pause", other)
    g.say(g.second, "handed_back", *g.model.held(g.second))
    g.wait(6, sweep=True, promote=True)
    g.take(g.second, 5)
    g.command("resume", run)
    g.take(g.second, 5)
    g.command("resume", other)
    g.say(g.second, "completed", *g.model.held(g.second))
    g.say(g.first, "completed", *g.take(g.first, 5))
    for verb in ("resume", "cancel", "pause"):
        g.command(verb, run)
    assert g.model.runs[run].status == "completed"


def standing_runs(g: Guide) -> None:
    """What is ready in a run that stands still is left alone, also before the promoter has held it."""
    run = g.run()
    g.put(2)
    g.command("pause", run)
    g.take(g.first, 1)
    g.take(g.second, 5)
    g.wait(0, promote=True)
    g.command("resume", run)
    g.take(g.second, 5)
    g.command("pause", run)
    g.wait(3, sweep=True)
    g.take(g.second, 5)
    g.command("cancel", run)


def dead_letters_of_runs(g: Guide) -> None:
    run = g.run()
    mine = g.take(g.first, 5)
    g.say(g.first, "failed", mine[0], permanent=True, wait=2000.0)
    assert g.model.runs[run].status == "blocked"
    g.command("pause", run)
    g.say(g.first, "failed", mine[1], wait=2000.0)
    g.wait(6, promote=True)
    g.people("retry", mine[0])
    g.command("resume", run)
    for _ in range(2):
        g.take(g.first, 5)
        g.wait(6, sweep=True)
    g.people("discard", mine[0])
    g.command("resume", run)
    g.say(g.first, "completed", *g.take(g.first, 5))
    g.say(g.second, "completed", *g.take(g.second, 1))
    left = g.take(g.first, 1)
    g.command("cancel", run)
    g.command("cancel", run)
    g.say(g.first, "completed", *left, shift=-1)


def pauses(g: Guide) -> None:
    """Of a type in one lane, a type, a lane, everything; held and released by a pass that may come late."""
    one, two = TYPES
    for lane, kind in ((LANES[0], one), ("", one), (LANES[0], ""), ("", "")):
        g.put(2)
        g.put(1, kind=two)
        g.put(1, LANES[1])
        held = g.take(g.first, 1)
        g.operate("pause", lane, kind)
        g.take(g.first, 5)
        g.take(g.second, 5, one)
        g.take(g.other_lane, 5)
        g.put(1, LANES[1])
        g.operate("move")
        g.say(g.first, "failed", *held, wait=2000.0)
        g.operate("move")
        g.wait(4, promote=True)
        g.take(g.first, 5)
        g.operate("move")
        g.operate("resume", lane, kind)
        g.take(g.first, 5)
        g.operate("move")
        for name in (g.first, g.second, g.other_lane):
            g.take(name, 9)
            g.say(name, "completed", *g.model.held(name))
        assert not g.model.live(), f"something is left after {lane!r}, {kind!r}"


def paused_runs(g: Guide) -> None:
    """The type of a run's events is paused; the run is paused and goes on meanwhile, and after it."""
    run = g.run()
    g.operate("pause", "", "decide")
    g.operate("move")
    g.take(g.first, 5)
    for between in ((), ("move",), ("resume", "move")):
        g.command("pause", run)
        g.wait(0, promote=True)
        for step in between:
            g.operate(step, "", "decide") if step == "resume" else g.operate(step)
        g.command("resume", run)
        g.take(g.first, 5)
        g.operate("move")
    g.say(g.first, "completed", *g.model.held(g.first))
    g.operate("pause", "", "decide")
    g.operate("move")
    g.command("cancel", run)
    g.operate("resume", "", "decide")
    g.operate("move")


def time_of_a_lane(g: Guide) -> None:
    """It never goes back: not where the lane is empty, nor where an old event is tried again."""
    g.put()
    (old,) = g.take(g.first, 1)
    g.put(3)
    g.put(later=True)
    g.say(g.first, "handed_back", old)
    g.put(2, later=True)
    g.run()
    g.say(g.first, "completed", *g.take(g.first, 5))
    g.say(g.first, "completed", *g.take(g.first, 5))
    g.run()
    g.put(2)


WALKS: tuple[Walk, ...] = (
    order_and_priority, pauses, paused_runs, time_of_a_lane, fence, claims_repeated, failures, losses, heartbeats, busy,
    engines, runs, standing_runs, dead_letters_of_runs,
)  # fmt: skip


def walk_all(service: Service) -> None:
    """Every walk in a queue of its own. An error says which walk it was on."""
    for walk in WALKS:
        try:
            walk(Guide(QueueMachine.of(service)()))
        except BaseException as error:
            error.add_note(f"on the walk {walk.__name__}")
            raise

"""Hypothesis drives the service and the model alike; after each step the database must hold what the model says."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.integration.queue.model.model import (
    LEASE,
    LOSSES,
    TRIES,
    Engine,
    Event,
    Model,
    Run,
    State,
    Word,
)
from tests.integration.queue.model.service import Service
from tests.integration.runs.desk import crowd, reply

DRIFT = 60.0
"""Seconds that a whole example may really take: the model's clock stands still meanwhile. All that the model's times
are compared with is further from them."""
TICK, LATER = 700, 1000
SEATS, TURNS = 2, 2
MOST_EVENTS = 14
TYPES = ("one", "two")
LANES = ("actor", "other")
ENGINES, MOST_RUNS = 4, 3
PICK = st.integers(0, 999)
WHO = st.integers(-3, -1)
"""Engines from the last one that came; the fourth last is spoken for by nobody any more."""
KINDS = st.sampled_from([None, None, None, *TYPES, "decide"])
Said = tuple[int, str, str]
WORDS = st.lists(
    st.tuples(
        PICK,
        st.sampled_from([*["present"] * 7, "old", "future", "none"]),
        st.sampled_from(
            [*["completed"] * 4, "failed", "failed", "failed_for_good", "handed_back", "handed_back", "busy"]
        ),
    ),
    min_size=1,
    max_size=3,
)


class QueueMachine(RuleBasedStateMachine):
    """`service` is set by whoever runs it (`of`)."""

    service: ClassVar[Service]
    steps: ClassVar[int] = 0
    digest: ClassVar[str | None] = None

    @classmethod
    def of(cls, service: Service) -> type[QueueMachine]:
        return type("QueueMachine", (cls,), {"service": service, "steps": 0, "digest": None})

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.events: dict[int, dict[str, Any]] = {}
        self.discarded: set[str] = set()
        self.names: list[str] = []
        self.claims = 0

    @initialize(runs=st.integers(0, 2), events=st.integers(0, 3))
    def begin(self, runs: int, events: int) -> None:
        self.service.empty()
        for lane in (LANES[0], LANES[0], LANES[1]):
            self._register(lane)
        for _ in range(runs):
            self.start()
        self.put(events, LANES[0], TYPES[0], 5, later=False)

    # ── the work comes ──

    @rule(
        count=st.integers(1, 3), lane=st.sampled_from(LANES), kind=st.sampled_from(TYPES),
        priority=st.sampled_from([5, 5, 9]), how=st.sampled_from(["now", "now", "later", "once", "run", "run"]),
    )  # fmt: skip
    def work_comes(self, count: int, lane: str, kind: str, priority: int, how: str) -> None:
        if len(self.model.live()) >= MOST_EVENTS:
            return
        if how == "run":
            self.start()
        elif how == "once":
            self.put_once("ab"[count % 2])
        else:
            self.put(count, lane, kind, priority, later=how == "later")

    def put(self, count: int, lane: str, kind: str, priority: int, *, later: bool) -> None:
        item = self._item(lane, kind, priority)
        if later:
            item["scheduled_for"] = self.service.fetch("SELECT (now() + $1 * interval '1 s')::text AS t", LATER)[0]["t"]
        made = self.service.get("POST", "/events", {"events": [item] * count}) if count else []
        for place, event in zip(self._loose(lane, 9 - priority, count, later=later), made, strict=True):
            self._add(event["id"], None, lane, kind, 9 - priority, place)
            if later:
                row = self.model.events[event["id"]]
                row.state, row.run_at = State.SCHEDULED, self.model.now + LATER

    def put_once(self, key: str) -> None:
        item = {**self._item(LANES[0], TYPES[0], 5), "dedupe_key": key}
        answer = self.service.ask("POST", "/events", item)
        known = {event["dedupe_key"]: i for i, event in self.events.items() if "dedupe_key" in event}
        event_id = answer.json()["id"]
        assert (answer.status_code, known.get(key)) == ((200, event_id) if key in known else (201, None))
        if key not in known:
            (place,) = self._loose(LANES[0], 4, 1, later=False)
            self._add(event_id, None, LANES[0], TYPES[0], 4, place)
            self.events[event_id] = {"dedupe_key": key}

    def start(self) -> None:
        if len(self.model.runs) == MOST_RUNS:
            return
        if self.service.ask("GET", "/templates/scenarios/crowd").status_code == 404:
            self.service.get("POST", "/templates/scenarios", crowd(SEATS, TURNS))
        choices = {"max_failures": TRIES, "max_losses": LOSSES}
        run = self.service.get("POST", "/runs", {"scenario": "crowd", "choices": choices})["id"]
        self.model.runs[run] = Run(turns=TURNS, step=0)
        self._advance()

    @rule(ticks=st.sampled_from([0, 1, 3, 6]), promote=st.booleans(), sweep=st.booleans())
    def time_passes(self, ticks: int, promote: bool, sweep: bool) -> None:
        """And the loops look at what is due, or do not get to it."""
        self.service.pass_time(ticks * TICK)
        self.model.now += ticks * TICK
        if sweep:
            self.sweep()
        if promote:
            self.promote()

    def sweep(self) -> None:
        self.service.sweep()
        self.model.sweep()

    def promote(self) -> None:
        self.service.promote()
        self.model.promote()

    @rule()
    def slow_sweep(self) -> None:
        """A sweep that looked long ago: what it found has been renewed, finished or claimed anew meanwhile."""
        self.service.sweep_these([event for event in self.model.events.values() if event.claims])
        self.model.sweep()

    # ── engines ──

    @rule(who=WHO, most=st.integers(1, 5), kind=KINDS, marked=st.booleans(), words=WORDS)
    def work(self, who: int, most: int, kind: str | None, marked: bool, words: list[Said]) -> None:
        """An engine claims and says what became of some of it."""
        name = self._claim_anew(who, most, kind, marked=marked)
        self._say(name, words)

    @rule(who=WHO)
    def good_work(self, who: int) -> None:
        """An engine does all that it gets, as most of them do most of the time."""
        name = self._claim_anew(who, 5, None, marked=True)
        self.send(name, [Word(event.id, event.number, "completed") for event in self.model.held(name)])

    @rule(who=WHO, most=st.integers(1, 5), kind=KINDS, marked=st.booleans())
    def claim(self, who: int, most: int, kind: str | None, marked: bool) -> None:
        self._claim_anew(who, most, kind, marked=marked)

    @rule(who=WHO, which=PICK, most=st.integers(1, 5))
    def claim_again(self, who: int, which: int, most: int) -> None:
        """The answer to a claim was lost: the same is asked once more, also long after."""
        if self.claims:
            self.take(self.names[who], f"c{self.claims - which % min(self.claims, 4)}", most, None, repeat=1)

    def _claim_anew(self, who: int, most: int, kind: str | None, *, marked: bool) -> str:
        self.claims += 1
        self.take(self.names[who], f"c{self.claims}", most, kind, marked=marked, repeat=0)
        return self.names[who]

    def take(
        self, name: str, claim: str, most: int, kind: str | None, *, marked: bool = False, repeat: int | None = None
    ) -> None:
        self.service.claimers.remembering = marked
        types = [kind] if kind else None
        body = {"engine_id": name, "claim_id": claim, "max": most, "event_types": types, "repeat": repeat}
        answer = self.service.ask("POST", "/events/claim", body)
        engine, held = self.model.engines[name], self.model.held(name, claim)
        if engine.status == "gone":
            assert answer.status_code == 404
            return
        engine.heard = self.model.now
        given = [event["id"] for event in answer.json()]
        if held:
            assert given == [event.id for event in sorted(held, key=lambda e: e.order)]
        else:
            offered = self.model.offered(engine.lane, [kind] if kind else None) if engine.status == "active" else []
            wanted = [event.id for event in offered]
            if marked:  # what became ready below the mark by other means than this process is found a second later
                assert set(given) <= set(wanted)
                assert given == sorted(given, key=lambda i: self.model.events[i].order)
                assert len(given) == min(most, len(wanted))
            else:
                assert given == wanted[:most]
            self.model.claim(name, claim, given)
        numbers = {event["id"]: (event["lease_no"], event["attempt"]) for event in answer.json()}
        assert numbers == {i: (self.model.events[i].number, self.model.events[i].claims) for i in given}

    @rule(who=WHO, words=WORDS, repeat=st.booleans())
    def say(self, who: int, words: list[Said], repeat: bool) -> None:
        """An engine says what became of events, its own for the most part; sometimes twice, in two requests."""
        owing = [name for name in self.model.engines if self._mine(name)] or self.names
        name = owing[who % len(owing)]
        said = self._say(name, words)
        if repeat:
            self.send(name, said)

    def _say(self, name: str, words: list[Said]) -> list[Word]:
        found = (self._word(name, *word) for word in words)
        said = list({word.event: word for word in found if word is not None}.values())
        self.send(name, said)
        return said

    def send(self, name: str, said: list[Word]) -> None:
        items = [self._finish(word) for word in said]
        answer = self.service.get("PUT", "/events/status", {"engine_id": name, "events": items})
        of = {word.event: self.model.events[word.event].run for word in said if word.event in self.model.events}
        expected: dict[int, str] = {}
        for run in sorted({of.get(word.event) for word in said}, key=lambda run: run or ""):
            # One transaction each: events without a run first, then run by run; each commits its step before the next.
            group = [word for word in said if of.get(word.event) == run]
            expected |= {word.event: told for word, told in zip(group, self.model.say(name, group), strict=True)}
            self._advance()
        assert {item["event_id"]: item["state"] for item in answer["results"]} == expected, said
        self._settle_waits()

    def _word(self, name: str, pick: int, number: str, what: str) -> Word | None:
        mine = self._mine(name)
        events = mine if mine and pick % 8 else list(self.model.events.values())
        if not events:
            return Word(10**9 + pick, 1, what) if what == "completed" else None
        event = events[pick % len(events)]
        lease = {"present": event.number, "old": max(0, event.number - 1), "future": event.number + 1, "none": None}
        permanent, kind = what == "failed_for_good", what.removesuffix("_for_good")
        waits = kind == "busy" or (kind == "failed" and (event.run is not None or pick % 2 == 0))
        return Word(event.id, lease[number], kind, 2000.0 if waits else None, permanent)

    def _mine(self, name: str) -> list[Event]:
        """What an engine holds, and what it lost and nobody claimed since."""
        return self.model.held(name) + [event for event in self.model.live() if event.lost_by == name]

    def _finish(self, word: Word) -> dict[str, Any]:
        item: dict[str, Any] = {"event_id": word.event, "lease_no": word.number, "status": word.what}
        if word.what == "completed":
            seen = self.events.get(word.event, {})
            return item | {"result": reply(seen) if "seat" in seen else {"content": "hi"}}
        if word.what == "busy":
            return item | {"status": "handed_back", "code": "model_overloaded", "retry_after": word.wait}
        if word.what == "failed":
            return item | {"error": "it broke", "retry_after": word.wait, "permanent": word.permanent}
        return item

    @rule(who=WHO, left_out=st.sampled_from([None, 0, 0, 1, 2]), more=PICK, old=st.booleans(), whole=st.booleans())
    def beat(self, who: int, left_out: int | None, more: int, old: bool, whole: bool) -> None:
        """A heartbeat: with the leases that it holds, one that it does not, and without some; or without any list."""
        name = self.names[who]
        listed = None if whole else {e.id: e.number for e in self.model.held(name)[left_out or 0 :]}
        if listed is not None and self.model.events and left_out is None:
            other = list(self.model.events.values())[more % len(self.model.events)]
            listed[other.id] = max(1, other.number - old)
        self.renew(name, listed)

    def renew(self, name: str, listed: dict[int, int] | None) -> None:
        leases = None if listed is None else [{"event_id": i, "lease_no": n} for i, n in listed.items()]
        answer = self.service.ask("PUT", f"/engine-instances/{name}/heartbeat", {"leases": leases})
        if self.model.engines[name].status == "gone":
            assert answer.status_code == 404
            return
        renewed, lost, cancelled = self.model.beat(name, listed)
        found = answer.json()
        assert (found["renewed"], found["lost"], found["cancel"]) == (sorted(renewed), lost, cancelled)

    @rule(who=WHO, how=st.sampled_from(["drains", "leaves", "leaves", "is silent"]))
    def engine_goes(self, who: int, how: str) -> None:
        """And another one comes; what the first still says counts for as long as its leases do."""
        self.go(self.names[who], how)

    def go(self, name: str, how: str) -> None:
        gone = self.model.engines[name].status == "gone"
        if how == "is silent":
            self.service.silence()
            self.model.silence()
        elif how == "leaves":
            assert self.service.ask("DELETE", f"/engine-instances/{name}").status_code == (404 if gone else 204)
            if not gone:
                self.model.leave(name)
        elif not gone:
            self.service.get("PUT", f"/engine-instances/{name}/heartbeat", {"status": "draining"})
            self.model.beat(name, None)
            self.model.engines[name].status = "draining"
        self._register(self.model.engines[name].lane)

    # ── people ──

    @precondition(lambda self: self.model.events)
    @rule(which=PICK, verb=st.sampled_from(["cancel", "retry", "retry", "discard", "discard", "redrive"]))
    def people(self, which: int, verb: str) -> None:
        """They end events without a run, and send dead letters to work again or give them up; 409 for others."""
        dead = self.model.live(State.DEAD)
        events = dead if verb != "cancel" and dead and which % 4 else list(self.model.events.values())
        self.correct(verb, None if verb == "redrive" else events[which % len(events)])

    def correct(self, verb: str, event: Event | None) -> None:
        if event is None:
            dead = self.model.live(State.DEAD)
            assert self.service.get("POST", "/events/dead/redrive")["redriven"] == [event.id for event in dead]
            self.model.redrive(dead)
            self.model.unblock(dead)
            return
        answer = self.service.ask("POST", f"/events/{event.id}/{verb}")
        if verb == "cancel":
            may = event.run is None and (event.live or event.state == State.CANCELLED)
            self.model.cancel([event] if may and event.live else [])
        elif may := event.state == State.DEAD:
            self.model.redrive([event]) if verb == "retry" else self.model.discard(event)
            self.discarded |= {event.run} if event.run and verb == "discard" else set()
            self.model.unblock([event])
        assert answer.status_code == (200 if may else 409), (verb, event)
        self._advance()

    @precondition(lambda self: self.model.runs)
    @rule(which=PICK, command=st.sampled_from(["resume", "pause", "resume", "pause", "resume", "resume", "cancel"]))
    def command(self, which: int, command: str) -> None:
        self.order(list(self.model.runs)[which % len(self.model.runs)], command)

    def order(self, name: str, command: str) -> None:
        run = self.model.runs[name]
        answer = self.service.ask("POST", f"/runs/{name}/{command}")
        refused = {"pause": ("blocked", "completed", "cancelled"), "resume": ("completed", "cancelled"),
                   "cancel": ("completed",)}[command]  # fmt: skip
        assert answer.status_code == (409 if run.status in refused else 200)
        if answer.status_code == 409:
            return
        if command == "pause":
            run.status = "paused"
        elif command == "resume":
            self.model.resume(name)
        elif run.status != "cancelled":
            self.model.end(name)
        self._advance()

    @rule(
        kind=st.sampled_from([*TYPES, *TYPES, "decide", ""]), lane=st.sampled_from(["", *LANES]),
        verb=st.sampled_from(["pause", "resume", "resume", "resume", "move", "move"]),
    )  # fmt: skip
    def operator(self, kind: str, lane: str, verb: str) -> None:
        """Types and lanes are stopped and go on; the loop that holds and releases gets to it, or does not yet."""
        self.operate(verb, *(min(self.model.pauses) if verb == "resume" and self.model.pauses else (lane, kind)))

    def operate(self, verb: str, lane: str, kind: str) -> None:
        if verb == "move":
            self.service.move()
            self.model.move()
        elif verb == "pause":
            self.service.get("PUT", "/queue/pauses", {"lane": lane, "event_type": kind})
            self.model.pauses.add((lane, kind))
        else:
            answer = self.service.ask("DELETE", f"/queue/pauses?lane={lane}&event_type={kind}")
            assert answer.status_code == (204 if (lane, kind) in self.model.pauses else 404)
            self.model.pauses.discard((lane, kind))

    # ── what must be so ──

    @invariant()
    def the_database_is_what_the_model_says(self) -> None:
        type(self).steps += 1
        found = {i: shown(row) for i, row in self.service.rows().items()}
        expected = {i: self._expected(event) for i, event in self.model.events.items()}
        wrong = {i: (found.get(i), expected.get(i)) for i in found.keys() | expected if found.get(i) != expected.get(i)}
        assert not wrong, f"the database has, and the model expects: {wrong}"
        assert self.service.attempts() == {key: (a.kind, a.engine) for key, a in self.model.attempts.items()}
        runs = self.service.runs()
        assert {name: (r["status"], r["step"], r["open"]) for name, r in runs.items()} == {
            name: (run.status, run.step, run.open) for name, run in self.model.runs.items()
        }
        for name, run in runs.items():
            if run["status"] == "completed" and name not in self.discarded:
                type(self).digest = self.digest or run["digest"]
                assert run["digest"] == self.digest, "a disturbed run tells another story"
        assert self.service.broken() == []

    def _expected(self, event: Event) -> dict[str, Any]:
        def left(moment: float | None) -> float | None:
            return None if moment is None else moment - self.model.now

        if not event.live:
            return shown(vars(event) | {"leased_at": None, "until": None, "run_at": None, "lost_by": None})
        run_at = event.run_at if event.state == State.SCHEDULED else None
        times = {"leased_at": left(event.leased_at), "until": left(event.until), "run_at": left(run_at)}
        return shown(vars(event) | times)

    # ── helpers ──

    def _register(self, lane: str) -> None:
        body = {"engine_type": lane, "lease_seconds": LEASE, "protocol": 2}
        name = self.service.get("POST", "/engine-instances", body)["id"]
        self.model.engines[name] = Engine(lane, heard=self.model.now)
        self.names = [*self.names[1 - ENGINES :], name]

    def _item(self, lane: str, kind: str, priority: int) -> dict[str, Any]:
        data = {"prompt": uuid4().hex}
        return {"engine_type": lane, "event_type": kind, "priority": priority, "max_failures": TRIES, "data": data}

    def _loose(self, lane: str, rank: int, count: int, *, later: bool) -> range:
        """Places of events without a run; those that have a time are a key of their own."""
        key = (lane, rank, later)
        places = self.model.places(lane, rank, self.model.lasts.get(key, 0), count, ready=not later)
        if places:
            self.model.lasts[key] = places[-1]
        return places

    def _add(self, event_id: int, run: str | None, lane: str, kind: str, rank: int, place: int) -> None:
        assert event_id not in self.model.events
        self.model.events[event_id] = Event(event_id, run, lane, kind, rank, place, State.READY)
        self.service.execute("UPDATE queue SET max_losses = $2 WHERE id = $1", event_id, LOSSES)

    def _advance(self) -> None:
        """A step of which nothing is open any more is followed by the next one, or by the end of the run."""
        for name, run in self.model.runs.items():
            if run.status != "running" or run.open:
                continue
            run.step += 1
            if run.step > run.turns:
                run.status = "completed"
                continue
            made = self.service.step(name, run.step)
            assert len(made) == SEATS, f"step {run.step} of {run.turns} has {len(made)} events"
            places = self.model.places(LANES[0], 4, run.last_place, len(made))
            for place, event in zip(places, made, strict=True):
                self._add(event["id"], name, LANES[0], "decide", 4, place)
                self.events[event["id"]] = event
            run.open, run.last_place = len(made), places[-1]

    def _settle_waits(self) -> None:
        """Where the service threw dice, see that they are fair, and turn them so that the model knows them."""
        rows = self.service.rows() if self.model.waits else {}
        for event_id, wait in self.model.waits.items():
            event = self.model.events[event_id]
            if event.state == State.SCHEDULED:
                thrown = rows[event_id]["run_at"]
                assert thrown is not None
                assert wait - DRIFT < thrown < 1.25 * wait + DRIFT
                again = "UPDATE queue SET run_at = now() + $2 * interval '1 s' WHERE id = $1"
                wait = 100 * round(1.1 * wait / 100)
                self.service.execute(again, event_id, wait)
                event.run_at = self.model.now + wait
        self.model.waits.clear()


def shown(values: dict[str, Any]) -> dict[str, Any]:
    """What is compared of an event. Times in steps that are longer than what an example really takes."""
    common = ("id", "state", "number", "engine", "claims", "failures", "losses", "backs", "closing")
    live = ("run", "lane", "type", "rank", "place", "lost_by", "most_failures", "most_losses")
    found = {name: values[name] for name in (common if values["state"] > State.DEAD else common + live)}
    for name in ("run_at", "leased_at", "until"):
        moment = values.get(name)
        found[name] = None if moment is None else round((moment + DRIFT / 2) / 100) * 100
    return found

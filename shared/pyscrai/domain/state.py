"""The state of a run: a fold of its story. Facts, seats, counters and log positions; never the transcript.

`State` is what every policy decides from and what one stored fold per turn holds, so it stays small however
long the run is.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from pyscrai.domain import disclosure, pacts, talk
from pyscrai.domain.entry import Audience, Entry
from pyscrai.domain.pacts import Coalition, Offer
from pyscrai.domain.plan import Plan
from pyscrai.domain.work import End

MEMORY_THOUGHTS = 8
MEMORY_CHARACTERS = 300
"""Of one thought that a seat remembers."""
PAST_TURNS = 14
"""Turns in the summary; older ones are thinned out, every second first."""
PAST_CHARACTERS = 160
"""Of one change in the summary."""
DISCLOSURES = 50
"""Disclosures that are kept for a report, the latest ones."""


class Memory(BaseModel):
    """What a seat thought, cut to a length that it may carry along for the whole run."""

    model_config = ConfigDict(frozen=True)

    turn: int
    reasoning: str
    goals: list[str] = []


class SeatState(BaseModel):
    """What is kept of a seat: the number of its latest message (0: none yet), whether that closed, its own memory."""

    model_config = ConfigDict(frozen=True)

    last_message: int = 0
    closing: bool = False
    memory: list[Memory] = []


class Past(BaseModel):
    """A turn as it is remembered when it is out of sight: what the narrator said that it had changed."""

    model_config = ConfigDict(frozen=True)

    turn: int
    changes: list[str]


class ToolCall(BaseModel):
    """A seat's question to one of its tools."""

    model_config = ConfigDict(frozen=True)

    seat: str
    tool: str
    input: dict[str, JsonValue] = {}


class Played(BaseModel):
    """How often a step of a flow was played, and the turn of the latest time."""

    model_config = ConfigDict(frozen=True)

    times: int = 0
    turn: int = 0


class State(BaseModel):
    """Folded from story entries 1 … `seq`. `marks` are the numbers of the latest turn_started entries.

    `tool`: a call that waits for its answer; `asks_again`: the seat whose tool has answered; `tool_calls`: how many in
    a row; `documents`: what they brought, for the message that follows. `round`: of letters in this turn;
    `awaiting`: seat → the seats and coalitions whose letters of the round before it may answer; `arriving`: the same
    of this round; `happened`: how often each happening
    did; `told`: the number of the first line that people injected since the last phase ended (0: none); `reasked`:
    phases of this turn that were asked again because of `problems`; `past`: the summary of turns; `disclosures`: what
    was found of seats that told what only they knew, `disclosed`: who knows what of it.
    """

    model_config = ConfigDict(frozen=True)

    seq: int = 0
    turn: int = 0
    turn_open: bool = False
    phases_done: list[str] = []
    world: str = ""
    world_before: str = ""
    facts: dict[str, JsonValue] = {}
    moves: dict[str, str] = {}
    metrics: dict[str, JsonValue] = {}
    seats: dict[str, SeatState] = {}
    messages: int = 0
    speaker: str | None = None
    addressed: str | None = None
    results: int = 0
    issues: int = 0
    marks: list[int] = []
    wave: list[str] = []
    played: dict[str, Played] = {}
    ending: End | None = None
    tool: ToolCall | None = None
    asks_again: str | None = None
    tool_calls: int = 0
    documents: list[JsonValue] = []
    round: int = 0
    arriving: dict[str, list[str]] = {}
    awaiting: dict[str, list[str]] = {}
    coalitions: dict[str, Coalition] = {}
    offers: dict[str, Offer] = {}
    happened: dict[str, int] = {}
    told: int = 0
    reasked: list[str] = []
    problems: list[str] = []
    changes: list[str] = []
    past: list[Past] = []
    disclosures: list[str] = []
    disclosed: dict[str, Audience] = {}
    ended_by_tool: End | None = None
    end: End | None = None

    def times(self, step: str) -> int:
        """How often a step of the flow has been played."""
        return self.played[step].times if step in self.played else 0


def initial(plan: Plan) -> State:
    """The state before the first entry."""
    world = plan.scenario.world
    return State(
        world=world.text,
        world_before=world.text,
        facts=dict(world.facts),
        seats={seat: SeatState() for seat in plan.scenario.seats},
    )


def apply(state: State, entry: Entry, window: int) -> State:
    """The state after one more entry; control entries change nothing but the number.

    `window` is how many turns `marks` remembers.
    """
    change: dict[str, Any] = {"seq": entry.seq}
    step = _STEPS.get(entry.kind)
    if step is not None:
        change |= step(state, entry)
    if entry.kind == "turn_started":
        # What was injected between two turns belongs to the one that begins: nobody was asked with it before.
        change["marks"] = [*state.marks, state.told or entry.seq][-window:]
    return state.model_copy(update=change)


def fold(state: State, entries: list[Entry], window: int) -> State:
    """Apply entries in order."""
    for entry in entries:
        state = apply(state, entry, window)
    return state


def window(plan: Plan) -> int:
    """How many turns of the log a view of this run may reach back; a dialogue counts its messages, a flow its waves,
    in rounds of all seats."""
    turns = plan.scenario.context.window
    if plan.scenario.schedule.policy.startswith(("dialogue@", "flow@")):
        return turns * max(4, len(plan.scenario.seats))
    return turns


def _turn_started(state: State, entry: Entry) -> dict[str, Any]:
    fresh: dict[str, Any] = {"tool": None, "asks_again": None, "tool_calls": 0, "documents": []}
    fresh |= {"round": 0, "arriving": {}, "awaiting": {}, "offers": {}, "reasked": [], "problems": []}
    return {
        "turn": entry.turn,
        "turn_open": True,
        "phases_done": [],
        "moves": {},
        "world_before": state.world,
        **fresh,
    } | _wave(state, entry)


def _wave(state: State, entry: Entry) -> dict[str, Any]:
    """The steps of the turn that begins, and the ending that it is the last before."""
    wave, ends = entry.body.get("wave"), entry.body.get("ends")
    if not isinstance(wave, list):
        return {}
    steps = [str(step) for step in wave]
    played = {step: Played(times=state.times(step) + 1, turn=entry.turn) for step in steps}
    change: dict[str, Any] = {"wave": steps, "played": {**state.played, **played}}
    return change | ({"ending": End.model_validate(ends)} if isinstance(ends, dict) else {})


def _decision(state: State, entry: Entry) -> dict[str, Any]:
    return {"moves": {**state.moves, str(entry.seat): str(entry.body["action"])}}


def _message(state: State, entry: Entry) -> dict[str, Any]:
    if "channel" in entry.body:
        return talk.heard(state.arriving, state.coalitions, entry)
    number, seat = state.messages + 1, str(entry.seat)
    said = [part for part in (state.moves.get(seat), str(entry.body["text"])) if part]
    spoken = {"last_message": number, "closing": bool(entry.body.get("closing"))}
    return {
        "messages": number,
        "moves": {**state.moves, seat: "\n\n".join(said)},
        "speaker": seat,
        "addressed": entry.body.get("to"),
        "seats": {**state.seats, seat: state.seats.get(seat, SeatState()).model_copy(update=spoken)},
    }


def _thought(state: State, entry: Entry) -> dict[str, Any]:
    seat = str(entry.seat)
    goals: Any = entry.body.get("goals") or []
    reasoning = str(entry.body.get("reasoning") or entry.body.get("thought") or "")
    kept = Memory(turn=entry.turn, reasoning=shortened(reasoning, MEMORY_CHARACTERS), goals=[str(g) for g in goals][:3])
    known = state.seats.get(seat, SeatState())
    memory = [*known.memory, kept][-MEMORY_THOUGHTS:]
    return {"seats": {**state.seats, seat: known.model_copy(update={"memory": memory})}}


def shortened(text: str, most: int) -> str:
    """A text cut at a word, so that it is at most so many characters long."""
    if len(text) <= most:
        return text
    cut = text[: most - 1]
    return f"{cut.rpartition(' ')[0] or cut}…"


def _tool_call(state: State, entry: Entry) -> dict[str, Any]:
    asked = entry.body.get("input")
    call = ToolCall(seat=str(entry.seat), tool=str(entry.body["tool"]), input=asked if isinstance(asked, dict) else {})
    return {"tool": call, "asks_again": None, "tool_calls": state.tool_calls + 1}


def _tool_result(state: State, entry: Entry) -> dict[str, Any]:
    brought = entry.body.get("documents")
    change: dict[str, Any] = {"documents": [*state.documents, *(brought if isinstance(brought, list) else [])]}
    if entry.body.get("ends"):
        reason = f"{entry.seat} used the tool {entry.body['tool']}"
        change["ended_by_tool"] = End(outcome=str(entry.body["ends"]), reason=reason)
    return change


def _world_update(state: State, entry: Entry) -> dict[str, Any]:
    new = entry.body.get("facts")
    facts = {**state.facts, **(new if isinstance(new, dict) else {})}
    changes: Any = entry.body.get("changes") or []
    return {
        "changes": [str(change) for change in changes],
        "world": str(entry.body["narrative"]),
        "facts": {name: value for name, value in facts.items() if value is not None},
    }


def _metric(state: State, entry: Entry) -> dict[str, Any]:
    name, value = str(entry.body["metric"]), entry.body["value"]
    if entry.seat is not None:
        before = state.metrics.get(name)
        value = {**(before if isinstance(before, dict) else {}), entry.seat: value}
    return {"metrics": {**state.metrics, name: value}}


def _check(state: State, entry: Entry) -> dict[str, Any]:
    found: Any = entry.body.get("issues")
    issues = [str(issue) for issue in found] if isinstance(found, list) else []
    change: dict[str, Any] = {"issues": state.issues + len(issues)}
    if entry.body.get("action") == "reask":
        told: Any = entry.body.get("told") or issues
        change["problems"] = [*state.problems, *(str(one) for one in told)]
    if entry.body.get("check") == disclosure.CHECK:
        change["disclosures"] = [*state.disclosures, *issues][-DISCLOSURES:]
        heard: Any = entry.body["heard"]
        # Sorted, as who reads the log finds it: reports list it in this order.
        change["disclosed"] = state.disclosed | dict(sorted(heard.items()))
    return change


def _proposal(state: State, entry: Entry) -> dict[str, Any]:
    return pacts.told(state.coalitions, state.offers, entry)


def _exogenous(state: State, entry: Entry) -> dict[str, Any]:
    name, new = entry.body.get("happening"), entry.body.get("facts")
    change: dict[str, Any] = {}
    if isinstance(name, str):
        change["happened"] = {**state.happened, name: state.happened.get(name, 0) + 1}
    if isinstance(new, dict) and new:
        change["facts"] = {**state.facts, **new}
    return change


def _input(state: State, entry: Entry) -> dict[str, Any]:
    return {"told": state.told or entry.seq}


def _edit(state: State, entry: Entry) -> dict[str, Any]:
    change, new = _input(state, entry), entry.body.get("facts")
    if isinstance(new, dict):
        facts = {**state.facts, **new}
        change["facts"] = {name: value for name, value in facts.items() if value is not None}
    if isinstance(entry.body.get("world"), str):
        change["world"] = entry.body["world"]
    return change


def _phase_complete(state: State, entry: Entry) -> dict[str, Any]:
    return _phase_done(state, entry) | {"told": 0}


def _phase_done(state: State, entry: Entry) -> dict[str, Any]:
    events = entry.body.get("events")
    results = state.results + (events if isinstance(events, int) else 0)
    phase = str(entry.body["phase"])
    if "round" in entry.body:  # one round of a phase: more may follow
        return {"round": state.round + 1, "awaiting": state.arriving, "arriving": {}, "results": results}
    if entry.body.get("again"):  # its result is asked for once more
        return {"reasked": [*state.reasked, phase], "results": results}
    change: dict[str, Any] = {"phases_done": [*state.phases_done, phase], "results": results, "round": 0}
    if phase == "world_update":
        change["problems"] = []  # also where the second answer was discarded: nothing is asked a third time
    if phase == "tool" and state.tool is not None:
        # Also where the oracle's event was discarded: the seat is asked again and has to do without.
        change |= {"tool": None, "asks_again": state.tool.seat}
    elif phase == "dialogue":
        change["asks_again"] = None
    return change


def _turn_complete(state: State, _entry: Entry) -> dict[str, Any]:
    change: dict[str, Any] = {"turn_open": False, "changes": []}
    if state.changes:
        kept = [shortened(one, PAST_CHARACTERS) for one in state.changes[:3]]
        change["past"] = _thinned([*state.past, Past(turn=state.turn, changes=kept)])
    return change


def _thinned(past: list[Past]) -> list[Past]:
    """As many turns as may be kept: of the older half every second one goes, so that the far past is only coarser."""
    if len(past) <= PAST_TURNS:
        return past
    half = len(past) // 2
    return [*past[:half:2], *past[half:]]


def _outcome(_state: State, entry: Entry) -> dict[str, Any]:
    return {"end": End(outcome=str(entry.body["outcome"]), reason=str(entry.body["reason"]))}


_STEPS = {
    "turn_started": _turn_started,
    "decision": _decision,
    "message": _message,
    "thought": _thought,
    "proposal": _proposal,
    "exogenous": _exogenous,
    "input": _input,
    "edit": _edit,
    "tool_call": _tool_call,
    "tool_result": _tool_result,
    "world_update": _world_update,
    "metric": _metric,
    "check": _check,
    "phase_complete": _phase_complete,
    "turn_complete": _turn_complete,
    "outcome": _outcome,
}

"""Made-up answers of a given length, so that a policy can be played without any model.

`Manner` is how talkative seats are: what a policy asks next depends on it where seats may write, stand together, use
tools, close or be asked again.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from pyscrai.domain import pacts, talk
from pyscrai.domain.plan import Plan
from pyscrai.domain.state import State
from pyscrai.domain.work import Work

BYTES_PER_TOKEN = 4
_WORDS = "something that was said at some length and with good reasons and is remembered for a while "


class Manner(Enum):
    """The fewest calls, what is usual, the most calls."""

    QUIET = "quiet"
    USUAL = "usual"
    BUSY = "busy"


def answer(plan: Plan, state: State, work: Work, manner: Manner, tokens: float) -> dict[str, Any]:
    """A result for this work with texts of about so many tokens."""
    size = max(8, round(tokens * BYTES_PER_TOKEN))
    if work.phase == talk.PHASE:
        return _letters(plan, work, manner, size)
    if work.phase == pacts.PHASE:
        return _coalition(plan, state, work, manner, size)
    if work.phase in ("dialogue", "message"):
        return _message(plan, work, manner, size)
    if work.phase == "world_update":
        return _world(plan, state, work, manner, size)
    if work.phase == "decision":
        said = {"reasoning": text(size * 0.45, 2000), "action": text(size * 0.45, 2000)}
        return said | {"goals": [text(size * 0.1, 200)]}
    if work.phase == "tool":
        return {"content": text(size, 8000)}
    if work.phase == "validation":
        consistent = manner is not Manner.BUSY
        return {"consistent": consistent, "issues": [] if consistent else [text(size, 500)], "severity": "none"}
    if work.phase == "metrics":
        return {"values": {}}
    return {"summary": text(size * 0.7, 4000), "findings": [text(size * 0.3, 500)]}


def text(size: float, most: int) -> str:
    """So many bytes of prose, at most `most`."""
    wanted = max(1, min(round(size), most))
    return (_WORDS * (wanted // len(_WORDS) + 1))[:wanted].strip() or "-"


def _letters(plan: Plan, work: Work, manner: Manner, size: int) -> dict[str, Any]:
    to: Any = work.payload["to"]
    most, first = int(str(work.payload["letters"])), work.payload["round"] == 1
    count = {Manner.QUIET: 0, Manner.USUAL: min(1, most) if first else most, Manner.BUSY: most}[manner]
    # Whoever sits next is written to, so that everybody gets a letter.
    after = _next_seat(plan, str(work.seat))
    receivers = ([after] if after in to else []) + [one for one in to if one != after]
    receivers = receivers[: min(count, len(receivers))]
    speaks = bool(work.payload["statement"]) and manner is not Manner.QUIET
    share = size * 0.85 / max(1, len(receivers) + speaks)
    closing = manner is Manner.USUAL and not first
    letters = [{"to": one, "text": text(share, 1500), "closing": closing} for one in receivers]
    found: dict[str, Any] = {"thought": text(size * 0.15, 1000), "letters": letters}
    return found | ({"statement": text(share, 1500)} if speaks else {})


def _next_seat(plan: Plan, seat: str) -> str:
    return plan.seats[(plan.seats.index(seat) + 1) % len(plan.seats)]


def _coalition(plan: Plan, state: State, work: Work, manner: Manner, size: int) -> dict[str, Any]:
    thought = text(size * 0.4, 1000)
    if work.payload["round"] == 2:
        offers: Any = work.payload["offers"]
        accept = manner is Manner.USUAL
        answers = [{"coalition": one, "accept": accept, "reason": text(size * 0.5, 400)} for one in offers]
        return {"thought": thought, "answers": answers}
    found: dict[str, Any] = {"thought": thought, "proposal": None, "leave": []}
    others: Any = work.payload["with"]
    # Usually one pair comes together early on; at the most everybody proposes something to everybody, and in vain.
    early = manner is Manner.USUAL and state.turn == 1 and work.seat == plan.seats[0]
    if early or manner is Manner.BUSY:
        asked = [_next_seat(plan, str(work.seat))] if early else list(others)
        found["proposal"] = {"name": "together", "purpose": text(size * 0.5, 400), "with": asked}
    return found


def _message(plan: Plan, work: Work, manner: Manner, size: int) -> dict[str, Any]:
    said = {"text": text(size * 0.7, 2000), "to": None, "thought": text(size * 0.3, 1000)}
    if work.phase == "message":
        return said
    tools = plan.scenario.seats[str(work.seat)].tools if work.payload.get("tools_left") else []
    first = work.payload.get("tools_left") == plan.scenario.schedule.limits.tool_calls
    ends = [tool.name for tool in tools if tool.ends is not None]
    asks = [tool.name for tool in tools if tool.ends is None]
    if manner is Manner.QUIET and ends:
        return said | {"tool_call": {"name": ends[0], "input": {}}}
    if asks and (manner is Manner.BUSY or (manner is Manner.USUAL and first)):
        return said | {"tool_call": {"name": asks[0], "input": {}}}
    return said | {"closing": manner is Manner.QUIET, "tool_call": None}


def _world(plan: Plan, state: State, work: Work, manner: Manner, size: int) -> dict[str, Any]:
    facts = _contradiction(plan, state) if manner is Manner.BUSY and not work.payload.get("again") else {}
    changes = [text(size * 0.1, 400), text(size * 0.1, 400)]
    return {"narrative": text(size * 0.8, 6000), "facts": facts, "changes": changes}


def _contradiction(plan: Plan, state: State) -> dict[str, Any]:
    """A new fact that contradicts an old one; the first one where there is none yet."""
    declared = next(iter(plan.scenario.world.variables), None)
    if declared is not None:
        return {declared: None}
    for name, value in state.facts.items():
        if isinstance(value, str):
            return {name: 0}
        if isinstance(value, int | float):
            return {name: "otherwise"}
    return {"situation": "open"}

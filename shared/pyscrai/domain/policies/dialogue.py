"""`dialogue@1`: one speaker at a time, any number of seats. A turn is one message.

Next is the seat that was addressed, unless some seat has waited longer than twice as many messages as there are
seats; else the longest-waiting, in seat order. So two talkers cannot shut out a third.

A seat with tools may ask one instead of speaking: an oracle answers in an event of its own, and the seat is asked
again. A tool that ends the conversation gives the run its outcome.
"""

from __future__ import annotations

from pydantic import JsonValue

from pyscrai.domain.entry import draft
from pyscrai.domain.narrate import message_entry, phase_complete
from pyscrai.domain.plan import Plan
from pyscrai.domain.policies.base import Next, analysis, analysis_phases, ending, reporting, turn_complete
from pyscrai.domain.state import State, ToolCall
from pyscrai.domain.work import End, Work


def next_step(plan: Plan, state: State) -> Next:
    """The next message, what the analyst makes of it, or the end."""
    if not state.turn_open:
        return _between(plan, state)
    if state.tool is not None:
        return _ask_tool(plan, state, state.tool)
    if (by_tool := state.ended_by_tool) is not None:
        return reporting(plan, state, by_tool) or Next(entries=[turn_complete(state)], end=by_tool)
    if state.asks_again is not None:
        return _ask_seat(plan, state, state.asks_again)
    if "dialogue" not in state.phases_done:
        return _speak(plan, state)
    analysed = [phase for phase in analysis_phases(plan, state) if phase not in state.phases_done]
    if analysed:
        return analysis(plan, state, analysed)
    if (report := reporting(plan, state, _closed(plan, state))) is not None:
        return report
    return Next(entries=[turn_complete(state)])


def _between(plan: Plan, state: State) -> Next:
    # A branch may go on from after the turn in which a tool has ended the conversation: it is over there too.
    end = state.ended_by_tool or _closed(plan, state) or (ending(plan, state) if state.turn else None)
    if end is not None:
        return Next(end=end)
    body = {"turns": plan.turns, "turn_length": plan.scenario.schedule.turn_length}
    return Next(entries=[draft("turn_started", body, turn=state.turn + 1)])


def _closed(plan: Plan, state: State) -> End | None:
    if all(state.seats[seat].closing for seat in plan.seats):
        return End(outcome="closed", reason="every seat's latest message was its closing one")
    return None


def _speak(plan: Plan, state: State) -> Next:
    seat = next_speaker(plan, state)
    opening = plan.scenario.seats[seat].opening
    if opening and state.messages == 0:
        said = message_entry(state.turn, seat, opening, None, closing=False)
        return Next(entries=[said, phase_complete(state.turn, "dialogue", 0)])
    return _ask_seat(plan, state, seat)


def _ask_seat(plan: Plan, state: State, seat: str) -> Next:
    """`tools_left` in the payload closes the tools when a seat has asked them often enough in a row.

    The payload alone says which results are valid (`view.result_schema`), so it names the seat too.
    """
    payload: dict[str, JsonValue] = {}
    if plan.scenario.seats[seat].tools:
        payload["seat"] = seat
        payload["tools_left"] = max(0, plan.scenario.schedule.limits.tool_calls - state.tool_calls)
    if state.documents:
        payload["documents"] = list(state.documents)
    event_type = plan.event_types["dialogue"].name
    return Next(work=[Work(event_type=event_type, turn=state.turn, phase="dialogue", seat=seat, payload=payload)])


def _ask_tool(plan: Plan, state: State, call: ToolCall) -> Next:
    payload: dict[str, JsonValue] = {"seat": call.seat, "tool": call.tool, "input": dict(call.input)}
    event_type = plan.event_types["tool"].name
    return Next(work=[Work(event_type=event_type, turn=state.turn, phase="tool", payload=payload)])


def next_speaker(plan: Plan, state: State) -> str:
    """Who speaks next; never the one who just spoke, where there is somebody else."""
    if state.messages == 0 and plan.scenario.schedule.first is not None:
        return plan.scenario.schedule.first
    others = [seat for seat in plan.seats if seat != state.speaker] or plan.seats
    longest = max(others, key=lambda seat: state.messages - state.seats[seat].last_message)
    waited = state.messages - state.seats[longest].last_message
    if state.addressed in others and waited <= 2 * len(plan.seats):
        return str(state.addressed)
    return longest

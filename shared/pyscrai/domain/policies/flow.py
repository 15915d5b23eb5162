"""`flow@1`: the author's own flow of events, played in waves. A wave is everything that fires together, and is a turn.

Triggers fire when a wave is complete: those of `start` before the first, those that wait for a step after the wave
which that step was in. Steps of a wave never see each other. Steps of `end` get one wave of their own when the run is
about to end; it is within the number of turns, so that a limit stays a limit.
"""

from __future__ import annotations

from typing import Any

from pyscrai.domain.conditions import parse
from pyscrai.domain.entry import Draft, draft
from pyscrai.domain.flow import ALL_SEATS, ANY_SEAT, END, EVERY_N_TURNS, START, SYSTEM, TURN_COMPLETE, phase_of
from pyscrai.domain.narrate import phase_complete
from pyscrai.domain.plan import Plan
from pyscrai.domain.policies.base import Next, analysis, analysis_phases, ending
from pyscrai.domain.scenario import FlowStep
from pyscrai.domain.state import State
from pyscrai.domain.work import End, Work


def next_step(plan: Plan, state: State) -> Next:
    """The open wave, what the analyst makes of it, the next wave, or the end."""
    if not state.turn_open:
        return _between(plan, state)
    if any(phase not in state.phases_done for phase in _phases(plan, state)):
        return _wave(plan, state)
    analysed = [phase for phase in analysis_phases(plan, state) if phase not in state.phases_done]
    if analysed:
        return analysis(plan, state, analysed)
    body = {"metrics": dict(state.metrics), "wave": list(state.wave)}
    return Next(entries=[draft("turn_complete", body, turn=state.turn)])


def _between(plan: Plan, state: State) -> Next:
    if state.ending is not None:
        return Next(end=state.ending)
    wave = _heard(plan, state, [name for name, step in plan.scenario.flow.items() if _fires(state, name, step)])
    last = [name for name, step in plan.scenario.flow.items() if step.on == END and _may(state, name, step)]
    end = _over(plan, state, wave, bool(last))
    if end is None:
        return Next(entries=[_opened(plan, state, wave)])
    if last and state.turn < plan.turns:
        return Next(entries=[_opened(plan, state, last, ends=end.model_dump())])
    return Next(end=end)


def _opened(plan: Plan, state: State, wave: list[str], **more: Any) -> Draft:
    body = {"turns": plan.turns, "turn_length": plan.scenario.schedule.turn_length, "wave": wave, **more}
    return draft("turn_started", body, turn=state.turn + 1)


def _fires(state: State, name: str, step: FlowStep) -> bool:
    """Whether a step's trigger has gone off between the wave that is complete and the next."""
    if step.on == START:
        triggered = state.turn == 0
    elif step.on == TURN_COMPLETE:
        triggered = state.turn > 0
    elif step.on == EVERY_N_TURNS:
        triggered = state.turn > 0 and state.turn % (step.n or 1) == 0
    else:
        triggered = step.on != END and step.on in state.wave
    return triggered and _may(state, name, step)


def _heard(plan: Plan, state: State, wave: list[str]) -> list[str]:
    """The wave, unless from now on only the system would speak, turn after turn: a clock alone is no story."""
    flow = plan.scenario.flow
    clocks = (TURN_COMPLETE, EVERY_N_TURNS)
    if any(flow[name].by != SYSTEM or flow[name].on not in clocks for name in wave):
        return wave
    able = {name for name, step in flow.items() if step.on in clocks and state.times(name) < step.repeat}
    while more := {name for name, step in flow.items() if step.on in able and state.times(name) < step.repeat} - able:
        able |= more
    return wave if any(flow[name].by != SYSTEM for name in able) else []


def _may(state: State, name: str, step: FlowStep) -> bool:
    """Whether a step that is triggered may play: as often as it was given, and where its condition holds."""
    times = 1 if step.on == END else step.repeat
    return state.times(name) < times and (step.when is None or parse(step.when).holds(state.metrics))


def _over(plan: Plan, state: State, wave: list[str], has_last: bool) -> End | None:
    """Whether no ordinary wave follows. The last turn is kept for the steps of `end`, where there are any."""
    end = ending(plan, state) if state.turn else None
    if not wave and (end is None or end.outcome in ("turn_limit", "call_limit")):
        return End(outcome="flow_complete", reason=_nothing_left(plan, state))
    if end is not None:
        return end
    if has_last and 0 < state.turn == plan.turns - 1:
        return End(outcome="turn_limit", reason=f"all {plan.turns} turns were played")
    return None


def _nothing_left(plan: Plan, state: State) -> str:
    flow = plan.scenario.flow
    missed = [name for name, step in flow.items() if step.required and step.on != END and not state.times(name)]
    return "nothing is left to play" + (f"; never played: {', '.join(missed)}" if missed else "")


def _phases(plan: Plan, state: State) -> list[str]:
    return list(dict.fromkeys(phase_of(plan.scenario.flow[name]) for name in state.wave))


def _wave(plan: Plan, state: State) -> Next:
    """What the system says, then the work of everybody else, in the order of the flow and of the seats."""
    flow = plan.scenario.flow
    entries = [_said(state, name, flow[name]) for name in state.wave if flow[name].by == SYSTEM]
    taken = {flow[name].by for name in state.wave}
    work: list[Work] = []
    for name in state.wave:
        if flow[name].by != SYSTEM:
            asked = _work(plan, state, name, taken)
            taken |= {str(item.seat) for item in asked}
            work += asked
    waiting = {item.phase for item in work}
    entries += [phase_complete(state.turn, phase, 0) for phase in _phases(plan, state) if phase not in waiting]
    return Next(entries=entries, work=work)


def _said(state: State, name: str, step: FlowStep) -> Draft:
    return draft("exogenous", {"text": step.prompt, "step": name}, turn=state.turn, phase="system")


def _work(plan: Plan, state: State, name: str, taken: set[str]) -> list[Work]:
    step = plan.scenario.flow[name]
    phase = phase_of(step)
    seats = _seats(plan, state, step, taken) if phase == "message" else [None]
    shape = Work(event_type="", turn=state.turn, phase=phase, payload={"step": name})
    event_type = plan.event_type(shape).name
    return [shape.model_copy(update={"event_type": event_type, "seat": seat}) for seat in seats]


def _seats(plan: Plan, state: State, step: FlowStep, taken: set[str]) -> list[str | None]:
    """Who acts; nobody speaks to themselves where others could."""
    if step.by not in (ALL_SEATS, ANY_SEAT):
        return [step.by]
    able = [seat for seat in plan.seats if seat != step.to]
    if step.by == ALL_SEATS or not able:
        return [*able]
    free = [seat for seat in able if seat not in taken] or able
    return [min(free, key=lambda seat: state.seats[seat].last_message)]

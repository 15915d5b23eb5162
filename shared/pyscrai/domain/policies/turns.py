"""`turns@1`: rounds of phases. All seats of a phase act at once and never see each other's move of that phase."""

from __future__ import annotations

from pyscrai.domain import happenings
from pyscrai.domain.entry import draft
from pyscrai.domain.plan import Plan
from pyscrai.domain.policies import talking
from pyscrai.domain.policies.base import Next, analysis, analysis_phases, ending, mending, reporting, turn_complete
from pyscrai.domain.state import State
from pyscrai.domain.work import Work


def next_step(plan: Plan, state: State) -> Next:
    """The next phase of the open turn; else the end of the run, or the next turn."""
    if not state.turn_open:
        end = ending(plan, state) if state.turn else None
        if end is not None:
            return Next(end=end)
        body = {"turns": plan.turns, "turn_length": plan.scenario.schedule.turn_length}
        entries = [draft("turn_started", body, turn=state.turn + 1), *happenings.due(plan, state, state.turn + 1)]
        return Next(entries=entries)
    if (talked := talking.next_step(plan, state)) is not None:
        return talked
    if state.problems:
        return mending(plan, state)
    for phase in ("decision", "world_update"):
        if phase in plan.scenario.schedule.phases and phase not in state.phases_done:
            return Next(work=_work(plan, state, phase))
    analysed = [phase for phase in analysis_phases(plan, state) if phase not in state.phases_done]
    if analysed:
        return analysis(plan, state, analysed)
    if (report := reporting(plan, state)) is not None:
        return report
    return Next(entries=[turn_complete(state)])


def _work(plan: Plan, state: State, phase: str) -> list[Work]:
    event_type = plan.event_types[phase].name
    if phase == "decision":
        return [Work(event_type=event_type, turn=state.turn, phase=phase, seat=seat) for seat in plan.seats]
    return [Work(event_type=event_type, turn=state.turn, phase=phase)]

"""What every policy gives back, and the parts that several policies share: analysis after a turn, endings."""

from __future__ import annotations

from typing import Protocol

from pydantic import BaseModel, ConfigDict, JsonValue

from pyscrai.domain.conditions import parse
from pyscrai.domain.entry import Draft, draft
from pyscrai.domain.metrics import read_metric
from pyscrai.domain.narrate import measured, metric_entry, phase_complete
from pyscrai.domain.plan import Plan
from pyscrai.domain.scenario import TURN_PHASES
from pyscrai.domain.state import State
from pyscrai.domain.work import End, Work


class Next(BaseModel):
    """What happens next: lines of the story, then work to wait for, or the end, or (neither) ask again."""

    model_config = ConfigDict(frozen=True)

    entries: list[Draft] = []
    work: list[Work] = []
    end: End | None = None


class Policy(Protocol):
    """Decide from the state alone what happens next. Raises PolicyError where there is no way on."""

    def __call__(self, plan: Plan, state: State) -> Next: ...


def analysis(plan: Plan, state: State, phases: list[str]) -> Next:
    """Checks and metrics of a turn, side by side in one step.

    Pattern and keyword metrics are read at once; a phase with nothing for a model is complete at once.
    """
    if "validation" in phases and "metrics" in phases and _may_reask(plan, state):
        phases = ["validation"]  # what is measured is the world that stays
    entries = measured(plan, state, _text_metrics(plan, state)) if "metrics" in phases else []
    work = [item for phase in phases for item in _analyst_work(plan, state.turn, phase)]
    waiting = {item.phase for item in work}
    entries += [phase_complete(state.turn, phase, 0) for phase in phases if phase not in waiting]
    return Next(entries=entries, work=work)


def _may_reask(plan: Plan, state: State) -> bool:
    return "validation" not in state.reasked and any(
        check.on_issue == "reask" for check in plan.scenario.checks.values()
    )


def mending(plan: Plan, state: State) -> Next:
    """Ask the narrator once more, with what was found wrong with what it said."""
    payload: dict[str, JsonValue] = {"again": True, "problems": [*state.problems]}
    event_type = plan.event_types["world_update"].name
    return Next(work=[Work(event_type=event_type, turn=state.turn, phase="world_update", payload=payload)])


def reporting(plan: Plan, state: State, over: End | None = None) -> Next | None:
    """The analyst's report, where one is due after this turn; before the turn is complete, so that it is part of it.

    `over`: how the run ends with this turn, where that is not by a condition or a limit.
    """
    wanted = plan.scenario.reports
    if "report" in state.phases_done:
        return None
    last = wanted.at_end and (over or ending(plan, state)) is not None
    if not last and not (wanted.every and state.turn % wanted.every == 0):
        return None
    event_type = plan.event_types["report"].name
    work = Work(event_type=event_type, turn=state.turn, phase="report", payload={"at_end": last})
    return Next(work=[work])


def analysis_phases(plan: Plan, state: State) -> list[str]:
    """Which of validation and metrics this turn has: every `analyst.every` turns, and the last one."""
    due = state.turn % plan.scenario.analyst.every == 0 or state.turn >= plan.turns
    schedule = plan.scenario.schedule
    listed = TURN_PHASES if schedule.policy.startswith("flow@") else schedule.phases
    has = {"validation": bool(plan.scenario.checks), "metrics": bool(plan.scenario.metrics)}
    return [phase for phase in ("validation", "metrics") if due and has[phase] and phase in listed]


def _analyst_work(plan: Plan, turn: int, phase: str) -> list[Work]:
    event_type = plan.event_types[phase].name
    if phase == "validation":
        checks = plan.scenario.checks
        return [Work(event_type=event_type, turn=turn, phase=phase, payload={"check": name}) for name in checks]
    asked = [name for name, metric in plan.scenario.metrics.items() if metric.by == "model"]
    return [Work(event_type=event_type, turn=turn, phase=phase, payload={"metrics": list(asked)})] if asked else []


def _text_metrics(plan: Plan, state: State) -> list[Draft]:
    entries: list[Draft] = []
    for name, metric in plan.scenario.metrics.items():
        if metric.by not in ("pattern", "keyword"):
            continue
        in_order = [(seat, state.moves[seat]) for seat in plan.seats if seat in state.moves]
        readings: list[tuple[str | None, list[str]]]
        if metric.per_seat:
            readings = [(seat, [text]) for seat, text in in_order]
        elif metric.seat is not None:
            readings = [(metric.seat, [text for seat, text in in_order if seat == metric.seat])]
        else:
            readings = [(None, [text for _, text in in_order] + [state.world])]
        values = ((seat, read_metric(metric, texts)) for seat, texts in readings)
        entries += [metric_entry(plan, state.turn, name, value, seat) for seat, value in values if value is not None]
    return entries


def turn_complete(state: State) -> Draft:
    return draft("turn_complete", {"metrics": dict(state.metrics)}, turn=state.turn)


def ending(plan: Plan, state: State) -> End | None:
    """Whether the run is over after a complete turn: a condition first, then the limits."""
    for rule in plan.scenario.schedule.end_when:
        if parse(rule.when).holds(state.metrics):
            return End(outcome=rule.outcome or "condition_met", reason=rule.when)
    if state.turn >= plan.turns:
        return End(outcome="turn_limit", reason=f"all {plan.turns} turns were played")
    limit = plan.scenario.schedule.limits.model_calls
    if limit is not None and state.results >= limit:
        return End(outcome="call_limit", reason=f"{state.results} results of the {limit} allowed")
    return None

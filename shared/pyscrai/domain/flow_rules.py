"""The rules of an author's flow: who acts exists, what starts a step can happen, and nothing waits for itself."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator

from pyscrai.domain.canonical import escape
from pyscrai.domain.flow import ALL_SEATS, ANY_SEAT, END, EVERY_N_TURNS, OWN_FIELDS, START, SYSTEM, TRIGGERS, phase_of
from pyscrai.domain.json_schemas import fault
from pyscrai.domain.metric_rules import Found
from pyscrai.domain.scenario import NAME, FlowStep, Scenario, Voice

PARTS = ("narrator", "analyst", SYSTEM, ALL_SEATS, ANY_SEAT)
"""Who may act in a step beside a seat."""
_EVENT_TYPE = re.compile(NAME.rstrip("$") + r"(@[1-9][0-9]*)?\Z")


def problems(scenario: Scenario) -> Iterator[Found]:
    """What is wrong with the flow; conditions (`when`) are looked at with those of the schedule."""
    if scenario.schedule.policy != "flow@1":
        if scenario.flow:
            message = f"{scenario.schedule.policy} plays no flow: it is kept"
            yield "/flow", message, "schedule: policy: flow@1 plays it", "warning"
        return
    if not scenario.flow:
        yield "/schedule/policy", "flow@1 plays a flow, and there is none", "add flow, with a step on: start", "error"
        return
    for name, step in scenario.flow.items():
        yield from _step(scenario, f"/flow/{escape(name)}", name, step)
    yield from _order(scenario)
    yield from _idle(scenario)


def _near(word: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f'did you mean "{close[0]}"?' if close else f"there are: {', '.join(names)}"


def _step(scenario: Scenario, here: str, name: str, step: FlowStep) -> Iterator[Found]:
    if name in TRIGGERS:
        yield here, f'a step cannot be called "{name}"', f'for example "{name}-step"', "error"
    if step.by not in scenario.seats and step.by not in PARTS:
        message = f'nobody here is called "{step.by}"'
        yield f"{here}/by", message, _near(step.by, [*scenario.seats, *PARTS]), "error"
    if step.on not in TRIGGERS and step.on not in scenario.flow:
        message = f'"{step.on}" never happens: it is no step and no trigger'
        yield f"{here}/on", message, _near(step.on, [*scenario.flow, *TRIGGERS]), "error"
    if step.to != "all" and step.to not in scenario.seats:
        yield f"{here}/to", f'there is no seat "{step.to}"', _near(step.to, ["all", *scenario.seats]), "error"
    if step.on == EVERY_N_TURNS and step.n is None:
        yield here, "every_n_turns needs n", "add n: 5, for every fifth turn", "error"
    elif step.n is not None and step.on != EVERY_N_TURNS:
        yield f"{here}/n", f"n is not used on: {step.on}", "did you mean on: every_n_turns?", "warning"
    if step.event is not None and not _EVENT_TYPE.match(step.event):
        message = f'"{step.event}" does not name an event type'
        yield f"{here}/event", message, 'its name, or its name and version, as in "decide@2"', "error"
    if step.by == SYSTEM:
        yield from _system(here, step)
    if step.repeat > 1 and step.on in (START, END):
        message = f"repeat is not used on: {step.on}, which happens once"
        yield f"{here}/repeat", message, "on: turn_complete repeats", "warning"
    for field, schema in step.result.items():
        pointer = f"{here}/result/{escape(field)}"
        if field in OWN_FIELDS[phase_of(step)]:
            yield pointer, f'the answer has "{field}" already: this takes its place', "another name", "warning"
        if not isinstance(schema, dict):
            yield pointer, "a field of the answer is described by a JSON Schema", "as in {type: string}", "error"
        elif (wrong := fault(schema)) is not None:
            yield f"{pointer}{wrong.pointer}", wrong.message, wrong.hint, "error"


def _system(here: str, step: FlowStep) -> Iterator[Found]:
    if not step.prompt.strip():
        yield here, "the system says the prompt itself, and there is none", "add prompt", "error"
    for key in ("event", "result"):
        if getattr(step, key):
            message = f"{key} is not used: the system asks no model"
            yield f"{here}/{key}", message, "by: narrator asks one", "warning"


def _order(scenario: Scenario) -> Iterator[Found]:
    """Nothing happens before something has started, and a ring of steps never does."""
    flow = scenario.flow
    if not any(step.on == START for step in flow.values()):
        yield "/flow", "nothing starts the flow: no step is on: start", "say on: start on the first step", "error"
    for name, step in flow.items():
        ring = _ring(flow, name)
        if ring:
            told = " → ".join(ring)
            message = "it waits for itself" if len(ring) == 2 else f"these steps wait for each other: {told}"
            yield f"/flow/{escape(name)}/on", f'"{name}" can never happen: {message}', "let one be on: start", "error"
        elif step.on in flow and step.by != SYSTEM and flow[step.on].repeat > 1 and step.repeat == 1:
            message = f'"{name}" is played once, after the first "{step.on}"'
            yield f"/flow/{escape(name)}/on", message, f"repeat: {flow[step.on].repeat} plays it each time", "note"
    most = sum(step.repeat for step in flow.values())
    if most > scenario.schedule.turns:
        message = f"the flow has up to {most} steps, but only {scenario.schedule.turns} turns are played"
        yield "/schedule/turns", message, f"turns: {most} lets it come to its end", "note"


def _ring(flow: dict[str, FlowStep], name: str) -> list[str]:
    """The steps from `name` back to itself; none where its chain begins with a trigger."""
    chain = [name]
    while flow[chain[-1]].on in flow:
        chain.append(flow[chain[-1]].on)
        if chain[-1] == name:
            return chain[::-1]
        if chain[-1] in chain[:-1]:
            return []
    return []


def _idle(scenario: Scenario) -> Iterator[Found]:
    acting = {step.by for step in scenario.flow.values()}
    if not acting & {ALL_SEATS, ANY_SEAT}:
        for seat in scenario.seats:
            if seat not in acting:
                message = f'"{seat}" never acts: no step is by it'
                yield f"/seats/{escape(seat)}", message, "add a step, or by: any_seat", "warning"
    for part, voice in (("narrator", scenario.narrator), ("analyst", scenario.analyst)):
        measures = part == "analyst" and (scenario.metrics or scenario.checks)
        if voice != Voice() and part not in acting and not measures:
            yield f"/{part}", f"the {part} never acts: no step is by it", None, "note"

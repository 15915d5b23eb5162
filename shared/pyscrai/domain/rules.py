"""The rules of a scenario that cross fields: names that dangle, metrics without a way to a value, what is not played.

The API names the JSON Pointer of each problem; the readers in `formats` add file and line.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from pyscrai.domain import flow_rules, metric_rules, tool_rules
from pyscrai.domain.canonical import escape
from pyscrai.domain.conditions import parse
from pyscrai.domain.errors import InvalidValue
from pyscrai.domain.model_names import UnknownModel
from pyscrai.domain.model_names import parse as parse_model
from pyscrai.domain.plan import PHASES_OF_POLICY
from pyscrai.domain.scenario import NAME, TURN_PHASES, Metric, Scenario, Seat, Voice

RESERVED = frozenset({"narrator", "analyst", "oracle", "all", "none", "system", "all_seats", "any_seat"})
"""Names that runtime choices and audiences use for something else than a seat."""
BUILT_IN_CHECKS = frozenset({"decision_consistency", "world_coherence", "information_access"})
"""Checks that need nothing but their name: the analyst's prompt says what each of them is about."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*\Z")
_EVENT_TYPE = re.compile(NAME.rstrip("$") + r"(@[1-9][0-9]*)?\Z")


class Problem(NamedTuple):
    """One thing about a scenario. An error: it cannot be played; a warning: not as its author means it."""

    pointer: str
    message: str
    hint: str | None
    severity: Literal["error", "warning", "note"]


def problems(scenario: Scenario) -> list[Problem]:
    """Everything that is wrong or unused in a scenario that fits the model, in the order of the document."""
    return [
        *_about(scenario),
        *_seats(scenario),
        *(Problem(*found) for found in tool_rules.problems(scenario)),
        *_schedule(scenario),
        *_voices(scenario),
        *(Problem(*found) for found in metric_rules.problems(scenario)),
        *_checks(scenario),
        *_flow(scenario),
        *_events(scenario),
        *_happenings(scenario),
        *_unplayed(scenario),
    ]


def errors(scenario: Scenario) -> list[Problem]:
    """Only what keeps the scenario from being played."""
    return [problem for problem in problems(scenario) if problem.severity == "error"]


def near(word: str, known: Iterable[str]) -> str | None:
    """`did you mean "…"?` for a name that dangles, or the names there are."""
    names = list(known)
    found = difflib.get_close_matches(word, names, n=1)
    if found:
        return f'did you mean "{found[0]}"?'
    return f"there are: {', '.join(names)}" if names else None


def _about(scenario: Scenario) -> Iterator[Problem]:
    if not _LANGUAGE.match(scenario.language):
        message = f'"{scenario.language}" is not the tag of a language'
        yield Problem("/language", message, 'a BCP 47 tag such as "en", "de" or "pt-BR"', "warning")
    world = scenario.world
    if not (world.text.strip() or world.facts or world.challenges):
        yield Problem("/world", "the world is empty: nobody knows what the situation is", "add world: text", "warning")


def _seats(scenario: Scenario) -> Iterator[Problem]:
    titles: dict[str, str] = {}
    for name, seat in scenario.seats.items():
        here = f"/seats/{escape(name)}"
        if name in RESERVED:
            yield Problem(here, f'a seat cannot be called "{name}"', f'for example "{name}-seat"', "error")
        title = scenario.seat_title(name).strip().lower()
        if title in titles:
            message = f'the seats "{titles[title]}" and "{name}" have the same title: nobody could tell them apart'
            yield Problem(f"{here}/title" if seat.title else here, message, "give each a title of its own", "error")
        titles.setdefault(title, name)
        yield from _seat(scenario, here, seat)


def _seat(scenario: Scenario, here: str, seat: Seat) -> Iterator[Problem]:
    if not (seat.role or seat.goals or seat.instructions or seat.situation or seat.private):
        yield Problem(here, "nothing says what this seat is or wants", "add role, goals or instructions", "warning")
    yield from _model(f"{here}/model", seat.model)
    if seat.may_know:
        yield Problem(f"{here}/may_know", "may_know is not used yet", None, "note")
    if seat.opening and scenario.schedule.policy != "dialogue@1":
        yield Problem(f"{here}/opening", "an opening is spoken in a dialogue only", None, "note")


def _model(pointer: str, name: str | None) -> Iterator[Problem]:
    if name is None:
        return
    try:
        parse_model(name)
    except UnknownModel as error:
        hint = f"did you mean {' or '.join(error.candidates)}?" if error.candidates else None
        yield Problem(pointer, str(error).partition(": did you mean")[0], hint, "warning")


def _schedule(scenario: Scenario) -> Iterator[Problem]:
    schedule = scenario.schedule
    if schedule.policy not in PHASES_OF_POLICY:
        message = f'there is no policy "{schedule.policy}"'
        yield Problem("/schedule/policy", message, near(schedule.policy, PHASES_OF_POLICY), "error")
        return
    if schedule.policy != "flow@1":
        yield from _phases(scenario)
    elif "phases" in schedule.model_fields_set:
        yield Problem("/schedule/phases", "in flow@1 the steps say who acts when: phases are not used", None, "note")
    if schedule.first is not None and schedule.first not in scenario.seats:
        message = f'there is no seat "{schedule.first}"'
        yield Problem("/schedule/first", message, near(schedule.first, scenario.seats), "error")
    if schedule.policy == "dialogue@1":
        if len(scenario.seats) < 2:
            yield Problem("/seats", "a dialogue needs at least two seats", "add a seat, or use turns@1", "error")
    else:
        if schedule.first is not None:
            reason = "all seats move at once" if schedule.policy == "turns@1" else "the flow says who acts"
            yield Problem("/schedule/first", f"in {schedule.policy} {reason}: first is not used", None, "note")
        if schedule.limits.messages is not None:
            message = f"{schedule.policy} has no messages to limit"
            yield Problem("/schedule/limits/messages", message, "use turns", "note")
    for i, ending in enumerate(schedule.end_when):
        yield from _ending(scenario, f"/schedule/end_when/{i}", ending.when)


def _phases(scenario: Scenario) -> Iterator[Problem]:
    phases = scenario.schedule.phases
    own = PHASES_OF_POLICY[scenario.schedule.policy]
    known = list(dict.fromkeys([*own, *TURN_PHASES] if set(TURN_PHASES) <= set(own) else [*TURN_PHASES, *own]))
    for i, phase in enumerate(phases):
        if phase not in known:
            yield Problem(f"/schedule/phases/{i}", f'there is no phase "{phase}"', near(phase, known), "error")
        elif phase in phases[:i]:
            yield Problem(f"/schedule/phases/{i}", f'the phase "{phase}" is here twice', "keep one of them", "error")
    order = [known.index(phase) for phase in phases if phase in known]
    if order != sorted(order):
        message = "phases are played in their own order, not in this one"
        yield Problem("/schedule/phases", message, f"the order is: {', '.join(known)}", "note")
    if scenario.schedule.policy == "turns@1" and "decision" not in phases:
        yield Problem("/schedule/phases", "without the phase decision no seat ever moves", "add decision", "error")
    for phase, declared in (("validation", scenario.checks), ("metrics", scenario.metrics)):
        if declared and phase not in phases:
            what = "checks" if phase == "validation" else "metrics"
            yield Problem("/schedule/phases", f"the {what} are never used", f"add the phase {phase}", "warning")


def _ending(scenario: Scenario, here: str, when: str) -> Iterator[Problem]:
    try:
        condition = parse(when)
    except InvalidValue as error:
        message, _, hint = str(error).partition(": ")
        yield Problem(here, message, hint or None, "error")
        return
    for name in sorted(condition.metrics):
        metric = scenario.metrics.get(name)
        if metric is None:
            yield Problem(here, f'there is no metric "{name}"', near(name, scenario.metrics), "error")
        elif metric.by == "manual":
            message = f'the metric "{name}" is set by hand: this holds only once somebody gives it a value'
            yield Problem(
                here, message, "while the run is played: pyscrai runs measure, POST /runs/{run}/inputs", "note"
            )
    for seat in sorted(condition.seats - set(scenario.seats)):
        yield Problem(here, f'there is no seat "{seat}"', near(seat, scenario.seats), "error")
    for group in condition.any_of:
        for comparison in group:
            metric = scenario.metrics.get(comparison.metric)
            if metric is not None:
                yield from _comparison(here, comparison.metric, metric, comparison.seat)


def _comparison(here: str, name: str, metric: Metric, seat: str | None) -> Iterator[Problem]:
    kept_by_seat = metric.per_seat or metric.seat is not None
    if kept_by_seat and seat is None:
        message = f'the metric "{name}" has a value for each seat, so this never holds'
        yield Problem(here, message, f"say which: {name}[{metric.seat or 'seat'}]", "warning")
    elif seat is not None and not kept_by_seat:
        message = f'the metric "{name}" is not kept by seat, so this never holds'
        yield Problem(here, message, f'leave "[{seat}]" out', "warning")
    elif seat is not None and metric.seat not in (None, seat):
        message = f'the metric "{name}" is of the seat "{metric.seat}", so this never holds'
        yield Problem(here, message, None, "warning")


def _voices(scenario: Scenario) -> Iterator[Problem]:
    yield from _model("/narrator/model", scenario.narrator.model)
    yield from _model("/analyst/model", scenario.analyst.model)
    if scenario.narrator.every != 1:
        yield Problem("/narrator/every", "every is the analyst's: the narrator writes each turn", None, "note")
    if scenario.schedule.policy == "dialogue@1" and scenario.narrator != Voice():
        yield Problem("/narrator", "a dialogue has no narrator: this is not used", None, "note")


def _checks(scenario: Scenario) -> Iterator[Problem]:
    for name, check in scenario.checks.items():
        here = f"/checks/{escape(name)}"
        if not (check.prompt.strip() or check.description.strip() or name in BUILT_IN_CHECKS):
            hint = near(name, BUILT_IN_CHECKS) if name not in BUILT_IN_CHECKS else None
            hint = hint if hint and hint.startswith("did you mean") else "add a description or a prompt"
            yield Problem(here, "nothing says what is checked", hint, "warning")
        if check.on_issue == "reask" and "world_update" not in PHASES_OF_POLICY.get(scenario.schedule.policy, ()):
            message = f"{scenario.schedule.policy} has no narrator to ask again: the issue is a warning"
            yield Problem(f"{here}/on_issue", message, None, "warning")


def _flow(scenario: Scenario) -> Iterator[Problem]:
    for found in flow_rules.problems(scenario):
        yield Problem(*found)
    for name, step in scenario.flow.items():
        if step.when is not None:
            yield from _ending(scenario, f"/flow/{escape(name)}/when", step.when)


def _events(scenario: Scenario) -> Iterator[Problem]:
    phases = PHASES_OF_POLICY.get(scenario.schedule.policy, ())
    for phase, event_type in scenario.events.items():
        here = f"/events/{escape(phase)}"
        if phases and phase not in phases:
            message = f'{scenario.schedule.policy} has no phase "{phase}"'
            yield Problem(here, message, near(phase, phases), "error")
        if not _EVENT_TYPE.match(event_type):
            message = f'"{event_type}" does not name an event type'
            yield Problem(here, message, 'its name, or its name and version, as in "decide@2"', "error")


def _happenings(scenario: Scenario) -> Iterator[Problem]:
    names: set[str] = set()
    for number, happening in enumerate(scenario.happenings):
        here = f"/happenings/{number}"
        if happening.name in names:
            yield Problem(f"{here}/name", f'"{happening.name}" happens twice', "give each a name of its own", "error")
        names.add(happening.name)
        if happening.when is not None:
            yield from _ending(scenario, f"{here}/when", happening.when)
        for seat in sorted(set(happening.seats) - set(scenario.seats)):
            yield Problem(f"{here}/seats", f'there is no seat "{seat}"', near(seat, scenario.seats), "error")
        if happening.type == "scheduled" and not happening.turns:
            yield Problem(here, "nothing says in which turn this happens", "add turns: [3]", "error")
        if happening.type == "conditional" and happening.when is None:
            yield Problem(here, "nothing says when this happens", 'add when: "trust < 3"', "error")
        if happening.first > scenario.schedule.turns or min(happening.turns, default=0) > scenario.schedule.turns:
            message = f"this happens after the last of {scenario.schedule.turns} turns: never"
            yield Problem(here, message, None, "warning")
    if scenario.happenings and scenario.schedule.policy != "turns@1":
        yield Problem("/happenings", f"{scenario.schedule.policy} plays no happenings", "use turns@1", "warning")


def _unplayed(scenario: Scenario) -> Iterator[Problem]:
    """What is declared beside the turns and has no place in this policy, or at this table."""
    policy, talk = scenario.schedule.policy, scenario.communication
    if talk.bilateral or talk.statements or talk.coalitions:
        if policy != "turns@1":
            yield Problem("/communication", f"{policy} has no letters and no coalitions", "use turns@1", "warning")
        elif len(scenario.seats) < 2:
            yield Problem("/communication", "with one seat there is nobody to write to", None, "warning")
    if policy == "flow@1" and (scenario.reports.every or scenario.reports.at_end):
        hint = "add a step by: analyst"
        yield Problem(
            "/reports", "in flow@1 the steps of the analyst are its reports: this is not used", hint, "warning"
        )
    if policy == "dialogue@1" and scenario.world.variables:
        yield Problem(
            "/world/variables", "a dialogue has no narrator who changes facts: this is not used", None, "note"
        )

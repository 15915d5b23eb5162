"""What people put into a run while it is played: something said, an edit of the world, a value that was measured.

It waits until the step that is open commits, enters the log after that step's results and before the policy decides,
and is part of the story: a replay finds it in the recording (`again`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, JsonValue

from pyscrai.domain.canonical import canonical, escape, normalise
from pyscrai.domain.entry import Draft, Entry, draft
from pyscrai.domain.facts import contradictions
from pyscrai.domain.metrics import coerce
from pyscrai.domain.narrate import measured, metric_entry
from pyscrai.domain.plan import Plan
from pyscrai.domain.state import State

Kind = Literal["input", "edit", "metric"]
KINDS: tuple[str, ...] = get_args(Kind)
ALSO = {"user_input": "input", "system_notification": "input"}
"""What others call these kinds."""


class Injected(BaseModel):
    """One thing that enters a run from outside. `seat`: of an input, who alone learns of it (a whisper); of a metric,
    whose value it is; of an edit with `fields`, whose fields are otherwise from here on.

    `body` has `text` (input); `world`, `facts` or `fields` (edit); `metric` and `value` (metric).
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    seat: str | None = None
    body: dict[str, JsonValue]


def problems(plan: Plan, wanted: Injected) -> Iterator[tuple[str, str]]:
    """(JSON Pointer, what is wrong) of something that is to enter a run of this plan."""
    if wanted.seat is not None and wanted.seat not in plan.scenario.seats and "fields" not in wanted.body:
        yield "/seat", f"there is no seat {wanted.seat}; there are {', '.join(plan.seats)}"
    elif wanted.kind == "input" and not str(wanted.body.get("text") or "").strip():
        yield "/text", "an input has to say something"
    elif wanted.kind == "edit":
        yield from _wrong_edit(plan, wanted)
    elif wanted.kind == "metric":
        yield from _wrong_value(plan, wanted)


def ready(plan: Plan, wanted: Injected) -> Injected:
    """As it is kept: a value in its metric's type, the seat of a metric that is one seat's. Checked before."""
    if wanted.kind != "metric":
        return wanted
    metric = plan.scenario.metrics[str(wanted.body["metric"])]
    value = coerce(metric, wanted.body["value"])
    return wanted.model_copy(update={"seat": wanted.seat or metric.seat, "body": {**wanted.body, "value": value}})


def lines(plan: Plan, state: State, injected: Sequence[Injected]) -> Iterator[Draft]:
    """What these add to the story, in the order in which they came."""
    for one in injected:
        yield from _WRITERS[one.kind](plan, state, one)


def again(entry: Entry) -> Injected | None:
    """What a line of a recording has to be injected as when that is replayed; None where nobody injected it."""
    if entry.kind == "input" and isinstance(entry.body.get("text"), str):
        to = entry.body.get("to")
        return Injected(kind="input", seat=str(to) if to else None, body={"text": entry.body["text"]})
    if entry.kind == "edit":
        kept = {key: entry.body[key] for key in ("world", "facts", "fields") if key in entry.body}
        return Injected(kind="edit", seat=entry.seat, body=kept)
    if entry.kind == "metric" and entry.body.get("by") == "manual":
        told = {"metric": entry.body["metric"], "value": entry.body["value"]}
        return Injected(kind="metric", seat=entry.seat, body=told)
    return None


def _wrong_edit(plan: Plan, wanted: Injected) -> Iterator[tuple[str, str]]:
    if not any(wanted.body.get(key) for key in ("world", "facts", "fields")):
        yield "", "an edit changes the world's text or facts"
    facts = wanted.body.get("facts") or {}
    if isinstance(facts, dict):
        # Held against what was declared, not against what is: a person may change also what never changes by itself.
        for name, why in contradictions(plan.scenario.world.variables, {}, facts):
            yield f"/facts/{escape(name)}", why


def _wrong_value(plan: Plan, wanted: Injected) -> Iterator[tuple[str, str]]:
    name = str(wanted.body.get("metric"))
    metric = plan.scenario.metrics.get(name)
    if metric is None:
        known = ", ".join(plan.scenario.metrics) or "none"
        yield "/metric", f"there is no metric {name}; there are {known}"
    elif metric.by != "manual":
        yield "/metric", f"{name} is measured by {metric.by}; only a metric by manual takes values of people"
    elif metric.per_seat and wanted.seat is None:
        yield "/seat", f"{name} has a value for each seat: say whose this is; there are {', '.join(plan.seats)}"
    elif not metric.per_seat and wanted.seat not in (None, metric.seat):
        yield "/seat", f"{name} is not measured of {wanted.seat}"
    elif coerce(metric, wanted.body.get("value")) is None:
        yield "/value", f"{_shown(wanted.body.get('value'))} is no value of {name}: {_allowed(metric)}"


def _allowed(metric: Any) -> str:
    if metric.type == "category":
        return f"it is one of {', '.join(metric.categories)}"
    within = f" from {metric.range[0]:g} to {metric.range[1]:g}" if metric.range else ""
    return f"it is a {metric.type}{within}"


def _input(_plan: Plan, state: State, one: Injected) -> Iterator[Draft]:
    body: dict[str, Any] = {"text": one.body["text"]}
    if one.seat is not None:
        body["to"] = one.seat
    yield draft("input", body, turn=state.turn, parties=[one.seat] if one.seat else None)


def _edit(plan: Plan, state: State, one: Injected) -> Iterator[Draft]:
    kept = {key: value for key, value in one.body.items() if key in ("world", "facts", "fields")}
    told = _of_seat(plan, one) if "fields" in kept else _sentence(kept)
    yield draft("edit", {**kept, "text": told}, turn=state.turn, seat=one.seat)


def _metric(plan: Plan, state: State, one: Injected) -> Iterator[Draft]:
    line = metric_entry(plan, state.turn, str(one.body["metric"]), one.body["value"], one.seat)
    yield from measured(plan, state, [line])


_WRITERS = {"input": _input, "edit": _edit, "metric": _metric}


def _sentence(edit: Mapping[str, Any]) -> str:
    """What everyone at the table reads of an edit; the world's new text they have before them anyway."""
    facts: Mapping[str, Any] = edit.get("facts") or {}
    told = [f"{name} no longer holds" if value is None else f"{name}: {_shown(value)}" for name, value in facts.items()]
    return f"The situation has changed. {'; '.join(told)}".strip()


def _of_seat(plan: Plan, one: Injected) -> str:
    """Nobody at the table reads this; the analyst does."""
    seat = str(one.seat)
    who = plan.scenario.seat_title(seat) if seat in plan.scenario.seats else f"the {seat}"
    fields: Any = one.body["fields"]
    return f"Otherwise for {who} from here on: {', '.join(fields)}."


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else canonical(normalise(value))

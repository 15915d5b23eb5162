"""From the results of a step to lines of the story. Who may see each line follows from its kind, not from the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pyscrai.domain.entry import Draft, draft
from pyscrai.domain.metrics import coerce
from pyscrai.domain.plan import Plan
from pyscrai.domain.work import Result, Work


def narrate(plan: Plan, results: list[Result]) -> list[Draft]:
    """The entries that a step's results make, in the order of its events, then `phase_complete` per phase.

    A discarded event (value None) makes no entry of its own: the seat said nothing.
    """
    drafts: list[Draft] = []
    for result in results:
        if result.value is not None:
            drafts += _WRITERS[result.work.phase](plan, result.work, result.value)
    for phase in dict.fromkeys(result.work.phase for result in results):
        done = sum(result.work.phase == phase and result.value is not None for result in results)
        drafts.append(phase_complete(results[0].work.turn, phase, done))
    return drafts


def phase_complete(turn: int, phase: str, events: int) -> Draft:
    """The end of a phase, with how many of its events gave a result."""
    return draft("phase_complete", {"phase": phase, "events": events}, turn=turn, phase=phase)


def metric_entry(plan: Plan, turn: int, name: str, value: Any, seat: str | None = None) -> Draft:
    metric = plan.scenario.metrics[name]
    body = {"metric": name, "value": value, "unit": metric.unit, "by": metric.by}
    return draft("metric", body, turn=turn, phase="metrics", seat=seat)


def message_entry(turn: int, seat: str, text: str, to: str | None, closing: bool) -> Draft:
    body = {"text": text, "to": to, "closing": closing}
    return draft("message", body, turn=turn, phase="dialogue", seat=seat)


def _decision(_plan: Plan, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    thought = {"reasoning": value.get("reasoning", ""), "goals": value.get("goals", [])}
    yield draft("thought", thought, turn=work.turn, phase=work.phase, seat=work.seat)
    yield draft("decision", {"action": value["action"]}, turn=work.turn, phase=work.phase, seat=work.seat)


def _message(plan: Plan, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    seat = str(work.seat)
    if value.get("thought"):
        yield draft("thought", {"thought": value["thought"]}, turn=work.turn, phase=work.phase, seat=seat)
    yield message_entry(work.turn, seat, value["text"], _addressed(plan, seat, value), bool(value.get("closing")))


def _addressed(plan: Plan, seat: str, value: dict[str, Any]) -> str | None:
    """The seat that a message is to, by name or title; None (everyone) where it names nobody at the table."""
    wanted = str(value.get("to") or "").strip().lower()
    names = {name.lower(): name for name in plan.scenario.seats}
    names |= {plan.scenario.seat_title(name).lower(): name for name in plan.scenario.seats}
    found = names.get(wanted)
    return None if found == seat else found


def _world_update(_plan: Plan, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    body = {"narrative": value["narrative"], "facts": value.get("facts") or {}, "changes": value.get("changes") or []}
    yield draft("world_update", body, turn=work.turn, phase=work.phase)


def _check(_plan: Plan, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    body = {"check": work.payload.get("check"), "consistent": value["consistent"]}
    body |= {"issues": value.get("issues") or [], "severity": value.get("severity") or "none"}
    yield draft("check", body, turn=work.turn, phase=work.phase)


def _measure(plan: Plan, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    asked = work.payload.get("metrics")
    values = value.get("values") or {}
    for name in asked if isinstance(asked, list) else []:
        metric, found = plan.scenario.metrics[str(name)], values.get(name)
        per_seat = found if metric.per_seat and isinstance(found, dict) else {metric.seat: found}
        for seat, one in per_seat.items():
            measured = coerce(metric, one)
            if measured is not None and (seat is None or seat in plan.scenario.seats):
                yield metric_entry(plan, work.turn, str(name), measured, seat)


_WRITERS: dict[str, Callable[[Plan, Work, dict[str, Any]], Iterator[Draft]]] = {
    "decision": _decision,
    "dialogue": _message,
    "world_update": _world_update,
    "validation": _check,
    "metrics": _measure,
}

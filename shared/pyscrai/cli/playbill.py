"""What a reader of a play knows before it begins: the seats, who plays them, what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyscrai.cli.prose import one_line
from pyscrai.domain.scenario import TURN_PHASES, readable

FREE_OF_CHARGE = {
    "rehearsal": "rehearsal model: no key, no cost; what is said is composed from the scenario's own words",
    "scripted": "scripted model: no key, no cost; the answers come from a file",
}
A_PERSON = "a person"
VOICES = ("narrator", "analyst")


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """How a metric is drawn."""

    unit: str = ""
    bounds: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Playbill:
    """Read from a scenario document as it is pinned; tolerant of keys that a newer API may send."""

    title: str
    description: str = ""
    policy: str = "turns@1"
    turn_length: str = ""
    seats: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    gauges: Mapping[str, Gauge] = field(default_factory=dict)
    phases: tuple[str, ...] = TURN_PHASES
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_dialogue(self) -> bool:
        return self.policy.startswith("dialogue@")

    def seat(self, name: str) -> str:
        """What people read for a seat; also for one that the scenario does not have."""
        return one_line(self.seats.get(name) or readable(name))

    def played_by(self) -> str:
        """Who answers: one sentence where all seats share a model, else who has which."""
        by_model: dict[str, list[str]] = {}
        for who, model in self.models.items():
            by_model.setdefault(model, []).append(who)
        if len(by_model) == 1:
            model = next(iter(by_model))
            return FREE_OF_CHARGE.get(model.partition(":")[0], model if model == A_PERSON else f"model {model}")
        groups = sorted(by_model.items(), key=lambda item: -len(item[1]))
        named = [f"{model} ({', '.join(self._names(who))})" for model, who in groups[1:]]
        return f"models {'; '.join([f'{groups[0][0]} (all others)', *named])}" if groups else "model unknown"

    def _names(self, who: list[str]) -> list[str]:
        return [name if name in VOICES else self.seat(name) for name in who]


def playbill(document: Mapping[str, Any], choices: Mapping[str, Any], default_model: str) -> Playbill:
    """The playbill of a run: its pinned scenario, its choices, and the model that fills what both leave open."""
    schedule = _dict(document.get("schedule"))
    seats = _dict(document.get("seats"))
    return Playbill(
        title=str(document.get("title") or document.get("name") or ""),
        description=str(document.get("description") or ""),
        policy=str(schedule.get("policy") or "turns@1"),
        turn_length=str(schedule.get("turn_length") or ""),
        seats={name: str(_dict(seat).get("title") or readable(name)) for name, seat in seats.items()},
        roles={name: str(_dict(seat).get("role") or "") for name, seat in seats.items()},
        models=_models(document, choices, default_model),
        gauges={name: _gauge(_dict(metric)) for name, metric in _dict(document.get("metrics")).items()},
        phases=_phases(document, schedule),
        facts=_dict(_dict(document.get("world")).get("facts")),
    )


def _models(document: Mapping[str, Any], choices: Mapping[str, Any], default_model: str) -> dict[str, str]:
    """Who answers with which model: the run's choice over the scenario's over the installation's."""
    chosen, seats = _dict(choices.get("seats")), _dict(document.get("seats"))
    declared = {**seats, **{voice: document.get(voice) for voice in VOICES}}
    for_all = choices.get("model")
    by_people = {who for who in seats if _by_person(_dict(seats.get(who)), _dict(chosen.get(who)))}
    return {
        who: A_PERSON
        if who in by_people
        else str(_dict(chosen.get(who)).get("model") or for_all or _dict(part).get("model") or default_model)
        for who, part in declared.items()
    }


def _by_person(seat: Mapping[str, Any], choice: Mapping[str, Any]) -> bool:
    told = [one for one in (choice.get("taken"), choice.get("human"), seat.get("human")) if one is not None]
    return bool(told and told[0])


def _gauge(metric: Mapping[str, Any]) -> Gauge:
    bounds = metric.get("range")
    pair = (float(bounds[0]), float(bounds[1])) if isinstance(bounds, list | tuple) and len(bounds) == 2 else None
    return Gauge(unit=str(metric.get("unit") or ""), bounds=pair)


def _phases(document: Mapping[str, Any], schedule: Mapping[str, Any]) -> tuple[str, ...]:
    """The phases that ask somebody: those of the schedule without an analysis that has nothing to ask."""
    listed = schedule.get("phases")
    phases = tuple(listed) if isinstance(listed, list) and listed else TURN_PHASES
    measured = [m for m in _dict(document.get("metrics")).values() if _dict(m).get("by", "model") == "model"]
    idle = {"validation": not document.get("checks"), "metrics": not measured}
    talk = _dict(document.get("communication"))
    speaks = {"communication": talk.get("bilateral") or talk.get("statements"), "coalition": talk.get("coalitions")}
    before = tuple(phase for phase, wanted in speaks.items() if wanted and len(_dict(document.get("seats"))) > 1)
    return before + tuple(phase for phase in phases if not idle.get(phase, False))


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

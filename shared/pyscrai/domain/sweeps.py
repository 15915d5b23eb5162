"""A sweep: one scenario played many times with varied choices. From its document to the runs that it means. Pure.

A path of `vary` is a choice (`model`, `turns`), something of a seat, the narrator or the analyst
(`seats.mayor.model`, `mayor.goals`), or a part of the scenario (`world.facts.budget`, `schedule.turns`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, field_validator

from pyscrai.domain.choices import GROUP, Choices, Money, SeatChoice
from pyscrai.domain.edits import SECTIONS, VOICES
from pyscrai.domain.scenario import Scenario

MOST_RUNS = 5_000
MOST_VALUES = 1_000
_STRUCTURED = frozenset({"seats", "prices", "edits", "labels", "custom", "seed", "group"})
"""Choices that no path names as a whole."""


class InvalidSweep(ValueError):
    """A sweep that cannot be played; `pointer` says where in its document."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(f"{pointer}: {message}")
        self.pointer = pointer
        self.message = message


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Steps(Part):
    """Numbers from `from` to `to`, both included where `step` meets it."""

    start: Annotated[Decimal, Field(alias="from")]
    to: Decimal
    step: Annotated[Decimal, Field(gt=0)]

    def values(self) -> list[int | float]:
        """Exact decimal steps; whole ones as integers."""
        count = int((self.to - self.start) / self.step) + 1 if self.to >= self.start else 0
        if count > MOST_VALUES:
            raise InvalidSweep("/vary", f"more than {MOST_VALUES:,} steps")
        found = [self.start + self.step * number for number in range(count)]
        return [int(one) if one == one.to_integral_value() else float(one) for one in found]


def _decimal(value: Any) -> Any:
    return repr(value) if isinstance(value, float) else value


def _steps(value: Any) -> Any:
    if isinstance(value, dict) and {"from", "to", "step"} >= set(value):
        return {name: _decimal(one) for name, one in value.items()}
    return value


class Sweep(Part):
    """The document `pyscrai/batch@1`.

    `vary`: path → values, or steps; in mode `list` a list of variations, each path → value. `grid` takes every
    combination, `zip` the first of each path, then the second. Each variation is played with each of `seeds` (a number:
    so many, from the seed of `choices` on), `repetitions` times. `budget`: US dollars for all of it.
    """

    format: Literal["pyscrai/batch@1"] = "pyscrai/batch@1"
    name: str = Field(pattern=GROUP)
    title: str = ""
    description: str = ""
    scenario: str
    version: int | None = Field(default=None, ge=1)
    choices: Choices = Choices()
    vary: dict[str, list[JsonValue] | Annotated[Steps, BeforeValidator(_steps)]] | list[dict[str, JsonValue]] = {}
    mode: Literal["grid", "zip", "list"] = "grid"
    seeds: int | list[int] = 1
    repetitions: int = Field(default=1, ge=1, le=MOST_RUNS)
    budget: Annotated[Money | Literal["none"] | None, BeforeValidator(_decimal)] = None
    at_once: int | None = Field(default=None, ge=1, le=1000)

    @field_validator("choices", mode="before")
    @classmethod
    def _amounts(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("limit"), float):
            return value | {"limit": repr(value["limit"])}
        return value

    def all_seeds(self) -> list[int]:
        """The seeds that each variation is played with."""
        if isinstance(self.seeds, int):
            return [self.choices.seed + number for number in range(max(0, self.seeds))]
        return list(dict.fromkeys(self.seeds))


class Variation(Part):
    """One combination of varied values, with the choices that it makes; `number` counts from 1."""

    number: int
    varied: dict[str, JsonValue]
    choices: Choices


class PlannedRun(Part):
    """One run of a sweep. `place` counts from 1: variations first, then seeds, then repetitions."""

    place: int
    variation: int
    varied: dict[str, JsonValue]
    seed: int
    repetition: int
    choices: Choices


def variations(sweep: Sweep, scenario: Scenario) -> list[Variation]:
    """Every combination of values. Raises InvalidSweep for a path or value that means nothing."""
    combined = list(_combined(sweep))
    if not combined:
        raise InvalidSweep("/vary", "there is a path without any value")
    return [
        Variation(number=number, varied=varied, choices=chosen(sweep, scenario, varied))
        for number, varied in enumerate(combined, 1)
    ]


def planned(sweep: Sweep, scenario: Scenario) -> list[PlannedRun]:
    """Every run. Raises InvalidSweep."""
    told, seeds = variations(sweep, scenario), sweep.all_seeds()
    total = len(told) * len(seeds) * sweep.repetitions
    if not seeds:
        raise InvalidSweep("/seeds", "there is no seed to play with")
    if total > MOST_RUNS:
        raise InvalidSweep("/vary", f"{total:,} runs; a batch has at most {MOST_RUNS:,}")
    runs: list[PlannedRun] = []
    for one, seed, repetition in product(told, seeds, range(1, sweep.repetitions + 1)):
        choices = one.choices.model_copy(update={"seed": seed})
        runs.append(
            PlannedRun(
                place=len(runs) + 1,
                variation=one.number,
                varied=one.varied,
                seed=seed,
                repetition=repetition,
                choices=choices,
            )
        )
    return runs


def _combined(sweep: Sweep) -> Iterator[dict[str, JsonValue]]:
    if isinstance(sweep.vary, list):
        if sweep.mode == "zip":
            raise InvalidSweep("/mode", "a list of variations is not zipped")
        yield from (dict(one) for one in sweep.vary or [{}])
        return
    if sweep.mode == "list":
        raise InvalidSweep("/vary", "mode list takes a list of variations, each path: value")
    paths = list(sweep.vary)
    values: list[Sequence[JsonValue]] = [
        [*one.values()] if isinstance(one, Steps) else one for one in sweep.vary.values()
    ]
    if sweep.mode == "zip" and len({len(one) for one in values}) > 1:
        lengths = ", ".join(f"{path} {len(one)}" for path, one in zip(paths, values, strict=True))
        raise InvalidSweep("/vary", f"mode zip needs as many values of each path; there are {lengths}")
    rows = zip(*values, strict=True) if sweep.mode == "zip" and paths else product(*values)
    yield from (dict(zip(paths, row, strict=True)) for row in rows)


def chosen(sweep: Sweep, scenario: Scenario, varied: Mapping[str, JsonValue]) -> Choices:
    """The choices of a variation. Raises InvalidSweep, with a pointer to the path."""
    document: dict[str, Any] = sweep.choices.model_dump(mode="json", exclude_unset=True)
    if "on_dead_letter" not in document:
        document["on_dead_letter"] = "fail"  # a run that stands still would keep a place for ever
    document["group"] = sweep.name
    for path, value in varied.items():
        _put(document, scenario, path, value)
    try:
        return Choices.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidSweep("/vary" if varied else "/choices", f"{place}: {first['msg']}") from None


def _put(document: dict[str, Any], scenario: Scenario, path: str, value: JsonValue) -> None:
    head, *rest = path.removeprefix("choices.").split(".")
    if head == "seats" and rest:
        head, *rest = rest
        if head not in scenario.seats and head not in VOICES:
            raise _unknown(path, [*scenario.seats, *VOICES])
    if head in scenario.seats or head in VOICES:
        _put_seat(document, scenario, path, head, rest, value)
    elif head in SECTIONS and rest:
        part = scenario.model_dump(mode="json")[head]
        _edit(document, path, head, part, rest, value)
    elif not rest and head in Choices.model_fields and head not in _STRUCTURED:
        document[head] = repr(value) if isinstance(value, float) and head == "limit" else value
    else:
        known = [name for name in Choices.model_fields if name not in _STRUCTURED]
        raise _unknown(path, [*known, *scenario.seats, *VOICES, *(f"{name}.…" for name in SECTIONS)])


def _put_seat(
    document: dict[str, Any], scenario: Scenario, path: str, who: str, rest: list[str], value: JsonValue
) -> None:
    if not rest:
        raise InvalidSweep(f"/vary/{path}", f"say what of {who}: {who}.model, {who}.goals …")
    if len(rest) == 1 and rest[0] in SeatChoice.model_fields:
        document.setdefault("seats", {}).setdefault(who, {})[rest[0]] = value
        return
    whole = scenario.model_dump(mode="json")
    _edit(document, path, who, whole["seats"][who] if who in scenario.seats else whole[who], rest, value)


def _edit(
    document: dict[str, Any], path: str, who: str, declared: Mapping[str, Any], rest: list[str], value: JsonValue
) -> None:
    """A field, or something inside it: the rest of that field stays as it is."""
    fields = document.setdefault("edits", {}).setdefault(who, {})
    field, *inside = rest
    if field not in declared:
        raise _unknown(path, list(declared))
    if not inside:
        fields[field] = value
        return
    held: Any = fields.setdefault(field, _copy(declared[field]))
    for step in inside[:-1]:
        held = _into(held, step, path)
    last = inside[-1]
    if isinstance(held, list) and last.isdigit() and int(last) < len(held):
        held[int(last)] = value
    elif isinstance(held, dict):
        held[last] = value
    else:
        raise InvalidSweep(f"/vary/{path}", f"there is nothing called {last} in it")


def _into(held: Any, step: str, path: str) -> Any:
    if isinstance(held, dict) and step in held:
        return held[step]
    if isinstance(held, list) and step.isdigit() and int(step) < len(held):
        return held[int(step)]
    raise InvalidSweep(f"/vary/{path}", f"there is nothing called {step} in it")


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _copy(one) for name, one in value.items()}
    return [_copy(one) for one in value] if isinstance(value, list) else value


def _unknown(path: str, known: Sequence[str]) -> InvalidSweep:
    return InvalidSweep(f"/vary/{path}", f"there is nothing of that name; there are {', '.join(known)}")

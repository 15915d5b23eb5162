"""What a run will ask and cost, said before it begins."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pyscrai.contract.wire import Money, Wire
from pyscrai.domain.choices import Choices

EstimatePart = Literal["seat", "phase", "model"]


class NewEstimate(Wire):
    """POST /estimates: a scenario of the catalog (id or name), or a whole document as `content`; how it is played."""

    scenario: str | None = None
    version: int | None = Field(default=None, ge=1)
    content: dict[str, Any] | None = None
    choices: Choices = Choices()


class Spread(Wire):
    """A number that is not known yet: `low` and `high` are the ends of its range."""

    low: int
    expected: int
    high: int


class CostSpread(Wire):
    """US dollars; nine of ten runs are meant to cost from `low` to `high`."""

    low: Money
    expected: Money
    high: Money


class EstimateLine(Wire):
    """One part of a run, `key`: a seat (also narrator, analyst), a phase, a model. Tokens and cost are expected ones;
    `calls` without repairs of answers."""

    key: str
    calls: Spread
    input_tokens: int
    output_tokens: int
    cost: Money


class Calibration(Wire):
    """What is known of a model's answers to one event type from the latest paid calls of this installation.

    `calls` of them were read; `weight` (0 to 1) is how far they count against what is assumed without them.
    `output_tokens`: mean of an answer; `tokens_per_byte`: of the request's upper bound in bytes, how many were counted.
    """

    model: str
    event_type: str
    calls: int
    weight: float
    output_tokens: float
    tokens_per_byte: float


class Estimate(Wire):
    """The answer of POST /estimates.

    `exact`: the number of calls is known; else `why` says what it depends on. `again`: how many calls more there are at
    most because an answer contradicts what was. `at_most`: what would be set aside for
    the longest play that the scenario allows, with every answer as long as `max_tokens` allows and repaired once; None
    where no model costs anything. Answers that are asked again because a provider failed are not in it: what holds in
    any case is the run's `limit`.
    """

    scenario: str
    title: str
    turns: int
    limit: Money | None = None
    exact: bool
    calls: Spread
    again: int = 0
    input_tokens: Spread
    output_tokens: Spread
    cost: CostSpread
    at_most: Money | None = None
    why: list[str] = []
    notes: list[str] = []
    by: dict[EstimatePart, list[EstimateLine]]
    calibration: list[Calibration] = []
    seconds: float

"""What model calls have cost, broken down; what a model costs."""

from __future__ import annotations

from typing import Annotated, Literal

from pyscrai.contract.wire import Money, Tolerant, Wire
from pyscrai.domain.choices import Price

RunPart = Literal["seat", "phase", "model", "turn"]
Part = Literal["user", "model", "day", "scenario", "group"]
PriceSource = Literal["run", "installation", "published", "free", "unknown"]


class CostLine(Wire):
    """The calls of one part, `key`: a seat (also `narrator`, `analyst`), a phase, a model, a turn, a day … Empty where
    a call has none: an event without a run has no scenario.

    `calls` were made and paid for, however little; `assumed` of them are charged at their upper bound, together
    `assumed_cost`, because nobody knows what they used. `open` calls are under way, with `reserved` put aside for them.
    `replayed` and `cached` are answers that no provider was asked for. Cached and cache-write tokens are part of the
    input, reasoning tokens of the output.
    """

    key: str = ""
    calls: int = 0
    cost: Money
    open: int = 0
    reserved: Money
    assumed: int = 0
    assumed_cost: Money
    replayed: int = 0
    cached: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0


class RunCosts(Wire):
    """GET /runs/{run}/costs: every part of `by` sums up to `total`, and its `cost` is the run's `spent`."""

    run_id: str
    spent: Money
    limit: Money | None = None
    total: CostLine
    by: dict[RunPart, list[CostLine]]


class Costs(Wire):
    """GET /costs: paid calls since a day, and those under way, the dearest first. `owner` None: everybody's.

    `more`: there are more lines than were asked for; `total` counts them all.
    """

    by: Part
    since: str
    owner: str | None = None
    total: CostLine
    lines: list[CostLine]
    more: bool = False


class CostNow(Wire):
    """What a run has cost so far. In streams it comes between entries while paid calls settle; it is no entry, has no
    number, and is never sent again."""

    kind: Literal["cost"] = "cost"
    spent: Money
    reserved: Money
    limit: Money | None = None
    remaining: Money | None = None
    model_calls: int


class ModelPriceInfo(Wire):
    """GET /prices: what a model costs and who says so. `model` is the canonical name where it says one.

    `version` and `dated` belong to the published list. Where nobody knows the price, `price` is None and
    `how_to_declare` says what to do.
    """

    asked: str
    model: str
    source: PriceSource
    price: Annotated[Price | None, Tolerant] = None
    version: str | None = None
    dated: str | None = None
    how_to_declare: str | None = None

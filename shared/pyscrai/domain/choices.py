"""The runtime choices of one run: everything that is decided when a scenario is played, not when it is written."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, PlainSerializer, model_validator


def _money(value: object) -> object:
    if isinstance(value, float):
        raise ValueError('money is a decimal string such as "0.25", not a binary float')
    return value


Money = Annotated[
    Decimal,
    BeforeValidator(_money),
    Field(ge=0, max_digits=20, decimal_places=10, allow_inf_nan=False),
    PlainSerializer(lambda d: format(d, "f"), return_type=str),
]
"""US dollars, numeric(20,10); a decimal string in JSON."""
GROUP = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
"""Names of groups of runs."""


class SeatChoice(BaseModel):
    """What is decided for one seat of this run; None leaves the scenario's own value."""

    model_config = ConfigDict(frozen=True, extra="allow")

    model: str | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1, le=200_000)
    instructions: str | None = None
    human: bool | None = Field(default=None, description="a person plays this seat")
    taken: bool | None = Field(
        default=None, description="a person took the seat in mid-run, or gave it back; the system says so"
    )
    approve: bool | None = Field(default=None, description="a person approves or edits each move of the model first")
    deadline: float | None = Field(default=None, gt=0, le=31_536_000, description="seconds that a person has")
    on_deadline: Literal["wait", "skip", "model"] | None = Field(default=None, description="by default: wait")


class Rates(BaseModel):
    """What tokens cost, US dollars per million. None: cached and cache-write input cost what input costs, reasoning
    what output costs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: Money
    output: Money
    cached_input: Money | None = None
    cache_write: Money | None = None
    reasoning: Money | None = None


class Tier(Rates):
    """Rates of every token of a request with more than `above` input tokens."""

    above: int = Field(ge=0)


class Price(Rates):
    """A price, US dollars per million tokens; `request`: US dollars for each request. `tiers` by growing `above`.

    `source`: where a price that was used is from, as the system says it (`run`, `installation`, a list with its date).
    """

    request: Money = Decimal(0)
    tiers: tuple[Tier, ...] = ()
    source: str | None = Field(default=None, max_length=200)

    @model_validator(mode="after")
    def _ordered(self) -> Price:
        starts = [tier.above for tier in self.tiers]
        if starts != sorted(set(starts)):
            raise ValueError("tiers have to stand in the order of `above`, each once")
        return self

    @property
    def free(self) -> bool:
        """Whether no usage whatever costs anything."""
        rates: tuple[Rates, ...] = (self, *self.tiers)
        told = (
            rate
            for each in rates
            for rate in (each.input, each.output, each.cached_input, each.cache_write, each.reasoning)
        )
        return not self.request and not any(told)


class Choices(BaseModel):
    """`model` stands for every seat, narrator and analyst; `seats` (also `narrator`, `analyst`) refine it.

    `group`: several runs that share a limit. `cache`: take answers that the same request once got, and keep new ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = None
    seats: dict[str, SeatChoice] = {}
    turns: int | None = Field(default=None, ge=1, le=10_000)
    seed: int = Field(default=0, ge=0, le=2**53 - 1)
    limit: Money | Literal["none"] | None = None
    prices: dict[str, Price] = {}
    edits: dict[str, dict[str, JsonValue]] = Field(
        default={}, description="seat → field → value: what is otherwise in this run than in the scenario"
    )
    group: str | None = Field(default=None, pattern=GROUP)
    cache: bool = False
    on_dead_letter: Literal["block", "fail"] = "block"
    max_failures: int = Field(default=3, ge=1, le=100)
    max_losses: int = Field(default=10, ge=1, le=1000)
    title: str | None = None
    description: str | None = None
    labels: dict[str, str] = {}
    custom: dict[str, JsonValue] = {}

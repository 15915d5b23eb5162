"""From questions, their sizes and the lengths of answers to money."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from math import exp, sqrt

from pyscrai.domain.choices import Price
from pyscrai.domain.money import UNIT, cost, upper_bound
from pyscrai.domain.plan import Plan
from pyscrai_api.estimates.lengths import Length, Lengths
from pyscrai_api.estimates.playing import Asked, Play
from pyscrai_api.estimates.sizes import Size

NINE_OF_TEN = 1.645
"""Standard deviations on either side that nine of ten lie within."""
REMEMBERED = 0.4
"""About so much of a request is what was answered before."""
SHOWN_BACK = 6300
"""More than the repair of an answer adds to its request, in bytes (`llm.ask`)."""


@dataclass(kw_only=True)
class Part:
    """What one part of a run comes to, as expected. `calls`: those of the schedule."""

    calls: int = 0
    input: float = 0.0
    output: float = 0.0
    cost: Decimal = Decimal(0)


@dataclass(kw_only=True)
class Bill:
    """A whole play. `low` and `high` are the factors within which nine of ten costs are expected to lie."""

    total: Part = field(default_factory=Part)
    by: dict[str, dict[str, Part]] = field(default_factory=lambda: {"seat": {}, "phase": {}, "model": {}})
    low: float = 1.0
    high: float = 1.0


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """What is the same for all questions of one kind to one seat."""

    length: Length
    cached: tuple[float, float]
    again: float


def bill(
    plan: Plan, play: Play, size_of: Callable[[Asked], Size], lengths: Lengths, prices: Mapping[str, Price]
) -> Bill:
    """What a play costs. Its doubt: that about means counts whole, since it is the same in every call; that from call
    to call evens out."""
    told = Bill()
    doubt, chance = 0.0, 0.0
    terms: dict[tuple[str, str], _Terms] = {}
    for asked in play.asked:
        seating, kind = plan.seating(asked.who), plan.event_type(asked.work).name
        model, price = seating.model, prices[seating.model]
        known = terms.get((asked.who, kind))
        if known is None:
            known = terms[asked.who, kind] = _Terms(
                length=lengths.answer(model, kind, seating.max_tokens),
                cached=lengths.cached(model),
                again=1 + lengths.repairs(model),
            )
        size, length, again, (cached, written) = size_of(asked), known.length, known.again, known.cached
        read, unsure = lengths.request(model, kind, round(size.bound), size.counted)
        read, wrote = read * again, length.tokens * again
        spent = cost(
            *(round(read), round(wrote), price),
            cached_tokens=round(read * cached),
            cache_write_tokens=round(read * written),
        )
        for part in (
            told.total,
            told.by["seat"].setdefault(asked.who, Part()),
            told.by["phase"].setdefault(asked.work.phase, Part()),
            told.by["model"].setdefault(model, Part()),
        ):
            part.calls += not asked.again
            part.input += read
            part.output += wrote
            part.cost += spent
        of_output = float(price.output) * wrote / 1e6
        of_input = max(0.0, float(spent) - of_output)
        # What was said is read again in later turns.
        doubt += of_output * length.doubt + of_input * sqrt(unsure**2 + (REMEMBERED * length.doubt) ** 2)
        chance += (of_output * length.spread) ** 2
    if told.total.cost:
        sigma = sqrt(doubt**2 + chance) / float(told.total.cost)
        told.low, told.high = exp(-NINE_OF_TEN * sigma), exp(NINE_OF_TEN * sigma)
    return told


def at_most(plan: Plan, play: Play, bound_of: Callable[[Asked], float], prices: Mapping[str, Price]) -> Decimal:
    """What would be set aside for every call of a play, and for one repair of each answer."""
    total = Decimal(0)
    for asked in play.asked:
        seating = plan.seating(asked.who)
        bound, price = int(bound_of(asked)) + 1, prices[seating.model]
        total += upper_bound(bound, seating.max_tokens, price)
        total += upper_bound(bound + SHOWN_BACK, seating.max_tokens, price)
    return total.quantize(UNIT, ROUND_CEILING)

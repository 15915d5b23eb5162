"""Money arithmetic: US dollars with ten decimals, never float. Reservations are rounded up, settlements exact."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from pyscrai.domain.choices import Price, Rates

MILLION = Decimal(1_000_000)
UNIT = Decimal("1e-10")
MOST_TOKENS = 10**9
"""No call has more: a larger count is a provider's mistake, and its cost would fit nowhere."""
MOST = Decimal(10**9)
"""No call costs more, whatever price was declared: sums have to fit into numeric(20,10)."""


def upper_bound(input_bound: int, max_tokens: int, price: Price) -> Decimal:
    """The most that a call may cost. `input_bound`: the request's tokens at most; `max_tokens`: the answer's.

    Whatever part of the input may be read from a cache or written into one, and whatever part of the output may be
    reasoning, each token counts at the dearest rate that may apply to it.
    """
    exact = max(_most(input_bound, max_tokens, rates) for rates in _reachable(input_bound, price))
    return min(exact + price.request, MOST).quantize(UNIT, ROUND_CEILING)


def cost(
    input_tokens: int,
    output_tokens: int,
    price: Price,
    *,
    cached_tokens: int = 0,
    cache_write_tokens: int = 0,
    reasoning_tokens: int = 0,
) -> Decimal:
    """What a call really cost, to ten decimals.

    Cached and cache-write tokens are parts of the input, reasoning tokens of the output; a provider that counts more
    of a part than of the whole is taken at the whole.
    """
    told_in, told_out = (min(tokens, MOST_TOKENS) for tokens in (input_tokens, output_tokens))
    rates = _at(told_in, price)
    cached = min(cached_tokens, told_in)
    written = min(cache_write_tokens, told_in - cached)
    reasoned = min(reasoning_tokens, told_out)
    exact = (
        rates.input * (told_in - cached - written)
        + _or(rates.cached_input, rates.input) * cached
        + _or(rates.cache_write, rates.input) * written
        + rates.output * (told_out - reasoned)
        + _or(rates.reasoning, rates.output) * reasoned
    ) / MILLION
    return min(exact + price.request, MOST).quantize(UNIT, ROUND_HALF_EVEN)


def affordable(needs: list[Decimal], available: Decimal) -> int:
    """How many of `needs`, taken in order, fit into `available` together."""
    for count, need in enumerate(needs):
        if need > available:
            return count
        available -= need
    return len(needs)


def _most(input_bound: int, max_tokens: int, rates: Rates) -> Decimal:
    dearest_in = max(rates.input, _or(rates.cached_input, rates.input), _or(rates.cache_write, rates.input))
    dearest_out = max(rates.output, _or(rates.reasoning, rates.output))
    return (dearest_in * input_bound + dearest_out * max_tokens) / MILLION


def _reachable(input_bound: int, price: Price) -> list[Rates]:
    """The rates that a request of at most so many tokens may come to."""
    return [price, *(tier for tier in price.tiers if tier.above < input_bound)]


def _at(input_tokens: int, price: Price) -> Rates:
    rates: Rates = price
    for tier in price.tiers:
        if input_tokens > tier.above:
            rates = tier
    return rates


def _or(rate: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if rate is None else rate

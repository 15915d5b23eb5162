"""Money arithmetic: US dollars with ten decimals, never float. Reservations are rounded up, settlements exact."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from pyscrai.domain.choices import Price

MILLION = Decimal(1_000_000)
UNIT = Decimal("1e-10")
MOST_TOKENS = 10**9
"""No call has more: a larger count is a provider's mistake, and its cost would fit nowhere."""


def upper_bound(input_bound: int, max_tokens: int, price: Price) -> Decimal:
    """The most that a call may cost. `input_bound`: the request's tokens at most; `max_tokens`: the answer's."""
    exact = (price.input * input_bound + price.output * max_tokens) / MILLION
    return exact.quantize(UNIT, ROUND_CEILING)


def cost(input_tokens: int, output_tokens: int, price: Price) -> Decimal:
    """What a call really cost, to ten decimals."""
    told = [min(tokens, MOST_TOKENS) for tokens in (input_tokens, output_tokens)]
    exact = (price.input * told[0] + price.output * told[1]) / MILLION
    return exact.quantize(UNIT, ROUND_HALF_EVEN)


def affordable(needs: list[Decimal], available: Decimal) -> int:
    """How many of `needs`, taken in order, fit into `available` together."""
    for count, need in enumerate(needs):
        if need > available:
            return count
        available -= need
    return len(needs)

"""What was used, and what it costs: US dollars, exact, never float."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation, localcontext

MILLION = 6
"""Digits that a price per million tokens is shifted by."""


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens. `cached` and `cache_write` are among `input`, `reasoning` is among `output`."""

    input: int
    output: int
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0


@dataclass(frozen=True, kw_only=True)
class Prices:
    """US dollars per million tokens; `request`: for each answer, in US dollars."""

    input: Decimal
    output: Decimal
    cached_input: Decimal
    cache_write: Decimal
    request: Decimal
    reasoning: Decimal

    @classmethod
    def read(cls, text: str) -> Prices:
        """From `INPUT,OUTPUT[,CACHED_INPUT[,CACHE_WRITE[,REQUEST[,REASONING]]]]`. Raises ValueError.

        Left out, what goes through the cache costs what other input does, reasoning what other output does, and a
        request nothing.
        """
        told = text.split(",")
        if not 2 <= len(told) <= 6:
            raise ValueError(f"{text!r}: write INPUT,OUTPUT[,CACHED_INPUT[,CACHE_WRITE[,REQUEST[,REASONING]]]]")
        amounts = [_dollars(amount) for amount in told]
        left_out = [amounts[0], amounts[0], Decimal(0), amounts[1]]
        read, written, cached, cache_write, request, reasoning = amounts + left_out[len(amounts) - 2 :]
        return cls(
            input=read,
            output=written,
            cached_input=cached,
            cache_write=cache_write,
            request=request,
            reasoning=reasoning,
        )

    def cost(self, usage: Usage) -> Decimal:
        """To the last digit: nothing is rounded."""
        with localcontext(prec=80):
            plain = usage.input - usage.cached - usage.cache_write
            tokens = (
                self.input * plain
                + self.cached_input * usage.cached
                + self.cache_write * usage.cache_write
                + self.output * (usage.output - usage.reasoning)
                + self.reasoning * usage.reasoning
            )
            return tokens.scaleb(-MILLION) + self.request


def shown(amount: Decimal) -> str:
    """Without exponent and without zeros that say nothing."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def added(amounts: list[Decimal]) -> Decimal:
    """The sum, exactly."""
    with localcontext(prec=80):
        return sum(amounts, Decimal(0))


def _dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text.strip())
    except InvalidOperation:
        raise ValueError(f"{text!r} is not an amount of US dollars") from None
    exponent = amount.as_tuple().exponent
    if not amount.is_finite() or amount < 0 or amount >= 10**10 or not isinstance(exponent, int) or exponent < -20:
        raise ValueError(f"{text!r} is not an amount of US dollars")
    return amount

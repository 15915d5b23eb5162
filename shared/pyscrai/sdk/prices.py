"""Amounts of US dollars and prices of models, as people write them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from pyscrai.domain.choices import Price

Amount = Decimal | float | int | str | None
Prices = Mapping[str, tuple[Amount, Amount] | Mapping[str, Any] | Price]
NAMED = ("cached_input", "cache_write", "reasoning", "request")
"""Parts of a price that are written with their names."""


def dollars(amount: Amount) -> Decimal:
    """An amount of US dollars, 0 or more; a float counts as it is written. Raises ValueError."""
    try:
        value = Decimal(str(amount).strip().lstrip("$"))
    except InvalidOperation:
        raise ValueError(f"{amount!r} is not an amount of US dollars such as 0.25") from None
    if not value.is_finite() or value < 0:
        raise ValueError(f"{amount!r} is not an amount of US dollars, 0 or more")
    return value


def price_from(price: tuple[Amount, Amount] | Mapping[str, Any] | Price) -> Price:
    """(input, output), or a mapping of a price's fields (tiers too), in US dollars per million tokens.

    Raises ValueError (pydantic's ValidationError is one) where it is neither.
    """
    if isinstance(price, Price):
        return price
    if isinstance(price, Mapping):
        return Price.model_validate(_exact(price))
    return Price(input=dollars(price[0]), output=dollars(price[1]))


def price_of(text: str) -> Price:
    """`IN,OUT`, then perhaps `,cached_input=…,cache_write=…,reasoning=…` in US dollars per million tokens, and
    `,request=…` in US dollars for each request. Raises ValueError naming the part that is wrong."""
    read, _, rest = text.partition(",")
    written, *parts = rest.split(",")
    named: dict[str, Decimal] = {}
    for part in parts:
        name, _, amount = (piece.strip() for piece in part.partition("="))
        if name not in NAMED:
            raise ValueError(f"{part.strip()!r}: after IN,OUT write NAME=USD, with NAME one of {', '.join(NAMED)}")
        if name in named:
            raise ValueError(f"{name} is given twice")
        named[name] = _named(name, amount)
    return Price(input=_named("input", read), output=_named("output", written), **named)


def text_of(price: Price) -> str | None:
    """A price as `price_of` reads it; None where it has tiers, which cannot be written so."""
    if price.tiers:
        return None
    told = ((name, getattr(price, name)) for name in NAMED)
    named = (f"{name}={_plain(amount)}" for name, amount in told if amount or (amount == 0 and name != "request"))
    return ",".join([_plain(price.input), _plain(price.output), *named])


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def _named(field: str, text: str) -> Decimal:
    try:
        return dollars(text)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None


def _exact(value: Any) -> Any:
    """The same with no binary float in it: 0.1 is one tenth."""
    if isinstance(value, Mapping):
        return {name: _exact(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(one) for one in value]
    return dollars(value) if isinstance(value, float) else value

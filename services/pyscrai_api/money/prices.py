"""What a model costs: the run's declared prices, the installation's, then the published ones of `genai-prices`.

A price that nobody knows is None, and the call is refused: a guess would make the limit a guess.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from pyscrai.domain.choices import Price
from pyscrai.domain.model_names import UnknownModel, parse
from pyscrai_api.money.names import canonical_name
from pyscrai_api.money.price_file import read_prices
from pyscrai_api.money.published import list_version, published

__all__ = ["FREE", "Found", "how_to_declare", "look_up", "price_of", "read_prices", "today"]

Source = Literal["run", "installation", "published", "free"]
FREE = Price(input=Decimal(0), output=Decimal(0), source="free")
FREE_AT_OPENROUTER = ":free"
"""How the names of models end that OpenRouter serves for nothing; not all of them are in the published list."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A price and where it is from. `dated`: the day for which the published list was asked."""

    price: Price
    source: Source
    dated: date | None = None


def price_of(
    model: str, declared: Mapping[str, Price], installation: Mapping[str, Price], on: date | None = None
) -> Price | None:
    """The price of a model on a day (today), its `source` filled in; None where nobody knows it.

    `declared` are a run's own prices; both mappings may use any name that says the same model, or the beginning of one
    and a `*`, as in `ollama:*`. The model's own name goes before a beginning, a long beginning before a short one.
    """
    found = look_up(model, declared, installation, on)
    return None if found is None else found.price


def look_up(
    model: str, declared: Mapping[str, Price], installation: Mapping[str, Price], on: date | None = None
) -> Found | None:
    """As `price_of`, with where the price is from."""
    name = canonical_name(model)
    if (price := _declared(model, name, declared)) is not None:
        return _from("run", price)
    if (price := _declared(model, name, installation)) is not None:
        return _from("installation", price)
    return _listed(name, on or today())


def today() -> date:
    """The day in UTC, for which published prices are asked. A list of prices is dated by the day, so the clock of
    this process is good enough; nothing is put in order by it."""
    return datetime.fromtimestamp(time.time(), UTC).date()


def how_to_declare(model: str) -> str:
    """What to tell a person whose model has no known price."""
    return (
        f"no price is known for the model {model}, so its cost cannot be limited. Declare one in US dollars per "
        f"million tokens: `--price '{model}=INPUT,OUTPUT'` on the command line, `choices.prices` in the request, "
        "or the file that PYSCRAI_PRICES names."
    )


def _from(source: Source, price: Price) -> Found:
    return Found(price=price.model_copy(update={"source": source}), source=source)


def _declared(model: str, name: str, prices: Mapping[str, Price]) -> Price | None:
    beginnings: list[tuple[int, Price]] = []
    for given, price in prices.items():
        said = canonical_name(given)
        if given == model or said == name:
            return price
        if said.endswith("*") and name.startswith(said[:-1]):
            beginnings.append((len(said), price))
    return max(beginnings, key=lambda found: found[0])[1] if beginnings else None


@lru_cache(maxsize=4096)
def _listed(name: str, on: date) -> Found | None:
    """The day is part of what is remembered, so that no price outlives it."""
    try:
        ref = parse(name)
    except UnknownModel:
        return None
    if ref.free or (ref.provider == "openrouter" and ref.model.endswith(FREE_AT_OPENROUTER)):
        return Found(price=FREE, source="free")
    price = published(ref, on)
    if price is None:
        return None
    source = f"{list_version()}, {on.isoformat()}"
    return Found(price=price.model_copy(update={"source": source}), source="published", dated=on)

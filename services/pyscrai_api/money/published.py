"""The published list of prices, `genai-prices`, as our own prices: whole, and of one day.

What the list leaves open is taken at its dearest, so that a bound made from it holds: a price that changes with the
hour, because a call may cross the hour; a rate with more than ten decimals, rounded up. What it does not say is
unknown, never free.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import ROUND_CEILING, Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING

from pyscrai.domain.choices import Price, Rates, Tier
from pyscrai.domain.model_names import ModelRef
from pyscrai.domain.money import UNIT

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, TieredPrices

PACKAGE = "genai-prices"
_PUBLISHED_AS = {"gemini": "google"}
"""Providers that the list calls by another name than we do."""
_BY_THE_HOUR = frozenset({"modal", "databricks"})
"""Their addresses are their customers' own servers, which are billed by time, whatever the list says of a model."""
_SEARCHES = re.compile(r"(^|[/-])(sonar|search)|deep-research")
"""Models that search the web by themselves, which costs money beside the tokens."""
_INPUT = ("input_mtok", "input_text_mtok", "input_tool_mtok")
_OUTPUT = ("output_mtok", "output_text_mtok", "output_citation_mtok")
_CACHED = ("cache_read_mtok", "cache_text_read_mtok")
_WRITTEN = ("cache_write_mtok", "cache_write_5m_mtok", "cache_text_write_mtok", "cache_text_write_5m_mtok")
_REASONED = ("output_reasoning_mtok", "output_text_reasoning_mtok")
_PER_REQUEST = "requests_kcount"


def list_version() -> str:
    """`genai-prices 0.2.3`: which list is installed."""
    return f"{PACKAGE} {version(PACKAGE)}"


def published(ref: ModelRef, on: date) -> Price | None:
    """What the list says that a model costs on a day (UTC); None where it does not say all that text costs.

    A server at an address of its own is known where the address is one of the list's providers'.
    """
    info = _find(ref)
    if info is None:
        return None
    prices = _of_day(info, on)
    request = max(_rate(price, (_PER_REQUEST,), 0) or Decimal(0) for price in prices) / 1000
    if not request and _SEARCHES.search(ref.model.lower()):
        return None
    starts = sorted({0, *(start for price in prices for start in _starts(price))})
    rates = [_rates(prices, above) for above in starts]
    base, *dearer = rates
    if base is None or any(each is None for each in dearer):
        return None
    tiers = tuple(
        Tier(**dict(each), above=above) for above, each in zip(starts[1:], dearer, strict=True) if each is not None
    )
    return Price(**dict(base), request=_ten_decimals(request), tiers=tiers)


def _find(ref: ModelRef) -> ModelInfo | None:
    from genai_prices.data_snapshot import get_snapshot

    provider_id = None if ref.base_url else _PUBLISHED_AS.get(ref.provider, ref.provider)
    try:
        provider, info = get_snapshot().find_provider_model(ref.model, None, provider_id, ref.base_url)
    except LookupError:
        return None
    return None if provider.id in _BY_THE_HOUR else info


def _of_day(info: ModelInfo, on: date) -> list[ModelPrice]:
    """Every price that holds at some moment of the day."""
    from genai_prices.types import ModelPrice, TimeOfDateConstraint

    if isinstance(info.prices, ModelPrice):
        return [info.prices]
    moments = {time(0)}
    for conditional in info.prices:
        if isinstance(conditional.constraint, TimeOfDateConstraint):
            moments |= {_utc(conditional.constraint.start_time), _utc(conditional.constraint.end_time)}
    return [info.get_prices(datetime.combine(on, moment, UTC)) for moment in sorted(moments)]


def _utc(moment: time) -> time:
    if moment.tzinfo is None:
        return moment
    return datetime.combine(date(1970, 1, 2), moment).astimezone(UTC).time()


def _rates(prices: Sequence[ModelPrice], above: int) -> Rates | None:
    """The dearest rates of a request with more than `above` input tokens; None where input or output has none."""
    plain: list[tuple[Decimal, Decimal]] = []
    for price in prices:
        read, written = _rate(price, _INPUT, above), _rate(price, _OUTPUT, above)
        if read is None or written is None:
            return None
        plain.append((read, written))
    reads, writes = [read for read, _ in plain], [written for _, written in plain]
    return Rates(
        input=_ten_decimals(max(reads)),
        output=_ten_decimals(max(writes)),
        cached_input=_part(prices, _CACHED, above, reads),
        cache_write=_part(prices, _WRITTEN, above, reads),
        reasoning=_part(prices, _REASONED, above, writes),
    )


def _part(prices: Sequence[ModelPrice], keys: Iterable[str], above: int, plain: Sequence[Decimal]) -> Decimal | None:
    """The dearest rate of a part of the tokens. Where only some prices have one, the others charge the plain rate."""
    rates = [_rate(price, keys, above) for price in prices]
    if all(rate is None for rate in rates):
        return None
    return _ten_decimals(max(whole if rate is None else rate for rate, whole in zip(rates, plain, strict=True)))


def _rate(price: ModelPrice, keys: Iterable[str], above: int) -> Decimal | None:
    """The dearest of several keys, of which we count the tokens together."""
    told = [_at(value, above) for key in keys if (value := getattr(price, key)) is not None]
    return max(told, default=None)


def _at(value: Decimal | TieredPrices, above: int) -> Decimal:
    if isinstance(value, Decimal):
        return value
    rate = value.base
    for tier in value.tiers:
        if tier.start <= above:
            rate = tier.price
    return rate


def _starts(price: ModelPrice) -> set[int]:
    """Above how many input tokens its rates change."""
    from genai_prices.types import TieredPrices

    return {
        tier.start
        for key in (*_INPUT, *_OUTPUT, *_CACHED, *_WRITTEN, *_REASONED)
        if isinstance(value := getattr(price, key), TieredPrices)
        for tier in value.tiers
    }


def _ten_decimals(rate: Decimal) -> Decimal:
    return rate if rate == rate.quantize(UNIT) else rate.quantize(UNIT, ROUND_CEILING)

"""The settings of one mock provider, read once and passed down whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from pyscrai_mock_provider.faults import Rates
from pyscrai_mock_provider.prices import Prices
from pyscrai_mock_provider.script import NO_SCRIPT, Script, read_script
from pyscrai_mock_provider.spread import Spread

NONE = Spread(0)
NO_FAULTS = Rates({})


class BadSetting(ValueError):
    """A setting that makes no sense; the message names it."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`latency` and `retry_after` in seconds, `length` and `reasoning` in tokens; shares are parts of a request.

    `length` None: answers are as long as they come. `rate_limit`: requests a minute; `concurrency`: at once.
    """

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 0
    script: Script = NO_SCRIPT
    prices: Prices
    latency: Spread = NONE
    length: Spread | None = None
    reasoning: Spread = NONE
    cached_share: Decimal = Decimal(0)
    cache_write_share: Decimal = Decimal(0)
    faults: Rates = NO_FAULTS
    retry_after: float = 1.0
    rate_limit: float | None = None
    concurrency: int | None = None
    key: str | None = None
    echo_key: bool = False

    def __post_init__(self) -> None:
        if self.cached_share < 0 or self.cache_write_share < 0 or self.cached_share + self.cache_write_share > 1:
            raise BadSetting("cached-share and cache-write-share are parts of a request: between 0 and 1 together")
        if self.retry_after < 0:
            raise BadSetting("retry-after cannot be negative")
        if self.rate_limit is not None and self.rate_limit <= 0:
            raise BadSetting("rate-limit has to be above 0 requests a minute")
        if self.concurrency is not None and self.concurrency < 1:
            raise BadSetting("concurrency has to be at least 1")


def read_settings(
    *,
    price: str = "0.15,0.6",
    script: str | None = None,
    latency: str | float = 0,
    length_median: float | None = None,
    length_sigma: float = 0.5,
    reasoning: str | float = 0,
    cached_share: str | float = 0,
    cache_write_share: str | float = 0,
    fault: Iterable[str] = (),
    faults: str | None = None,
    **others: Any,
) -> Settings:
    """Settings from the options of the command line, with `_` for `-`; `others` are fields. Raises BadSetting."""
    return Settings(
        prices=_read("price", lambda: Prices.read(price)),
        script=NO_SCRIPT if script is None else _read("script", lambda: read_script(script)),
        latency=_read("latency", lambda: Spread.read(str(latency))),
        length=None if length_median is None else _read("length", lambda: Spread(length_median, length_sigma)),
        reasoning=_read("reasoning", lambda: Spread.read(str(reasoning))),
        cached_share=_read("cached-share", lambda: _share(cached_share)),
        cache_write_share=_read("cache-write-share", lambda: _share(cache_write_share)),
        faults=_read("fault", lambda: Rates.read(fault, faults)),
        **others,
    )


def _share(told: str | float) -> Decimal:
    try:
        return Decimal(str(told))
    except InvalidOperation:
        raise ValueError(f"{told!r} is not a number") from None


def _read(name: str, read: Any) -> Any:
    try:
        return read()
    except ValueError as error:
        raise BadSetting(f"{name}: {error}") from None

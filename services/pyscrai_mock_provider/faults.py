"""What can go wrong, how often, and whether it is paid for: one fault at most for each request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from pyscrai.domain.chance import BITS, chance


@dataclass(frozen=True)
class Fault:
    """`billed`: an answer was made, so it is on the bill. `passing`: another try has a point."""

    text: str
    billed: bool = False
    passing: bool = True


FAULTS: dict[str, Fault] = {
    "rate_limit": Fault("429 with Retry-After"),
    "overloaded": Fault("529, before any work"),
    "server_error": Fault("500, before any work"),
    "late_error": Fault("500, after the answer was made", billed=True),
    "dropped_before": Fault("the connection closes before any work"),
    "dropped": Fault("the connection closes in the middle of the answer", billed=True),
    "timeout": Fault("no answer; the connection is held until its client goes", billed=True),
    "broken_json": Fault("an answer that is no JSON, or half of one", billed=True),
    "broken_body": Fault("200 with a body that is no chat completion", billed=True),
    "empty": Fault("an answer without a word", billed=True),
    "refused": Fault("the model declines, in the answer's `refusal`", billed=True),
    "overlong": Fault("texts repeat themselves beyond their maxLength, and often beyond max_tokens", billed=True),
    "no_usage": Fault("an answer that does not say what it used", billed=True),
    "bad_key": Fault("401", passing=False),
    "too_long": Fault("400 context_length_exceeded", passing=False),
    "overcharged": Fault("three times max_tokens are counted as output", billed=True, passing=False),
}
SMALL = Decimal("0.02")
"""The rate of each with `--faults`."""
_DRAWS = 1 << BITS

SETS: dict[str, tuple[str, ...]] = {
    # No honest provider charges for more than max_tokens, so this one is had by its name only.
    "all": tuple(name for name in FAULTS if name != "overcharged"),
    "passing": tuple(name for name, fault in FAULTS.items() if fault.passing),
}


@dataclass(frozen=True)
class Rates:
    """How likely each fault is; together at most 1. Raises ValueError."""

    rates: Mapping[str, Decimal]

    def __post_init__(self) -> None:
        for name, rate in self.rates.items():
            if name not in FAULTS:
                raise ValueError(f"there is no fault {name!r} (there are: {', '.join(FAULTS)})")
            if not 0 <= rate <= 1:
                raise ValueError(f"{name}={rate}: a rate is between 0 and 1")
        if sum(self.rates.values()) > 1:
            raise ValueError(f"the rates of the faults add up to {sum(self.rates.values())}, which is more than 1")

    @classmethod
    def read(cls, told: Iterable[str], named: str | None = None) -> Rates:
        """From `NAME=RATE` (or `NAME` alone: always) over the set `named`. Raises ValueError."""
        if named is not None and named not in SETS:
            raise ValueError(f"there is no set of faults {named!r} (there are: {', '.join(SETS)})")
        rates = dict.fromkeys(SETS[named], SMALL) if named is not None else {}
        for text in told:
            name, equals, rate = text.partition("=")
            try:
                rates[name] = Decimal(rate) if equals else Decimal(1)
            except InvalidOperation:
                raise ValueError(f"{text!r}: write NAME=RATE, with a rate between 0 and 1") from None
        return cls(rates)

    def draw(self, seed: int, digest: str, occurrence: int) -> str | None:
        """The fault of this request, which came `occurrence` times before in the same words; None for none."""
        if not self.rates:
            return None
        drawn = chance(seed, "fault", digest, occurrence)
        below = Decimal(0)
        for name, rate in self.rates.items():
            below += rate
            if drawn < below * _DRAWS:
                return name
        return None

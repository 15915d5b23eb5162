"""From what people write (keyword arguments, options) to the runtime choices of a run."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pyscrai.contract.runs import Resume
from pyscrai.domain.choices import Choices, SeatChoice
from pyscrai.sdk.prices import Amount, Prices, dollars, price_from

Seats = Mapping[str, str | Mapping[str, Any] | SeatChoice]


def limit_of(amount: Amount) -> Decimal | Literal["none"] | None:
    """US dollars: 5, 0.25, "0.25" (a float counts as it is written), "none" for no limit, None for the API's default.

    Raises ValueError for anything else.
    """
    if amount is None:
        return None
    if isinstance(amount, str) and amount.strip().lower() == "none":
        return "none"
    return dollars(amount)


def model_of(name: str | None) -> str | None:
    """A model's name with the path of a `scripted:` file made absolute: engines run in another folder."""
    if name is None or not name.startswith("scripted:"):
        return name
    path = Path(name.removeprefix("scripted:")).expanduser()
    return f"scripted:{path.resolve()}"


def choices_of(
    *,
    end_turn: int | None = None,
    credit_limit: Amount = None,
    model: str | None = None,
    seats: Seats | None = None,
    seed: int | None = None,
    prices: Prices | None = None,
    title: str | None = None,
    labels: Mapping[str, str] | None = None,
    cache: bool = False,
    group: str | None = None,
    edits: Mapping[str, Mapping[str, Any]] | None = None,
) -> Choices:
    """The choices of a run. Raises ValueError (pydantic's ValidationError is one) where a value makes no sense."""
    return Choices(
        model=model_of(model),
        seats=seats_of(seats),
        turns=end_turn,
        seed=0 if seed is None else seed,
        limit=limit_of(credit_limit),
        prices={name: price_from(price) for name, price in (prices or {}).items()},
        title=title,
        labels=dict(labels or {}),
        cache=cache,
        group=group,
        edits={seat: dict(fields) for seat, fields in (edits or {}).items()},
    )


def resume_of(
    *,
    credit_limit: Amount = None,
    model: str | None = None,
    seats: Seats | None = None,
    prices: Prices | None = None,
    pool: str | None = None,
) -> Resume:
    """How to go on with a run: what is None stays as it is, but its open events move to `pool` (None: the plain
    lanes). Raises ValueError where a value makes no sense."""
    return Resume(
        limit=limit_of(credit_limit),
        model=model_of(model),
        seats=seats_of(seats) if seats else None,
        prices={name: price_from(price) for name, price in prices.items()} if prices else None,
        pool=pool,
        move=True,
    )


def seats_of(seats: Seats | None) -> dict[str, SeatChoice]:
    """A choice for each seat, from a model's name, a mapping or a choice."""
    return {name: _seat(choice) for name, choice in (seats or {}).items()}


def _seat(choice: str | Mapping[str, Any] | SeatChoice) -> SeatChoice:
    if isinstance(choice, SeatChoice):
        return choice
    values = {"model": choice} if isinstance(choice, str) else dict(choice)
    return SeatChoice.model_validate({**values, "model": model_of(values.get("model"))})

"""From what people write (keyword arguments, options) to what is injected into a run, and to a branch of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyscrai.contract.branches import BranchPoint, Changes, NewBranch
from pyscrai.contract.inputs import NewInput
from pyscrai.sdk.choices import Seats, limit_of, model_of, seats_of
from pyscrai.sdk.prices import Amount, Prices, price_from

Told = str | Mapping[str, Any] | NewInput
"""A text for all seats, or what `contract.inputs.NewInput` has."""


def input_of(told: Told) -> NewInput:
    """Raises ValueError (pydantic's ValidationError is one) where it makes no sense."""
    if isinstance(told, NewInput):
        return told
    return NewInput(text=told) if isinstance(told, str) else NewInput.model_validate(dict(told))


def branch_of(
    *,
    turn: int | None = None,
    seq: int | None = None,
    model: str | None = None,
    seats: Seats | None = None,
    edits: Mapping[str, Mapping[str, Any]] | None = None,
    facts: Mapping[str, Any] | None = None,
    world: str | None = None,
    inputs: Sequence[Told] = (),
    credit_limit: Amount = None,
    end_turn: int | None = None,
    seed: int | None = None,
    prices: Prices | None = None,
    title: str | None = None,
    labels: Mapping[str, str] | None = None,
    group: str | None = None,
    pool: str | None = None,
) -> NewBranch:
    """A branch after turn `turn` (0: before the first) or after the entry `seq`, with what is otherwise in it.

    Raises ValueError where a value makes no sense, or neither or both of `turn` and `seq` are given.
    """
    changes = Changes(
        model=model_of(model),
        seats=seats_of(seats),
        edits={seat: dict(fields) for seat, fields in (edits or {}).items()},
        facts=None if facts is None else dict(facts),
        world=world,
        inputs=[input_of(one) for one in inputs],
        limit=limit_of(credit_limit),
        turns=end_turn,
        seed=seed,
        prices={name: price_from(price) for name, price in (prices or {}).items()},
        title=title,
        labels=None if labels is None else dict(labels),
        group=group,
    )
    return NewBranch(at=BranchPoint(turn=turn, seq=seq), changes=changes, pool=pool)

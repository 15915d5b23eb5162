"""Randomness without a generator: a hash of the seed and of the place that asks (DESIGN rule 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from pyscrai.domain.canonical import canonical, sha256

T = TypeVar("T")
Place = str | int | bool | None

BITS = 52
"""How many bits a draw has: few enough for a JSON number to be exact."""


def chance(seed: int, *place: Place) -> int:
    """A whole number in [0, 2^52) that depends on nothing but `seed` and `place`, e.g. (turn, phase, purpose)."""
    return int(sha256(canonical([seed, *place]))[: BITS // 4], 16)


def pick(seed: int, *place: Place, options: Sequence[T]) -> T:
    """One of `options`, each as likely as the others. Raises ValueError when there is none."""
    if not options:
        raise ValueError("there is nothing to pick from")
    return options[chance(seed, *place) % len(options)]

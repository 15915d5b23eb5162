"""The base of every message: unknown fields are ignored, names are as on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from pyscrai.domain.choices import Money

T = TypeVar("T")


class Wire(BaseModel):
    """A message. Tolerant on purpose: a newer peer may send fields that this one does not know."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)


def _known(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False, include_input=False)
        unknown = [item["loc"] for item in wrong if item["type"] == "extra_forbidden"]
        if len(unknown) < len(wrong):
            raise
        for place in unknown:
            value = _without(value, place)
        return read(value)


def _without(value: Any, place: Sequence[int | str]) -> Any:
    first, *rest = place
    if isinstance(value, list):
        return [_without(item, rest) if index == first else item for index, item in enumerate(value)]
    return {key: _without(item, rest) if key == first else item for key, item in value.items() if rest or key != first}


Tolerant = WrapValidator(_known)
"""For documents of the domain inside an answer. In a request a field that nobody knows is a mistake; in an answer it is
of a newer API, and is ignored as everywhere else."""


class Page(Wire, Generic[T]):
    """A page of a list. `next` goes into `?after=`; None at the end."""

    items: list[T]
    next: str | None = None


__all__ = ["Money", "Page", "Tolerant", "Wire"]

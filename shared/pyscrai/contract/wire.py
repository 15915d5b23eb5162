"""The base of every message: unknown fields are ignored, names are as on the wire."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from pyscrai.domain.choices import Money

T = TypeVar("T")


class Wire(BaseModel):
    """A message. Tolerant on purpose: a newer peer may send fields that this one does not know."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)


class Page(Wire, Generic[T]):
    """A page of a list. `next` goes into `?after=`; None at the end."""

    items: list[T]
    next: str | None = None


__all__ = ["Money", "Page", "Wire"]

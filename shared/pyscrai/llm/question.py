"""What is asked, and who keeps account of asking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from pyscrai.contract.events import CallRecord, Grant, ModelChoice

MAX_CALLS = 2
"""Model calls of one question: one, and at most one repair."""
MAX_ANSWER = 256 * 1024
"""Bytes of an answer; a longer one is repaired once, never cut."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """One event's question to its model. `schema` None asks for free text. The rest says where it is asked from."""

    model: ModelChoice
    system: str
    user: str
    schema: dict[str, Any] | None
    event_type: str
    seat: str | None
    turn: int | None
    phase: str | None
    try_no: int
    event_id: int
    lease_no: int
    view: dict[str, Any] | None = None
    key: str | None = field(default=None, repr=False)
    """The key of the model's provider that came with the lease; None: this process has its own."""


class Meter(Protocol):
    """Who pays. Implemented by the engine runtime; its errors pass through `ask` untouched."""

    async def reserve(
        self, *, call: int, model: str, input_bound: int, max_tokens: int, request_hash: str
    ) -> Grant | None:
        """Reserve the upper bound of call number `call` (from 1). Raises what must stop the work on this event.

        A grant may bring the answer of a recording or of the cache, which is then taken in place of a call; or say
        `diverged`, with what the recording has instead. None: the call is to be made.
        """
        ...

    def record(self, call: CallRecord) -> None:
        """Take note of a call that was reserved: made or not, answered or failed."""
        ...


__all__ = ["MAX_ANSWER", "MAX_CALLS", "CallRecord", "Meter", "ModelChoice", "Question"]

"""Model calls as a run keeps them: what was asked, what was answered, what it cost."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pyscrai.contract.events import RequestMessage, Usage
from pyscrai.contract.wire import Money, Wire

CallState = Literal["reserved", "settled", "assumed", "released"]


class ModelCall(Wire):
    """One call. (step, ordinal, try, call) is its position in the run, the same however often engines were killed.

    `reserved`: still under way. `settled`: paid as the provider counted. `assumed`: nobody knows what became of it,
    so its upper bound is charged. `released`: never sent. `request` and `answer` are there once it is settled.
    `source`: no model was asked, the answer is that of a recording (`replay`) or of the `cache`.
    """

    event_id: int
    event_type: str
    step: int
    ordinal: int
    turn: int | None = None
    phase: str | None = None
    seat: str | None = None
    lease_no: int
    try_no: int = Field(alias="try")
    call: int
    model: str
    state: CallState
    reserved: Money
    cost: Money
    usage: Usage | None = None
    request: list[RequestMessage] = []
    request_hash: str = ""
    answer: str | None = None
    source: Literal["replay", "cache"] | None = None
    error: str | None = None
    seconds: float | None = None
    reserved_at: str
    settled_at: str | None = None


class CachedAnswers(Wire):
    """GET /cache: what the caller's cache holds, and how many calls of runs it answered. Kept for `days`."""

    answers: int
    bytes: int
    hits: int
    days: float

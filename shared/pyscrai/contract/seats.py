"""People at seats over HTTP: what they are asked, their drafts and moves, seats that change hands."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from pyscrai.contract.wire import Wire

Rule = Literal["wait", "skip", "model", "recorded"]
Asks = Literal["move", "approval"]
DEADLINE = 31_536_000.0
"""Seconds, at most: a year."""
LONGEST_REMARK = 4000


class Asked(Wire):
    """One event that waits for a person. `what`: what is asked, in words; `seconds_left`: until the deadline, by the
    database's clock (0: it has passed); `on_deadline`: what happens then. `lease_no` goes with every answer."""

    event_id: int
    lease_no: int
    run_id: str
    run: str
    """As one names it: `negotiation/run-003`."""
    seat: str
    title: str
    kind: Asks
    what: str
    turn: int
    turns: int
    phase: str
    status: str
    deadline: str | None = None
    seconds_left: float | None = None
    on_deadline: Rule = "wait"
    draft: bool = False
    asked_at: str


class SeatPage(Wire):
    """GET /runs/{run}/seats/{seat}: who sits there, what the seat may know, and where a person is asked for something
    (`asked`) the form, its draft, and what the model proposes."""

    run_id: str
    run: str
    status: str
    seat: str
    title: str
    played_by: Literal["person", "model"]
    approve: bool
    model: str
    asked: Asked | None = None
    form: dict[str, Any] | None = None
    """JSON Schema of the `value` that may be submitted; `x-titles` stand beside each `enum`."""
    draft: dict[str, Any] | None = None
    draft_by: str | None = None
    draft_at: str | None = None
    proposed: dict[str, Any] | None = None
    remarks: list[dict[str, Any]] = []
    view: dict[str, Any]


class Draft(Wire):
    """PUT …/draft: what has been typed so far; it need not fit the form yet. Without `event_id`: what the seat is asked
    now."""

    value: dict[str, Any]
    lease_no: int
    event_id: int | None = None


class SavedDraft(Wire):
    event_id: int
    lease_no: int
    saved_at: str


class Move(Wire):
    """POST …/move: what the seat does. `approve` in place of a `value` takes the proposal as it is.

    With `event_id` a repeat is the same move, never the next one. Without `lease_no`: whatever number it has now.
    """

    value: dict[str, Any] | None = None
    approve: bool = False
    lease_no: int | None = None
    event_id: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, given: Any) -> Any:
        """A client that knows only the seeds sends the decision itself."""
        if isinstance(given, dict) and not {"value", "approve", "event_id", "lease_no"} & given.keys():
            return {"value": given}
        return given


class Moved(Wire):
    """A move that counts: the same answer however often it is repeated."""

    event_id: int
    lease_no: int
    run_id: str
    seat: str
    state: Literal["accepted"] = "accepted"
    by: str | None = None
    at: str
    value: dict[str, Any]


class SendBack(Wire):
    """POST …/return: the model is asked again, with a remark."""

    remark: str = Field(min_length=1, max_length=LONGEST_REMARK)
    lease_no: int | None = None
    event_id: int | None = None


class TakeSeat(Wire):
    """POST …/take: a person plays the seat from now on. What is left out stays as it was chosen."""

    deadline: float | None = Field(default=None, gt=0, le=DEADLINE)
    on_deadline: Literal["wait", "skip", "model"] | None = None


class ReleaseSeat(Wire):
    """POST …/release: a model plays the seat from now on; `model`: which, else the one that was chosen for it."""

    model: str | None = None


class Whisper(Wire):
    """POST …/whisper: something that this seat alone learns, with the run's next step."""

    text: str = Field(min_length=1, max_length=20_000)


class Winner(Wire):
    """Why an answer came too late: in the problem of a 409, as `winner`."""

    how: str
    by: str | None = None
    at: str | None = None

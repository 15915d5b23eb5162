"""The queue over HTTP: posting, claiming, reserving, finishing (FORMATS §A, DESIGN §5)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, Field, JsonValue

from pyscrai.contract.engines import LowerCase
from pyscrai.contract.wire import Money, Wire

EventStatus = Literal["queued", "processing", "completed", "failed", "retry", "waiting", "cancelled"]


class NewEvent(Wire):
    """POST /events. The lane is `engine_type` (or `lane`), else the lane of the catalog's event type."""

    event_type: str = Field(default="prompt", max_length=200)
    engine_type: LowerCase | None = Field(default=None, validation_alias=AliasChoices("engine_type", "lane"))
    data: dict[str, JsonValue] = Field(default={}, validation_alias=AliasChoices("data", "payload"))
    priority: int = Field(default=5, ge=0, le=9)
    scheduled_for: str | None = None
    dedupe_key: str | None = Field(default=None, max_length=200)
    model: str | None = None
    max_failures: int = Field(default=3, ge=1, le=100)


class Event(Wire):
    """An event as the API shows it, with its outcome where there is one.

    `owner` and `code` (of the last error): only in the list of everybody's dead letters, which has neither `data`,
    `result` nor `error`.
    """

    id: int
    event_type: str
    lane: str
    status: EventStatus
    state: str
    priority: int
    data: dict[str, JsonValue] = {}
    run_id: str | None = None
    step: int | None = None
    ordinal: int | None = None
    seat: str | None = None
    turn: int | None = None
    phase: str | None = None
    lease_no: int = 0
    attempt: int = 0
    failures: int = 0
    losses: int = 0
    handbacks: int = 0
    result: dict[str, Any] | None = None
    error: str | None = None
    engine_id: str | None = None
    created_at: str = ""
    scheduled_for: str | None = None
    finished_at: str | None = None
    owner: str | None = None
    code: str | None = None


class Claim(Wire):
    """POST /events/claim. `wait`: seconds to hold the request open; a repeated `claim_id` answers the same.

    `repeat`: how often this claim was sent before, for clients that count; 0 spares the search for what it took then.
    """

    engine_id: str
    lane: str | None = None
    max: int = Field(default=5, ge=1, le=500)
    wait: float = Field(default=0, ge=0, le=60)
    claim_id: str | None = None
    event_types: list[str] | None = None
    repeat: int | None = Field(default=None, ge=0)


class Prompt(Wire):
    """Liquid templates of the pinned event type; rendered by the engine over the event's `view` and `data`."""

    renderer: str = "liquid@1"
    system: str = ""
    user: str


class ModelChoice(Wire):
    """Which model answers. `id` is `provider:model` or a name that resolves; `seed` is a hash of (run seed, place).

    `timeout`: seconds that a call may take, where the installation says so; else its engine does.
    """

    id: str
    temperature: float | None = None
    max_tokens: int = 1024
    seed: int = 0
    timeout: float | None = None


class Claimed(Wire):
    """One event under a lease. `lease_for` is in seconds from the answer; `try` counts failures, not losses."""

    id: int
    event_type: str
    status: Literal["processing"] = "processing"
    priority: int = 5
    data: dict[str, JsonValue] = {}
    run_id: str | None = None
    step: int | None = None
    ordinal: int | None = None
    seat: str | None = None
    turn: int | None = None
    phase: str | None = None
    lease_no: int
    lease_until: str
    lease_for: float
    attempt: int
    try_no: int = Field(default=1, alias="try")
    view: dict[str, Any] | None = None
    prompt: Prompt | None = None
    result_schema: dict[str, Any] | None = None
    model: ModelChoice | None = None
    key: str | None = Field(default=None, repr=False)
    """The owner's own key of the model's provider, where one is kept here; for this lease only."""


class Reserve(Wire):
    """One model call about to be made. `input_bound`: an upper bound of the request's tokens.

    `call` numbers the calls made under this lease, from 1; (event, lease_no, call) names a reservation.
    """

    event_id: int
    lease_no: int
    call: int = Field(ge=1)
    try_no: int = Field(default=1, alias="try", ge=1)
    model: str
    input_bound: int = Field(ge=0)
    max_tokens: int = Field(ge=0)
    request_hash: str


class ReserveBatch(Wire):
    """POST /events/reserve."""

    engine_id: str
    calls: list[Reserve] = Field(min_length=1, max_length=500)


class Usage(Wire):
    """Tokens as the provider counted them. Cached and cache-write tokens are part of the input, reasoning tokens of
    the output."""

    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    cached_tokens: int = Field(default=0, ge=0)
    cache_write_tokens: int = Field(default=0, ge=0)
    reasoning_tokens: int = Field(default=0, ge=0)


class RequestMessage(Wire):
    role: str
    text: str


class Grant(Wire):
    """`granted`: make the call, or where `answer` is given, take that instead and make none. `stale`: stop, the lease
    is gone. `refused`: no money now; `not_running`: the run stands still; `rate_limited`: the provider has no room:
    in each of these the event has been handed back already. `unpriced`, `limit_required`: fail the event permanently
    with `detail`. `diverged`: the recording has another request here, `recorded`; `recording_ends`: it has none."""

    event_id: int
    call: int
    state: Literal[
        "granted",
        "stale",
        "refused",
        "not_running",
        "rate_limited",
        "unpriced",
        "limit_required",
        "diverged",
        "recording_ends",
    ]
    reserved: Money | None = None
    detail: str = ""
    answer: str | None = None
    usage: Usage | None = None
    source: Literal["replay", "cache"] | None = None
    recorded: list[RequestMessage] = []


class CallRecord(Wire):
    """A model call that was made (or not: `sent` false releases its reservation) under a lease.

    `usage` None with `sent` true means that nobody knows: it is charged at its upper bound, as `assumed`.
    """

    event_id: int
    lease_no: int
    call: int = Field(ge=1)
    try_no: int = Field(default=1, alias="try", ge=1)
    model: str = ""
    sent: bool = True
    usage: Usage | None = None
    request: list[RequestMessage] = []
    request_hash: str = ""
    answer: str | None = None
    error: str | None = None
    seconds: float = 0
    retry_after: float | None = Field(default=None, ge=0)
    """Seconds for which the provider asked to be left alone."""


class Finish(Wire):
    """One finished event. `handed_back` gives it back uncounted; `permanent` sends it to the dead letters at once.

    A hand-back with the code `model_rate_limited` or `model_overloaded` says that the provider did not begin: the event
    waits, `retry_after` seconds or longer each time, and fails only where that goes on for too long.
    """

    event_id: int
    lease_no: int | None = None
    status: Literal["completed", "failed", "handed_back"]
    result: dict[str, Any] | None = None
    error: str | None = None
    code: str | None = None
    retry_after: float | None = Field(default=None, ge=0)
    permanent: bool = False


class FinishBatch(Wire):
    """PUT /events/status. `calls` are settled first, in their own transaction, whatever becomes of the leases."""

    engine_id: str
    events: list[Finish] = []
    calls: list[CallRecord] = []


class Finished(Wire):
    event_id: int
    state: Literal["done", "stale", "unknown", "invalid"]
    detail: str = ""


class FinishAnswer(Wire):
    """In the order of the request's `events`."""

    results: list[Finished]
    status: Literal["success"] = "success"

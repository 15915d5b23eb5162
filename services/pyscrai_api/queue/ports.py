"""What the queue needs of runs. `runs` implements it; the queue never looks into a run by itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from pyscrai.contract.events import CallRecord, Claimed, Finish, Finished, Grant, Reserve


class ClaimedRow(NamedTuple):
    """A leased event, in the order in which the statements of claims give it. `lease_until`: in seconds
    since 1970 (a time costs more to read than all the rest); `lease_for`: seconds left; `waited`: seconds that it was
    ready.

    `payload` is "" where it is too long to come with the claim; it has been fetched where others see the row.
    `version_id`: of an event without a run, the version that the name of its event type finds. `at_seq`: the end of its
    run's log when its step opened; it stays while the event is leased. `plan_version`: how often the run's choices were
    made; a plan that is kept from before is an old one. `slot`: which of the claim's polls it is for,
    from 1 on.
    """

    id: int
    run_id: UUID | None
    event_type: str
    owner: str
    model: str | None
    version_id: UUID | None
    payload: str
    priority: int
    lease_no: int
    lease_until: float
    lease_for: float
    attempt: int
    failures: int
    waited: float = 0.0
    step: int | None = None
    ordinal: int | None = None
    seat: str | None = None
    turn: int | None = None
    phase: str | None = None
    at_seq: int | None = None
    plan_version: int | None = None
    slot: int = 0
    rank: int = 0
    pass_: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class PermanentFailure:
    """An event that cannot be shown to an engine, now or ever; it goes to the dead letters with this."""

    event_id: int
    code: str
    error: str


class Validator(Protocol):
    """A compiled JSON Schema (`jsonschema_rs`)."""

    def iter_errors(self, instance: Any) -> Any: ...


class Exclusions(Protocol):
    """What is not to be given out, because operators have stopped it (`pauses`)."""

    async def fresh(self) -> None:
        """Return when what is known is of this moment, or nearly. Raises what the database does."""
        ...

    def excluded(self, lane: str) -> Sequence[str] | None:
        """The event types of a lane that are not to be claimed now, mostly none; None: nothing of the lane is."""
        ...


class Observer(Protocol):
    """Is told what became of events, once it is committed."""

    def lost(self, event_ids: Iterable[int]) -> None:
        """Leases ran out."""
        ...

    def died(self, event_ids: Iterable[int]) -> None:
        """Events became dead letters."""
        ...


def moment(seconds: float) -> str:
    """A time in seconds since 1970, as the wire has it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


class RunFinisher(Protocol):
    """Events that belong to a run. Each method that takes a `run_id` is one transaction, which locks the run first."""

    observer: Observer | None

    async def finish(
        self, engine_id: UUID, run_id: UUID, items: Sequence[Finish], calls: Sequence[CallRecord] = ()
    ) -> list[Finished]:
        """Outcomes, failures and hand-backs of one run, in order; commits the step where nothing is open then.

        `calls` are settled in the same transaction, and in one of their own where that fails.
        """
        ...

    async def settle(self, engine_id: UUID, run_id: UUID, calls: Sequence[CallRecord]) -> None:
        """Model calls of one run that were made, whatever became of their leases."""
        ...

    async def reserve(self, engine_id: UUID, run_id: UUID, calls: Sequence[Reserve]) -> list[Grant]:
        """Money for model calls of one run, in order; a refused event has been handed back when this returns."""
        ...

    async def sweep_run(self, run_id: UUID, event_ids: Sequence[int]) -> int:
        """Take back expired leases; returns how many. 0 where somebody else holds the run: the next sweep sees it."""
        ...

    async def close_calls(self, run_id: UUID, leases: Sequence[tuple[int, int]]) -> None:
        """Charge what is still reserved under leases (event, number) that are over at its upper bound."""
        ...

    async def claim_details(self, items: Sequence[ClaimedRow]) -> list[Claimed | PermanentFailure]:
        """Views, prompts and schemas of events that were just claimed, in order, each by itself."""
        ...

    async def result_schema(self, run_id: UUID, event_type: str, phase: str, payload: str) -> Validator | None:
        """What a result of this event must look like; compiled once. None: any object. Two phases may share the name
        of an event type, in different versions."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadOfRun:
    """What became of dead letters of a run. `goes_on`: nothing else had blocked it."""

    ids: list[int]
    goes_on: bool = False


class RunDeadLetters(Protocol):
    """Dead letters that belong to a run, as `RunFinisher`: one transaction, which locks the run first.

    A run that was blocked by them, and by nothing else, goes on when the last of them is dealt with.
    """

    async def redrive(self, run_id: UUID, event_ids: Sequence[int]) -> DeadOfRun:
        """Back to work; those that were dead letters."""
        ...

    async def discard(self, run_id: UUID, event_ids: Sequence[int]) -> DeadOfRun:
        """Given up, that is finished without a result; those that were dead letters."""
        ...

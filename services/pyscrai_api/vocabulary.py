"""The words of the seeds' clients for our states, in one place (DESIGN §6a, FORMATS §A).

| ours                          | seed 003: an event | seed 000: a conversation | seed 004: a run record |
|-------------------------------|--------------------|--------------------------|------------------------|
| queue: scheduled, ready, held | queued (`retry` where it has failed before) | | |
| queue: leased                 | processing         |                          |                        |
| queue: waiting (on a person)  | waiting            |                          |                        |
| queue: dead                   | failed             |                          |                        |
| outcome: succeeded            | completed          |                          |                        |
| outcome: cancelled, discarded | cancelled          |                          |                        |
| run: completed                |                    | completed                | completed              |
| run: failed, cancelled        |                    | completed                | failed                 |
| run: any other                |                    | active                   | as it is               |

Seed 002 has no words of its own for a run's status: its routes say ours. An outcome (approved, denied …) is never a
status. Ids: seed 000's `conversation` is a run's `serial`; seed 002's and 004's `run_id` is a run's `id`.
"""

from __future__ import annotations

from pyscrai.contract.events import EventStatus
from pyscrai.contract.runs import TERMINAL, RunStatus
from pyscrai.contract.scenarios import ConversationStatus
from pyscrai_api.queue.states import Final, Live

STATUS_OF_LIVE: dict[Live, EventStatus] = {
    Live.SCHEDULED: "queued",
    Live.READY: "queued",
    Live.LEASED: "processing",
    Live.WAITING: "waiting",
    Live.HELD: "queued",
    Live.DEAD: "failed",
}
STATUS_OF_FINAL: dict[Final, EventStatus] = {
    Final.SUCCEEDED: "completed",
    Final.CANCELLED: "cancelled",
    Final.DISCARDED: "cancelled",
}


def event_status(live: int | None, final: int | None, failures: int) -> tuple[EventStatus, str]:
    """An event's (status, state) on the wire: seed 003's word, and ours. A scheduled retry shows as `retry`."""
    if final is not None:
        return STATUS_OF_FINAL[Final(final)], Final(final).name.lower()
    if live is None:
        raise ValueError("an event is either live or it has an outcome")
    state = Live(live)
    if state is Live.SCHEDULED and failures:
        return "retry", state.name.lower()
    return STATUS_OF_LIVE[state], state.name.lower()


def conversation_status(run: RunStatus) -> ConversationStatus:
    """Seed 000's word for a run's status."""
    return "completed" if run in TERMINAL else "active"


def record_status(run: RunStatus) -> str:
    """Seed 004's word for a run's status: what is neither completed nor failed keeps ours."""
    return "failed" if run == "cancelled" else run

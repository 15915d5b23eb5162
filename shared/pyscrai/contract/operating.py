"""Operating the queue: what is in it, what is paused, dead letters in bulk, and how the installation is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pyscrai.contract.engines import LowerCase
from pyscrai.contract.wire import Wire

LONGEST_REASON = 500


class NewPause(Wire):
    """PUT /queue/pauses. An empty lane means every lane, an empty event type every type."""

    lane: LowerCase = Field(default="", max_length=130)
    event_type: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=LONGEST_REASON)


class Pause(Wire):
    """Events that are not given out. `leased`: how many engines still work on; `held`: how many wait, up to 10,000.

    `drained`: nothing is leased any more, and every API process has known of the pause for long enough. `known`: in the
    answer to the request that pauses, whether catalog, queue or engines know the type and the lane, and `near`: names
    like those that they do not know; else None.
    """

    lane: str
    event_type: str
    reason: str
    by: str
    since: str
    leased: int
    held: int
    drained: bool
    known: bool | None = None
    near: list[str] = []


class Depth(Wire):
    """How many live events of one type in a lane are in each state."""

    event_type: str
    scheduled: int = 0
    ready: int = 0
    leased: int = 0
    waiting: int = 0
    held: int = 0
    dead: int = 0


class LaneState(Wire):
    """One lane. `oldest_ready`: seconds that the first event in line has been ready; None: none is.

    `estimated`: the queue is long, and depths are taken from a sample. `paused`: nothing of it is given out.
    """

    lane: str
    depth: Depth
    types: list[Depth] = []
    oldest_ready: float | None = None
    engines: dict[str, int] = {}
    paused: bool = False
    paused_types: list[str] = []
    estimated: bool = False


class QueueState(Wire):
    """GET /queue. `seconds_old`: how long ago the depths were counted."""

    lanes: list[LaneState]
    pauses: list[Pause]
    seconds_old: float


class DeadFilter(Wire):
    """POST /events/dead/redrive and /dead/discard: which dead letters; nothing named: all of the caller's.

    `code`: of the last error. `older_than`: seconds since it died. `limit`: at most so many at once; the answer's
    `next` is the `after` of the request that goes on. `dry_run`: only count. `everybody`: not the caller's alone; for
    the holder of the installation's token.
    """

    ids: list[int] | None = None
    run_id: str | None = None
    lane: LowerCase | None = None
    event_type: str | None = None
    code: str | None = None
    older_than: float | None = Field(default=None, ge=0)
    after: int = Field(default=0, ge=0, le=2**63 - 1)
    limit: int = Field(default=1000, ge=1, le=1000)
    dry_run: bool = False
    everybody: bool = False


class DeadDone(Wire):
    """What became of dead letters: `matched` were meant, `redriven` or `discarded` are done, none in a dry run.

    `resumed`: runs that were blocked by nothing else, and go on. `next` None: nothing is left.
    """

    matched: int
    redriven: list[int] = []
    discarded: list[int] = []
    resumed: list[str] = []
    next: int | None = None


HealthState = Literal["ok", "warn", "bad"]


class HealthLine(Wire):
    """One thing that was looked at. `todo`: what to do where it is not ok. `values`: the figures behind it."""

    name: str
    section: Literal["queue", "database"]
    state: HealthState
    detail: str
    todo: str = ""
    values: dict[str, float] = {}


class HealthReport(Wire):
    """GET /health/report. `hidden`: what the database does not show to the role of the API."""

    lines: list[HealthLine]
    hidden: list[str] = []

"""How many runs of one person play at once.

Who lets a run begin or go on holds the lock of its owner until that is committed, counts under it, and takes it before
the row of any run: owner, run, queue rows by id, provider buckets, purses, calls. A run that ends, pauses or is blocked
frees its place without that lock: a count can then only be too high for a moment, and `admission` looks again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from pyscrai.contract.runs import Trouble
from pyscrai_api.database import Connection
from pyscrai_api.queue.fairness import Fairness

# The two-number form, so that it never meets the migrations' lock. Owners whose names meet in one number only wait.
_KIND = 0x72756E73
_LOCK = "SELECT pg_advisory_xact_lock($1, hashtext($2))"
_LOCK_OF_RUN = "SELECT pg_advisory_xact_lock($1, hashtext(owner)) FROM runs WHERE id = $2"
_TAKEN = """
SELECT (SELECT count(*) FROM runs WHERE owner = $1 AND status = 'running') AS playing,
  (SELECT count(*) FROM runs WHERE owner = $1 AND status = 'pending' AND id <> $2) AS waiting
"""
WAITING = "waiting_for_place"
"""The code of what a pending run says."""


async def lock_owner(conn: Connection, owner: str) -> None:
    """Until the transaction ends, no other one lets a run of this owner play. Before the row of any run is locked."""
    await conn.execute(_LOCK, _KIND, owner)


async def lock_owner_of(conn: Connection, run_id: UUID) -> None:
    """The same, by one of the owner's runs."""
    await conn.execute(_LOCK_OF_RUN, _KIND, run_id)


@dataclass(frozen=True)
class Places:
    """`at_once`: how many runs of one owner may play; None: as many as there are. `fairness`: how they share lanes."""

    at_once: int | None
    fairness: Fairness = field(default_factory=Fairness)

    async def full(self, conn: Connection, owner: str, run_id: UUID, *, in_turn: bool = False) -> Trouble | None:
        """Why this run cannot play now, if it cannot. The caller holds the owner's lock.

        Nobody passes those who wait already, but who is `in_turn`: the one that has waited longest.
        """
        if self.at_once is None:
            return None
        taken = await conn.fetchrow(_TAKEN, owner, run_id)
        assert taken is not None
        playing, waiting = taken["playing"], taken["waiting"]
        if playing < self.at_once and (in_turn or not waiting):
            return None
        others = f", and {waiting} more wait" if waiting else ""
        message = f"{playing} of your runs play{others}; at most {self.at_once} at once (PYSCRAI_RUNS_AT_ONCE)"
        return Trouble(code=WAITING, message=message)

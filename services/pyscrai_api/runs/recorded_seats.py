"""Who answered in a recording, for replays of runs whose models were changed while they were under way."""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

from pyscrai.contract.events import ModelChoice
from pyscrai_api.database import Connection

KEPT = 5000
# Only where the replay was not told other models than the recording ended with: those are to be held against it.
_RESEATED = """
SELECT recorded.id FROM runs r JOIN runs recorded ON recorded.id = r.replay_of
WHERE r.id = $1 AND recorded.plan_version > 1
  AND r.choices -> 'model' = recorded.choices -> 'model' AND r.choices -> 'seats' = recorded.choices -> 'seats'
"""
_MODEL = """
SELECT c.model, c.max_tokens FROM events e
JOIN outcomes o ON o.event_id = e.id AND o.state = 1
JOIN calls c ON c.event_id = e.id AND c.lease_no = o.lease_no AND c.answer IS NOT NULL
WHERE e.run_id = $1 AND e.step = $2 AND e.ordinal = $3 ORDER BY c.call LIMIT 1
"""


class RecordedSeats:
    """Run → the recording whose models it follows, place by place; None for nearly every run. Remembered, because what
    a run replays never changes."""

    def __init__(self) -> None:
        self._recordings: OrderedDict[UUID, UUID | None] = OrderedDict()

    async def model(self, conn: Connection, run_id: UUID, step: int, ordinal: int, planned: ModelChoice) -> ModelChoice:
        """The model that answered this place of the recording, else the planned one."""
        recording = await self._recording(conn, run_id)
        row = None if recording is None else await conn.fetchrow(_MODEL, recording, step, ordinal)
        if row is None:
            return planned
        return planned.model_copy(update={"id": row["model"], "max_tokens": row["max_tokens"]})

    async def _recording(self, conn: Connection, run_id: UUID) -> UUID | None:
        if run_id in self._recordings:
            self._recordings.move_to_end(run_id)
            return self._recordings[run_id]
        found: UUID | None = await conn.fetchval(_RESEATED, run_id)
        self._recordings[run_id] = found
        if len(self._recordings) > KEPT:
            self._recordings.popitem(last=False)
        return found

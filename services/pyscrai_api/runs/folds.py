"""The state of a run at a log number: kept in memory where this process made it, else folded from the last stored one.

A kept state is used only if its number equals the one that the caller read (under the run's lock, or of a step that
is still open), so a replica that fell behind never uses an old one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from uuid import UUID

from pyscrai.domain.entry import Entry
from pyscrai.domain.plan import Plan
from pyscrai.domain.state import State, fold, initial, window
from pyscrai_api.database import Connection
from pyscrai_api.runs.entries import read_story

_LATEST = "SELECT state FROM folds WHERE run_id = $1 AND seq <= $2 ORDER BY seq DESC LIMIT 1"
_STORE = "INSERT INTO folds (run_id, seq, state) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
KEPT = 1000
KEPT_RECENT = 200


class Folds:
    """(run, number) → the state there, and the story entries that views of that step may show."""

    def __init__(self) -> None:
        self._states: OrderedDict[UUID, tuple[int, State]] = OrderedDict()
        self._recent: OrderedDict[UUID, tuple[int, list[Entry]]] = OrderedDict()

    def forget(self) -> None:
        self._states.clear()
        self._recent.clear()

    def keep(self, run_id: UUID, at_seq: int, state: State, entries: Sequence[Entry] = ()) -> None:
        """Remember a state; with the `entries` that led to it from the one before, also what views may show."""
        before, recent = self._states.get(run_id), self._recent.get(run_id)
        if entries and recent is not None and before is not None and before[0] == recent[0] == entries[0].seq - 1:
            first = state.marks[0] if state.marks else 1
            self._keep_recent(run_id, at_seq, [e for e in (*recent[1], *entries) if e.seq >= first])
        self._states[run_id] = (at_seq, state)
        self._states.move_to_end(run_id)
        if len(self._states) > KEPT:
            self._states.popitem(last=False)

    async def at(self, conn: Connection, run_id: UUID, plan: Plan, at_seq: int) -> State:
        """The state after story entries up to `at_seq`."""
        kept = self._states.get(run_id)
        if kept is not None and kept[0] == at_seq:
            return kept[1]
        state = await fold_at(conn, run_id, plan, at_seq)
        self.keep(run_id, at_seq, state)
        return state

    async def recent(self, conn: Connection, run_id: UUID, state: State, at_seq: int) -> list[Entry]:
        """The story from the first mark of the state to `at_seq`, oldest first: one read per step and process."""
        kept = self._recent.get(run_id)
        if kept is not None and kept[0] == at_seq:
            return kept[1]
        first = state.marks[0] if state.marks else 1
        entries = await read_story(conn, run_id, first - 1, at_seq)
        self._keep_recent(run_id, at_seq, entries)
        return entries

    def _keep_recent(self, run_id: UUID, at_seq: int, entries: list[Entry]) -> None:
        self._recent[run_id] = (at_seq, entries)
        self._recent.move_to_end(run_id)
        if len(self._recent) > KEPT_RECENT:
            self._recent.popitem(last=False)


async def fold_at(conn: Connection, run_id: UUID, plan: Plan, at_seq: int) -> State:
    """The state at any number, from the stored fold before it and the entries after that."""
    text = await conn.fetchval(_LATEST, run_id, at_seq)
    state = initial(plan) if text is None else State.model_validate_json(text)
    return fold(state, await read_story(conn, run_id, state.seq, at_seq), window(plan))


async def store(conn: Connection, run_id: UUID, state: State) -> None:
    """Keep a fold in the database; one per turn bounds what a cold replica reads."""
    await conn.execute(_STORE, run_id, state.seq, state.model_dump_json(exclude_defaults=True))

"""What a claim's answer carries. The claim has committed already: each event is built by itself.

One that cannot be built goes to the dead letters, and one that no longer fits into the answer goes back; the others are
delivered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from uuid import UUID

import structlog

from pyscrai.contract.events import Claimed, Finish
from pyscrai_api.database import Pool
from pyscrai_api.errors import from_exception
from pyscrai_api.people.errors import KeyTrouble
from pyscrai_api.people.handing import keys_of, with_keys
from pyscrai_api.people.keys import Keys
from pyscrai_api.queue.engines import Held
from pyscrai_api.queue.finishing import Finishing
from pyscrai_api.queue.plain import Plain, Shown
from pyscrai_api.queue.ports import ClaimedRow, PermanentFailure, RunFinisher
from pyscrai_api.queue.reading import event_texts
from pyscrai_api.queue.statements import sql

log = structlog.get_logger()

ANSWER_BYTES = 1024 * 1024
VIEW_BYTES = 256 * 1024


class Delivery:
    """Builds answers of claims for this process."""

    def __init__(self, pool: Pool, runs: RunFinisher, finishing: Finishing, keys: Keys, plain: Plain) -> None:
        self._pool = pool
        self._runs = runs
        self._finishing = finishing
        self._keys = keys
        self._plain = plain

    async def answer(
        self, engine_id: UUID, claimed: Sequence[ClaimedRow], *, spent: float = 0.0, trusted: str | None = None
    ) -> bytes:
        """The JSON list for what was claimed. `spent`: seconds of its leases that may be over.

        `trusted`: whose engine it is, where it has shown its own token; only then keys go along.
        """
        rows = await self._whole(claimed)
        texts, poison = await self._texts(rows, spent, trusted)
        given: list[bytes] = []
        left: list[Held] = []
        size = 2
        for row in rows:
            text = texts.get(row.id)
            if text is None:
                continue
            size += len(text) + 1
            if given and size > ANSWER_BYTES:
                left.append(Held(event_id=row.id, run_id=None, lease_no=row.lease_no))
            else:
                given.append(text)
        if poison:
            await self._bury(engine_id, rows, poison)
        if left:
            await self._finishing.hand_back(engine_id, left)
        return b"[" + b",".join(given) + b"]"

    async def again(self, engine_id: UUID, claim_id: UUID, ids: Sequence[int], *, trusted: str | None = None) -> bytes:
        """The answer once more, for those of `ids` that the engine still holds under this claim."""
        rows = await self._pool.fetch(sql("claim", "leased"), ids, engine_id, claim_id)
        return await self.answer(engine_id, [ClaimedRow._make(row) for row in rows], trusted=trusted)

    async def peek(self, lane: str, most: int, types: Sequence[str] | None, *, owner: str) -> bytes:
        """The JSON list of what would be claimed next in a lane of what an owner may see; locks nothing."""
        async with self._pool.acquire() as conn:
            ids = [row["id"] for row in await conn.fetch(sql("claim", "peek"), lane, most, types, owner)]
            texts = await event_texts(conn, owner, ids)
        # One that has ended and been forgotten since is missing; one that was claimed since is shown as it is now.
        return b"[" + b",".join(texts[event_id].encode() for event_id in ids if event_id in texts) + b"]"

    async def give_back(self, engine_id: UUID, rows: Sequence[ClaimedRow]) -> None:
        """What was claimed for somebody who has gone."""
        held = [Held(event_id=row.id, run_id=row.run_id, lease_no=row.lease_no) for row in rows]
        await self._finishing.hand_back(engine_id, held)

    async def _whole(self, rows: Sequence[ClaimedRow]) -> Sequence[ClaimedRow]:
        """The same, with the payloads that were too long to come along."""
        missing = [row.id for row in rows if not row.payload]
        if not missing:
            return rows
        found = dict(await self._pool.fetch(sql("claim", "payloads"), missing))
        return [row if row.payload else row._replace(payload=found[row.id]) for row in rows]

    async def _texts(
        self, rows: Sequence[ClaimedRow], spent: float, trusted: str | None
    ) -> tuple[dict[int, bytes], list[PermanentFailure]]:
        """What is sent of each event, by its number, and what cannot be sent now or ever."""
        texts: dict[int, bytes] = {}
        poison: list[PermanentFailure] = []
        shown: dict[int, Shown] = {}
        keys = await self._loose_keys(rows, trusted)
        for row in rows:
            if row.run_id is not None:
                continue
            key = keys.get((row.owner, self._plain.model_of(row))) if keys else None
            if isinstance(key, KeyTrouble):
                poison.append(PermanentFailure(event_id=row.id, code="key", error=str(key)))
                continue
            try:
                kind = shown[row.id] = self._plain.known(row) or await self._plain.shown(row)
                texts[row.id] = self._plain.text(row, kind, max(0.0, row.lease_for - spent), key).encode()
            except Exception as error:
                if from_exception(error).status == 503:
                    raise
                log.exception("claim_details_failed", events=[row.id])
                poison.append(_unbuildable(row, error))
        self._finishing.remember(rows, {event_id: kind.canonical for event_id, kind in shown.items()})
        of_runs = [row._replace(lease_for=max(0.0, row.lease_for - spent)) for row in rows if row.run_id is not None]
        for item in await self._of_runs(of_runs, trusted):
            if isinstance(item, PermanentFailure):
                poison.append(item)
                continue
            text = item.model_dump_json(by_alias=True).encode()
            excess = _excess(item, text)
            if excess is None:
                texts[item.id] = text
            else:
                poison.append(excess)
        return texts, poison

    async def _loose_keys(
        self, rows: Sequence[ClaimedRow], trusted: str | None
    ) -> Mapping[tuple[str, str], str | KeyTrouble]:
        """The keys that events without a run need, by owner and model."""
        if trusted is None:
            return {}
        return await keys_of(
            self._keys, {(row.owner, self._plain.model_of(row)) for row in rows if row.run_id is None}, trusted
        )

    async def _of_runs(self, rows: Sequence[ClaimedRow], trusted: str | None) -> Sequence[Claimed | PermanentFailure]:
        return await with_keys(self._keys, rows, await self._details(rows), trusted) if rows else ()

    async def _details(self, rows: Sequence[ClaimedRow]) -> list[Claimed | PermanentFailure]:
        """All together; where that fails, each by itself, so that one cannot take the others with it."""
        try:
            return await self._runs.claim_details(rows)
        except Exception as error:
            if from_exception(error).status == 503:
                raise
            log.exception("claim_details_failed", events=[row.id for row in rows])
        return [await self._detail(row) for row in rows]

    async def _detail(self, row: ClaimedRow) -> Claimed | PermanentFailure:
        try:
            return (await self._runs.claim_details([row]))[0]
        except Exception as error:
            if from_exception(error).status == 503:
                raise
            return _unbuildable(row, error)

    async def _bury(self, engine_id: UUID, rows: Sequence[ClaimedRow], poison: Sequence[PermanentFailure]) -> None:
        numbers = {row.id: row.lease_no for row in rows}
        items = [
            Finish(
                event_id=item.event_id,
                lease_no=numbers[item.event_id],
                status="failed",
                error=item.error,
                code=item.code,
                permanent=True,
            )
            for item in poison
        ]
        log.error("events_unbuildable", events=[item.event_id for item in items])
        await self._finishing.finish(engine_id, items)


def _unbuildable(row: ClaimedRow, error: Exception) -> PermanentFailure:
    message = f"the event cannot be shown to an engine: {type(error).__name__}: {error}"
    return PermanentFailure(event_id=row.id, code="unbuildable", error=message)


def _excess(item: Claimed, text: bytes) -> PermanentFailure | None:
    """A view beyond what may be: it would be cut somewhere on its way to the model, and is not sent at all."""
    if len(text) <= VIEW_BYTES:
        return None
    size = len(json.dumps(item.view, ensure_ascii=False, separators=(",", ":")).encode())
    if size <= VIEW_BYTES:
        return None
    message = f"the view of the event has {size} bytes; {VIEW_BYTES} are allowed"
    return PermanentFailure(event_id=item.id, code="too_large", error=message)

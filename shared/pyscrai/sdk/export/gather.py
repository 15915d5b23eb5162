"""Everything there is about a run, fetched once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pyscrai.client.api import Api
from pyscrai.contract.calls import ModelCall
from pyscrai.contract.runs import Delivered, Run, Snapshot
from pyscrai.domain.scenario import readable
from pyscrai.sdk.follow import whole_log


@dataclass(frozen=True, kw_only=True)
class Record:
    """A run with its snapshot, its whole log and its model calls, as they were when they were asked for."""

    snapshot: Snapshot
    log: list[Delivered]
    calls: list[ModelCall]

    @property
    def run(self) -> Run:
        return self.snapshot.run

    @property
    def seats(self) -> Mapping[str, str]:
        """Seat → what people read for it, in seat order."""
        seats: Mapping[str, Any] = self.snapshot.scenario.get("seats", {})  # type: ignore[assignment]
        return {name: str(seats.get(name, {}).get("title") or readable(name)) for name in self.run.seats}

    @property
    def turns(self) -> Mapping[int, list[Delivered]]:
        """Turn → its entries. What is before the first turn is under 0."""
        turns: dict[int, list[Delivered]] = {}
        for entry in self.log:
            turns.setdefault(entry.turn, []).append(entry)
        return turns


async def gather(api: Api, run_id: str) -> Record:
    """Fetch a run. Raises ClientError; Forbidden where the run is somebody else's, because of its model calls."""
    log = [entry async for entry in whole_log(api, run_id)]
    calls: list[ModelCall] = []
    after: str | None = None
    while True:
        page = await api.calls(run_id, after=after)
        calls += page.items
        if page.next is None:
            break
        after = page.next
    return Record(snapshot=await api.snapshot(run_id), log=log, calls=calls)

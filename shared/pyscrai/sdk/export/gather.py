"""Everything there is about a run, fetched once."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pyscrai.client.api import Api
from pyscrai.contract.calls import ModelCall
from pyscrai.contract.runs import Delivered, Run, Snapshot
from pyscrai.domain.patterns import Patterns, patterns
from pyscrai.domain.scenario import readable, slug
from pyscrai.sdk.follow import whole_log


@dataclass(frozen=True, kw_only=True)
class Record:
    """A run with its snapshot, its whole log and its model calls, as they were when they were asked for."""

    snapshot: Snapshot
    log: list[Delivered]
    calls: list[ModelCall]
    documents: Mapping[str, bytes] = field(default_factory=dict)

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

    @property
    def coalitions(self) -> Mapping[str, str]:
        """What each coalition is called that was ever proposed."""
        moves = (entry.body for entry in self.log if entry.kind == "proposal")
        return {str(body.get("coalition")): str(body["name"]) for body in moves if body.get("name")}

    @property
    def patterns(self) -> Patterns:
        """What is counted in the log: turning points, who moved whom, positions of seats."""
        declared: Mapping[str, Any] = self.snapshot.scenario.get("metrics", {})  # type: ignore[assignment]
        ranges = {name: metric.get("range") for name, metric in declared.items()}
        return patterns(self.log, {name: (span[0], span[1]) if span else None for name, span in ranges.items()})

    @property
    def references(self) -> Mapping[str, dict[str, Any]]:
        """Id → what the log says of each document that is kept; a document is named once, however often it is shown."""
        found: dict[str, dict[str, Any]] = {}
        for entry in self.log:
            listed = entry.body.get("documents")
            for one in listed if isinstance(listed, list) else ():
                if isinstance(one, dict) and isinstance(one.get("id"), str) and not one.get("left_out"):
                    found.setdefault(str(one["id"]), one)
        return found

    def file_of(self, document: str) -> str:
        """Where a document is in the folder: `documents/ab12cd34-law.txt`."""
        said = self.references[document]
        content_type = str(said.get("content_type") or "").partition(";")[0].strip().lower()
        guessed = mimetypes.guess_extension(content_type, strict=False)
        ending = guessed or (".txt" if content_type.startswith("text/") else ".bin")
        title = slug(str(said.get("title") or "document").removesuffix(ending))[:60]
        return f"documents/{slug(document)[:12]}-{title}{ending}"


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
    record = Record(snapshot=await api.snapshot(run_id), log=log, calls=calls)
    return replace(record, documents={one: await api.document(run_id, one) for one in record.references})

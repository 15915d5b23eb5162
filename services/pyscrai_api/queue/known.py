"""Whether what is paused is anything: a pause holds also what may come, but one that nobody knows is often a slip."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pyscrai.contract.events import NewEvent
from pyscrai.contract.operating import Pause
from pyscrai_api.queue.depths import Kind

NEAR = 3
"""So many names are offered for one that is not known."""
PLAIN = NewEvent.model_fields["event_type"].default
"""The type of events that name none; the catalog need not have it."""


def judged(pause: Pause, rows: Iterable[Mapping[str, Any]], queued: Collection[Kind]) -> Pause:
    """A pause that says whether its names are known: to catalog and engines (`rows`), or in the queue.

    Where the queue is long, `queued` comes from a sample: what is held or leased of the pause itself counts too.
    """
    found = list(rows)
    types = {row["event_type"] for row in found} | {kind for _, kind in queued} | {PLAIN}
    lanes = {row["lane"] for row in found} | {lane for lane, _ in queued}
    near = [*_near(pause.event_type, types - {None}), *_near(pause.lane, lanes - {None})]
    known = pause.event_type in types | {""} and pause.lane in lanes | {""}
    if known or pause.held or pause.leased:
        return pause.model_copy(update={"known": True})
    return pause.model_copy(update={"known": False, "near": near})


def _near(name: str, known: Collection[str]) -> list[str]:
    """Known names like this one, the nearest first; none for one that is known."""
    if not name or name in known:
        return []
    written = {one.lower(): one for one in sorted(known)}
    return [written[one] for one in difflib.get_close_matches(name.lower(), written, n=NEAR)]

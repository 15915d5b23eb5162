"""A run's log as it grows: resumed after every break, ended when there is nothing more to wait for."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import anyio

from pyscrai.client.api import Api
from pyscrai.client.errors import ApiUnreachable, Unavailable
from pyscrai.contract.costs import CostNow
from pyscrai.contract.runs import TERMINAL, Delivered
from pyscrai.domain.entry import CONTROL

LAST_KINDS = frozenset({"run_complete", "run_failed", "run_cancelled"})
STANDS_STILL = frozenset({"paused", "blocked"})


def _unheard(_now: CostNow) -> None:
    """For those who read the costs off the entries."""


async def follow(
    api: Api,
    run_id: str,
    *,
    after: int = 0,
    through_pauses: bool = False,
    patience: float = 60,
    costs: Callable[[CostNow], None] = _unheard,
) -> AsyncGenerator[Delivered, None]:
    """Each entry after number `after`, once, in order; ends when the run has ended or stands still.

    A broken stream is taken up where it broke. `through_pauses` waits on while the run is paused or blocked. `costs` is
    called with what the run has spent while calls are paid for, several times in a second at most.
    Raises ApiUnreachable or Unavailable when the API has not answered for `patience` seconds.
    Close it (`contextlib.aclosing`) where it is left early.
    """
    broken_at: float | None = None
    tries = 0
    while True:
        try:
            async with aclosing(api.stream(run_id, after=after)) as entries:
                async for entry in entries:
                    if isinstance(entry, CostNow):
                        costs(entry)
                        continue
                    if entry.seq <= after:
                        continue
                    after, broken_at, tries = entry.seq, None, 0
                    yield entry
                    if entry.kind in LAST_KINDS:
                        return
                    if entry.kind in CONTROL and await _is_over(api, run_id, after, through_pauses):
                        return
            if await _is_over(api, run_id, after, through_pauses):
                return
        except (ApiUnreachable, Unavailable):
            broken_at = time.monotonic() if broken_at is None else broken_at
            if time.monotonic() - broken_at > patience:
                raise
        tries += 1
        await anyio.sleep(min(2.0, 0.05 * 2**tries))


async def _is_over(api: Api, run_id: str, after: int, through_pauses: bool) -> bool:
    """Whether nothing more will come: asked when a line says that it may be so. The log's earlier pauses, already
    over, are told from the present one by the run's status and last number."""
    run = await api.run(run_id)
    if run.last_seq > after:
        return False
    return run.status in TERMINAL or (run.status in STANDS_STILL and not through_pauses)


async def whole_log(api: Api, run_id: str, *, after: int = 0) -> AsyncGenerator[Delivered, None]:
    """The log after a number as it is now, page by page."""
    following: int | None = after
    while following is not None:
        page = await api.log(run_id, after=following)
        for entry in page.items:
            yield entry
        following = int(page.next) if page.next else None

"""What follows when events of a run do not wait for people any more."""

from __future__ import annotations

from pyscrai_api.money import waiting
from pyscrai_api.money.terms import Terms
from pyscrai_api.runs.finisher import ring_ready
from pyscrai_api.runs.going import Play
from pyscrai_api.runs.locked import LockedRun


async def go_on(run: LockedRun, terms: Terms, play: Play, moved: int, *, finished: int) -> None:
    """After `moved` events of a locked run do not wait for people any more, `finished` of which are over. A run that
    waited for nothing else goes on, or waits for a place (`runs.admission`)."""
    run.waiting -= moved
    run.open -= finished
    await waiting.release_affordable(run, terms.wider)
    if moved and run.status == "waiting" and not run.only_waits:
        await play(run)
    elif moved > finished:
        await ring_ready(run)

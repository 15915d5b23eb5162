"""Events of a run that wait for money: they go on when there is some, and the run pauses when none is to come.

A refused event is held with what it needs. While other calls of the run are open it waits for one of them to settle;
the run pauses when no call is open and the smallest need does not fit (DESIGN rule 7).
"""

from __future__ import annotations

from decimal import Decimal

from pyscrai.domain.money import affordable
from pyscrai_api.money.purses import WiderLimits, standings
from pyscrai_api.money.standing import Standing, tightest, trouble
from pyscrai_api.queue.store import release_needs
from pyscrai_api.runs.locked import LockedRun

_NEEDS = "SELECT id, need FROM queue WHERE run_id = $1 AND state = 5 AND need IS NOT NULL ORDER BY need, id"


async def hold(run: LockedRun, wider: WiderLimits) -> None:
    """After events were held for want of money: remember it, and pause where none is to come.

    Others may have given money back since they were refused; then they go on.
    """
    run.short_of_money = True
    if not run.open_calls:
        await release_affordable(run, wider)


async def release_affordable(run: LockedRun, wider: WiderLimits) -> bool:
    """After a settlement or a raised limit: let those events go on whose needs fit together now, smallest first.

    Returns whether there were any; pauses the run where nothing fits and nothing is open.
    """
    if not run.running or not run.short_of_money:
        return False
    needs = await _needs(run)
    run.short_of_money = bool(needs)
    if not needs:
        return False
    limits = await _standings(run, wider)
    least = tightest(limits)
    fitting = len(needs) if least is None else affordable([need for _, need in needs], least.free)
    if fitting:
        woken = await release_needs(run.conn, [event for event, _ in needs[:fitting]])
        run.woke(woken)
        run.short_of_money = fitting < len(needs)
    elif not run.open_calls:
        await _pause(run, needs, limits)
    return bool(fitting)


async def release_all(run: LockedRun) -> None:
    """Let everything that waits for money ask again, because what it asks for may cost something else now."""
    if not run.short_of_money:
        return
    woken = await release_needs(run.conn, [event for event, _ in await _needs(run)])
    run.woke(woken)
    run.short_of_money = False


async def could_go_on(run: LockedRun, wider: WiderLimits) -> bool:
    """Whether a run that is out of money has enough for the call that needs least."""
    needs = await _needs(run)
    return not needs or _lacking(needs, await _standings(run, wider)) is None


async def _pause(run: LockedRun, needs: list[tuple[int, Decimal]], limits: list[Standing]) -> None:
    lacking = _lacking(needs, limits)
    if lacking is not None:
        run.stop("paused", "run_paused", trouble(lacking, needs[0][1]))


def _lacking(needs: list[tuple[int, Decimal]], limits: list[Standing]) -> Standing | None:
    """The tightest limit, where it does not leave enough for the smallest need."""
    least = tightest(limits)
    return least if least is not None and needs[0][1] > least.free else None


async def _standings(run: LockedRun, wider: WiderLimits) -> list[Standing]:
    own = run.own_standing()
    return [*([] if own is None else [own]), *await standings(run, wider)]


async def _needs(run: LockedRun) -> list[tuple[int, Decimal]]:
    return [(row["id"], row["need"]) for row in await run.conn.fetch(_NEEDS, run.id)]

"""What people call a run: `last`, its id or a unique beginning of it, `run-003`, `negotiation/run-003`, its number."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable

from pyscrai.client.api import Api
from pyscrai.client.errors import NotFound
from pyscrai.contract.runs import Run
from pyscrai.sdk.errors import NoSuchRun
from pyscrai.sdk.result import full_name

LAST = "last"
HOW = "name it by run-003, negotiation/run-003, its number, the beginning of its id, or `last`"
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LABEL = re.compile(r"(?:(?P<scenario>[a-z0-9][a-z0-9._-]*)/)?run-(?P<number>\d+)")
_HEX = re.compile(r"[0-9a-f-]{4,36}")


async def find_run(api: Api, name: str) -> Run:
    """The run that `name` says. Raises NoSuchRun, with the candidates where several fit."""
    wanted = name.strip().lower()
    if _ID.fullmatch(wanted):
        try:
            return await api.run(wanted)
        except NotFound:
            raise NoSuchRun(f"there is no run {wanted}") from None
    if wanted == LAST:
        page = await api.runs(limit=1)
        if not page.items:
            raise NoSuchRun("there is no run yet")
        return page.items[0]
    fits = _fits(wanted)
    if fits is None:
        raise NoSuchRun(f"{name!r} names no run; {HOW}")
    found = [run async for run in all_runs(api) if fits(run)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise NoSuchRun(f"there is no run {name!r}; {HOW}")
    raise NoSuchRun(f"{name!r} fits {len(found)} runs", [f"{full_name(run)} ({run.id})" for run in found[:10]])


async def all_runs(api: Api, *, scenario: str | None = None, status: str | None = None) -> AsyncIterator[Run]:
    """Every run, the newest first, page by page."""
    after: str | None = None
    while True:
        page = await api.runs(scenario=scenario, status=status, after=after)
        for run in page.items:
            yield run
        after = page.next
        if after is None:
            return


def _fits(wanted: str) -> Callable[[Run], bool] | None:
    """Whether a run is meant; None where `wanted` cannot name one."""
    if label := _LABEL.fullmatch(wanted):
        number, scenario = int(label["number"]), label["scenario"]
        return lambda run: run.number == number and scenario in (None, run.scenario.name)
    if wanted.isdigit():
        serial = int(wanted)
        return lambda run: run.serial == serial or (len(wanted) >= 8 and run.id.startswith(wanted))
    if _HEX.fullmatch(wanted):
        return lambda run: run.id.startswith(wanted)
    return None

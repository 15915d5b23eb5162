"""Reading a whole log to answer one question about it. For people who look, not for the way of a run."""

from __future__ import annotations

from uuid import UUID

from pyscrai.contract.insights import Knowledge, Known
from pyscrai.contract.runs import Delivered
from pyscrai.domain.knowledge import end_of_turn, knowers, seen, told
from pyscrai.domain.patterns import Patterns, patterns
from pyscrai.domain.scenario import Scenario
from pyscrai_api.database import Connection
from pyscrai_api.errors import NotFound
from pyscrai_api.runs.entries import as_seen, read_log
from pyscrai_api.runs.plans import Plans

PAGE = 1000


async def whole_log(conn: Connection, run_id: UUID, to: int | None = None) -> list[Delivered]:
    """The log up to a number, or all of it."""
    found: list[Delivered] = []
    while page := await read_log(conn, run_id, found[-1].seq if found else 0, PAGE):
        found += [entry for entry in page if to is None or entry.seq <= to]
        if len(page) < PAGE or (to is not None and page[-1].seq >= to):
            break
    return found


async def knowledge(
    conn: Connection, plans: Plans, run_id: UUID, seat: str, *, at: int | None, turn: int | None, after: int, limit: int
) -> Knowledge:
    """What a seat could know at a number of the log, or at the end of a turn; the latest where neither is given.

    Raises NotFound for a seat that the run does not have.
    """
    _known_seat(await _scenario(conn, plans, run_id), seat)
    log = await whole_log(conn, run_id, at)
    last = log[-1].seq if log else 0
    last = end_of_turn(log, turn) if turn is not None else last
    read = [entry for entry in seen(log, seat, last) if entry.seq > after]
    shown = [one for entry in read[:limit] if isinstance(entry, Delivered) and (one := as_seen(entry, seat))]
    return Knowledge(
        seat=seat,
        at=last,
        turn=max((entry.turn for entry in log if entry.seq <= last), default=0),
        entries=shown,
        secrets=told(log, seat, last),
        next=read[limit - 1].seq if len(read) > limit else None,
    )


async def known(conn: Connection, plans: Plans, run_id: UUID, seq: int) -> Known:
    """Who could know of a line of the log. Raises NotFound for a number that it does not have."""
    found = await read_log(conn, run_id, seq - 1, 1)
    if not found or found[0].seq != seq:
        raise NotFound(f"the log of this run has no line {seq}")
    seats = list((await _scenario(conn, plans, run_id)).seats)
    return Known(entry=found[0], everybody=found[0].visible_to == "all", seats=knowers(found[0], seats))


async def patterns_of(conn: Connection, plans: Plans, run_id: UUID) -> Patterns:
    """The patterns of a run's log as far as it has come."""
    scenario = await _scenario(conn, plans, run_id)
    ranges = {name: metric.range for name, metric in scenario.metrics.items()}
    return patterns(await whole_log(conn, run_id), ranges)


async def _scenario(conn: Connection, plans: Plans, run_id: UUID) -> Scenario:
    version = await conn.fetchval("SELECT plan_version FROM runs WHERE id = $1", run_id)
    return (await plans.of(conn, run_id, version)).scenario


def _known_seat(scenario: Scenario, seat: str) -> None:
    if seat not in scenario.seats:
        raise NotFound(f"the run has no seat {seat}; it has {', '.join(scenario.seats)}")

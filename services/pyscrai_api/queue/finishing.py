"""The way of a finish: settle the model calls, check the result, then one transaction per run, in run order.

What belongs to no run takes its own transaction (`loose`). A batch is not all or nothing: an event that cannot be
finished now does not keep the others from it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from pyscrai.contract.events import CallRecord, Finish, FinishAnswer, Finished, Grant, Reserve
from pyscrai_api.database import Pool
from pyscrai_api.money.providers import Providers
from pyscrai_api.queue.checking import Checked, Checking, Place
from pyscrai_api.queue.engines import BIGGEST_ID, BIGGEST_NUMBER, Held
from pyscrai_api.queue.loose import Loose
from pyscrai_api.queue.ports import ClaimedRow, RunFinisher
from pyscrai_api.queue.statements import sql
from pyscrai_api.queue.tally import Tally
from pyscrai_api.queue.together import together

log = structlog.get_logger()

REMEMBERED = 20_000
REMEMBERED_PAYLOAD = 4096


class Finishing:
    """Finishes, reservations and hand-backs of one engine, sorted to where their events belong."""

    def __init__(self, pool: Pool, runs: RunFinisher, loose: Loose, providers: Providers) -> None:
        self._pool = pool
        self._runs = runs
        self._loose = loose
        self._providers = providers
        self._checking = Checking(pool, runs)
        self.tally: Tally | None = None
        self._known: OrderedDict[int, Place] = OrderedDict()

    def remember(self, rows: Iterable[ClaimedRow], pinned: Mapping[int, str] | None = None) -> None:
        """Where events belong that are being given out: it never changes, and their finish asks for it soon.

        `pinned`: by event, of those without a run, the canonical text of the event type that they are given out with,
        "" for none.
        """
        for row in rows:
            pin = None if pinned is None or row.run_id is not None else pinned.get(row.id)
            if pin is not None:
                self._known[row.id] = Place(None, row.event_type, None, row.owner, None, pin, row.lease_no)
            elif len(row.payload) <= REMEMBERED_PAYLOAD:
                self._known[row.id] = Place(row.run_id, row.event_type, row.phase, row.owner, row.payload)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    async def finish(
        self, engine_id: UUID, items: Sequence[Finish], calls: Sequence[CallRecord] = (), *, refuse_large: bool = False
    ) -> list[Finished]:
        """One answer per item, in order. `calls` are settled first, whatever becomes of the leases.

        Raises TooLarge for a result that is too large where `refuse_large`; else it is `invalid`, a failure.
        """
        answers: list[Finished] = []
        for part in _rounds(items):
            told = await self._finish(engine_id, part, () if answers else calls, refuse_large)
            answers += [told.get(item.event_id) or Finished(event_id=item.event_id, state="done") for item in part]
        return answers

    async def answer(self, engine_id: UUID, items: Sequence[Finish], calls: Sequence[CallRecord]) -> bytes:
        """The same as a `FinishAnswer` in JSON, which is quickly written where there is nothing to tell."""
        if len(items) != len({item.event_id for item in items}):
            results = await self.finish(engine_id, items, calls)
            return FinishAnswer(results=results).model_dump_json().encode()
        told = await self._finish(engine_id, items, calls, False)
        if not told:
            return all_done(item.event_id for item in items)
        results = [told.get(item.event_id) or Finished(event_id=item.event_id, state="done") for item in items]
        return FinishAnswer(results=results).model_dump_json().encode()

    async def _finish(
        self, engine_id: UUID, items: Sequence[Finish], calls: Sequence[CallRecord], refuse_large: bool
    ) -> dict[int, Finished]:
        """What is to be told of events that are not simply done; `items` name each at most once."""
        once = {
            item.event_id: item
            for item in items
            if 0 < item.event_id <= BIGGEST_ID and 0 <= (item.lease_no or 0) <= BIGGEST_NUMBER
        }
        wanted = set(once)
        if calls:
            calls = [call for call in calls if _in_range(call.event_id, call.lease_no, call.call)]
            await self._providers.heed(self._pool, engine_id, calls)
            wanted.update(call.event_id for call in calls)
        self._forget_other_leases(items)
        places = await self._places(wanted, payload=any(item.status == "completed" for item in items))
        for owner, group in _by_owner(calls, places) if calls else ():
            await self._loose.settle(engine_id, owner, group)
        by_run = _by_run(calls, places) if calls else {}
        try:
            checked = await self._checking.check(once, places, refuse_large=refuse_large)
        except Exception:  # the calls were paid for all the same
            for run_id, of_run in sorted(by_run.items()):
                await self._runs.settle(engine_id, run_id, of_run)
            raise
        answers = await self._sorted(engine_id, checked, by_run, places)
        for event_id, detail in checked.refused.items():
            if answers.get(event_id, _DONE).state == "done":
                answers[event_id] = Finished(event_id=event_id, state="invalid", detail=detail)
        if len(checked.items) < len(items):
            for item in items:
                if item.event_id not in checked.items:
                    detail = "there is no such event"
                    answers[item.event_id] = Finished(event_id=item.event_id, state="unknown", detail=detail)
        told = {event_id: answer for event_id, answer in answers.items() if answer.state != "done"}
        if self.tally is not None:
            self.tally.ended(engine_id, items, told, lambda event_id: places[event_id].event_type)
        return told

    async def reserve(self, engine_id: UUID, calls: Sequence[Reserve]) -> list[Grant]:
        """One answer per call, in order."""
        known = [c for c in calls if _in_range(c.event_id, c.lease_no, c.call, c.try_no, c.input_bound, c.max_tokens)]
        places = await self._places({call.event_id for call in known}, payload=False)
        of_runs = sorted(_by_run(known, places).items())
        asked = [partial(self._runs.reserve, engine_id, run_id, of_run) for run_id, of_run in of_runs]
        grants: list[Grant] = []
        for found in await together(asked):
            if isinstance(found, Exception):
                raise found
            grants += found
        for owner, group in _by_owner(known, places):
            grants += await self._loose.reserve(engine_id, owner, group)
        answers = {(grant.event_id, grant.call): grant for grant in grants}
        return [
            answers.get((c.event_id, c.call))
            or Grant(event_id=c.event_id, call=c.call, state="stale", detail="there is no such event")
            for c in calls
        ]

    async def hand_back(self, engine_id: UUID, held: Sequence[Held]) -> None:
        """Give leases back uncounted; those that ended otherwise meanwhile are left alone."""
        items = [Finish(event_id=h.event_id, lease_no=h.lease_no, status="handed_back") for h in held]
        if items:
            await self.finish(engine_id, items)

    def _forget_other_leases(self, items: Iterable[Finish]) -> None:
        """What an event was handed out with under another lease than the one that is reported: another process may have
        handed it out since, with a newer version of its type."""
        for item in items:
            place = self._known.get(item.event_id)
            if place is not None and place.pinned is not None and item.lease_no not in (None, place.lease_no):
                del self._known[item.event_id]

    async def _places(self, ids: set[int], *, payload: bool) -> dict[int, Place]:
        known = {event_id: self._known[event_id] for event_id in ids if event_id in self._known}
        missing = ids - known.keys()
        if not missing:
            return known
        rows = await self._pool.fetch(sql("loose", "places"), list(missing), payload)
        return known | {
            row["id"]: Place(row["run_id"], row["event_type"], row["phase"], row["owner"], row["payload"])
            for row in rows
        }

    async def _sorted(
        self, engine_id: UUID, checked: Checked, calls: dict[UUID, list[CallRecord]], places: Mapping[int, Place]
    ) -> dict[int, Finished]:
        """Each run in its transaction. One that fails does not stop the others; its error is raised at the end.

        The answers may leave out what is simply done.
        """
        groups: dict[UUID | None, list[Finish]] = {run_id: [] for run_id in calls}
        for event_id, item in checked.items.items():
            groups.setdefault(places[event_id].run_id, []).append(item)
        if len(groups) == 1 and None in groups:
            return await self._loose.finish(engine_id, groups[None], checked.texts)
        in_order = sorted(groups, key=lambda run_id: (run_id is not None, run_id or UUID(int=0)))
        jobs = [partial(self._of_run, engine_id, run_id, groups[run_id], checked.texts, calls) for run_id in in_order]
        answers: dict[int, Finished] = {}
        failure: Exception | None = None
        for run_id, found in zip(in_order, await together(jobs) if jobs else (), strict=True):
            if isinstance(found, Exception):
                log.warning("finish_failed", run=str(run_id), error=f"{type(found).__name__}: {found}")
                failure = failure or found
                continue
            answers |= found
        if failure is not None:
            raise failure
        return answers

    async def _of_run(
        self,
        engine_id: UUID,
        run_id: UUID | None,
        items: Sequence[Finish],
        texts: Mapping[int, str],
        calls: dict[UUID, list[CallRecord]],
    ) -> dict[int, Finished]:
        if run_id is None:
            return await self._loose.finish(engine_id, items, texts)
        if items:
            found = await self._runs.finish(engine_id, run_id, items, calls.get(run_id, ()))
            return {answer.event_id: answer for answer in found}
        await self._runs.settle(engine_id, run_id, calls[run_id])
        return {}


_DONE = Finished(event_id=0, state="done")


def _rounds(items: Sequence[Finish]) -> list[Sequence[Finish]]:
    """The items in order, cut where an event is named again: two leases of one event may end in one report, where the
    answer to the first report of the earlier one was lost. There is one round, even of nothing, for the calls."""
    rounds: list[list[Finish]] = [[]]
    named: set[int] = set()
    for item in items:
        if item.event_id in named:
            rounds.append([])
            named.clear()
        named.add(item.event_id)
        rounds[-1].append(item)
    return list(rounds)


def all_done(ids: Iterable[int]) -> bytes:
    """The JSON of a `FinishAnswer` in which every event is done."""
    lines = ",".join([f'{{"event_id":{event_id},"state":"done","detail":""}}' for event_id in ids])
    return f'{{"results":[{lines}],"status":"success"}}'.encode()


def _in_range(event_id: int, *numbers: int) -> bool:
    """Numbers that the database can hold; no other ones were ever given out."""
    return 0 < event_id <= BIGGEST_ID and all(0 <= number <= BIGGEST_NUMBER for number in numbers)


def _by_run(calls: Sequence[Any], places: dict[int, Place]) -> dict[UUID, list[Any]]:
    """Calls of events of runs, by run."""
    groups: dict[UUID, list[Any]] = {}
    for call in calls:
        place = places.get(call.event_id)
        if place is not None and place.run_id is not None:
            groups.setdefault(place.run_id, []).append(call)
    return groups


def _by_owner(calls: Sequence[Any], places: dict[int, Place]) -> list[tuple[str, list[Any]]]:
    """Calls of events without a run, by owner, in the order of owners (the lock order)."""
    groups: dict[str, list[Any]] = {}
    for call in calls:
        place = places.get(call.event_id)
        if place is not None and place.run_id is None:
            groups.setdefault(place.owner, []).append(call)
    return sorted(groups.items())

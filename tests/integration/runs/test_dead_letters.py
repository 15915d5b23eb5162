"""A run that stands still for its dead letters goes on when they are dealt with, and for nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from tests.integration.runs.desk import Desk, crowd, done, reply

from pyscrai_api.queue.ports import DeadOfRun


async def blocked(desk: Desk, **choices: Any) -> tuple[dict[str, Any], list[int]]:
    """A run of two seats of which both events have died."""
    run = await desk.start(crowd(2, 2), max_failures=1, max_losses=1, **choices)
    events = await desk.claim("actor")
    fail = [{"event_id": e["id"], "lease_no": e["lease_no"], "status": "failed", "error": "it broke"} for e in events]
    assert set(await desk.finish("actor", *fail)) == {"done"}
    return run, [event["id"] for event in events]


async def status(desk: Desk, run: dict[str, Any]) -> str:
    return str((await desk.run(run))["status"])


async def test_redriven_one_by_one_it_goes_on_with_the_last(desk: Desk) -> None:
    run, (one, two) = await blocked(desk)
    assert await status(desk, run) == "blocked"
    await desk.ok("POST", f"/events/{one}/retry")
    assert (await status(desk, run), await desk.claim("actor")) == ("blocked", [])
    answer = await desk.ok("POST", "/events/dead/redrive", {"run_id": run["id"]})
    assert (answer["redriven"], answer["resumed"]) == ([two], [run["id"]])
    assert [entry["kind"] for entry in await desk.log(run)][-1] == "run_resumed"
    assert (await desk.play(run))["status"] == "completed"


async def test_given_up_the_step_commits_without_them(desk: Desk) -> None:
    run, ids = await blocked(desk)
    answer = await desk.ok("POST", "/events/dead/discard", {"lane": "actor"})
    assert (answer["discarded"], answer["resumed"]) == (ids, [run["id"]])
    shown = await desk.run(run)
    assert (shown["status"], shown["turn"]) == ("running", 2)
    assert (await desk.play(run))["status"] == "completed"


async def test_one_redriven_and_one_given_up(desk: Desk) -> None:
    run, (one, two) = await blocked(desk)
    await desk.ok("POST", f"/events/{one}/discard")
    assert await status(desk, run) == "blocked"
    await desk.ok("POST", f"/events/{two}/retry")
    assert await status(desk, run) == "running"
    (event,) = await desk.claim("actor")
    assert event["id"] == two
    await desk.finish("actor", done(event, reply(event)))
    assert (await desk.run(run))["turn"] == 2


async def test_a_person_who_paused_it_is_asked_first(desk: Desk) -> None:
    """Also where the dead letters came while it was paused."""
    run = await desk.start(crowd(1, 1), max_failures=1)
    (event,) = await desk.claim("actor")
    await desk.ok("POST", f"/runs/{run['id']}/pause")
    fail = {"event_id": event["id"], "lease_no": event["lease_no"], "status": "failed", "error": "it broke"}
    await desk.finish("actor", fail)
    answer = await desk.ok("POST", "/events/dead/redrive", {})
    assert (answer["redriven"], answer["resumed"]) == ([event["id"]], [])
    assert (await status(desk, run), await desk.claim("actor")) == ("paused", [])
    await desk.ok("POST", f"/runs/{run['id']}/resume", {})
    assert (await desk.play(run))["status"] == "completed"


async def test_several_runs_at_once(desk: Desk) -> None:
    runs = [await blocked(desk) for _ in range(3)]
    everything = sorted(event for _, ids in runs for event in ids)
    answer = await desk.ok("POST", "/events/dead/redrive", {"limit": 5})
    assert (answer["redriven"], answer["next"]) == (everything[:5], everything[4])
    assert len(answer["resumed"]) == 2
    more = await desk.ok("POST", "/events/dead/redrive", {"after": answer["next"]})
    assert (more["redriven"], more["next"]) == (everything[5:], None)
    assert {*answer["resumed"], *more["resumed"]} == {run["id"] for run, _ in runs}
    for run, _ in runs:
        assert (await desk.play(run))["status"] == "completed"


async def test_a_run_that_cannot_be_dealt_with_does_not_keep_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (broken, _), (fine, ids) = await blocked(desk), await blocked(desk)
    redrive = desk.deps.runs.letters.redrive

    async def breaks(run_id: UUID, event_ids: Sequence[int]) -> DeadOfRun:
        if str(run_id) == broken["id"]:
            raise RuntimeError("out of order")
        return await redrive(run_id, event_ids)

    monkeypatch.setattr(desk.deps.runs.letters, "redrive", breaks)
    answer = await desk.ok("POST", "/events/dead/redrive", {})
    assert (answer["matched"], answer["redriven"], answer["resumed"]) == (4, ids, [fine["id"]])
    assert await status(desk, broken) == "blocked"
    monkeypatch.undo()
    assert (await desk.ok("POST", "/events/dead/redrive", {}))["resumed"] == [broken["id"]]

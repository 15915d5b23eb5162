"""Snapshots of earlier times, families of branches, differences and comparisons, at the API."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest
from tests.integration.runs.desk import Desk, reply, talks

from pyscrai.contract.comparisons import Comparison
from pyscrai.sdk.comparing import joined


def three(**more: Any) -> dict[str, Any]:
    return talks(schedule={"turns": 3}, **more)


async def branch(desk: Desk, run: dict[str, Any], turn: int, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = await desk.ok(
        "POST", f"/runs/{run['id']}/branch", {"at": {"turn": turn}, "changes": changes}
    )
    return made


def bolder(event: dict[str, Any]) -> dict[str, Any]:
    """The board asks for more, and the narrator hears of it."""
    found = reply(event)
    if event.get("seat") == "board":
        found["action"] = f"board demands 9{event['turn']} hours and a bonus"
    if event["event_type"] == "world_update":
        found["facts"] = {"turn": event["turn"], "bonus": True}
    if event["event_type"] == "measure":
        found["values"] = {"trust": 0.125}
    return found


async def test_the_state_at_any_number(desk: Desk) -> None:
    run = await desk.play(await desk.start(three()))
    path = f"/runs/{run['id']}/snapshot"
    now = await desk.ok("GET", path)
    assert (now["state"]["turn"], now["state"]["facts"]["turn"]) == (3, 3)
    then = await desk.ok("GET", path, at="turn:1")
    assert (then["state"]["turn"], then["state"]["turn_open"], then["state"]["facts"]["turn"]) == (1, False, 1)
    assert [e["kind"] for e in await desk.log(run) if e["seq"] == then["seq"]] == ["turn_complete"]
    assert await desk.ok("GET", path, at=str(then["seq"])) == then
    first = await desk.ok("GET", path, at="turn:0")
    assert (first["state"]["turn"], first["state"]["facts"]) == (0, {"window": 24})
    seen = await desk.ok("GET", path, at="turn:1", seat="union")
    texts = [line["text"] for line in seen["view"]["history"]]
    assert "board offers 10 hours" in texts
    assert "board offers 20 hours" not in texts
    assert "cash is short" not in str(seen)
    assert (await desk.ok("GET", path, at=str(now["seq"]), seat="union"))["view"] == (
        await desk.ok("GET", path, seat="union")
    )["view"]


@pytest.mark.parametrize("at", ["turn:9", "99999", "soon", "-1"])
async def test_no_such_place(desk: Desk, at: str) -> None:
    run = await desk.start(three())
    problem = await desk.refused("GET", f"/runs/{run['id']}/snapshot?at={at}")
    assert problem["status"] == 400


async def test_a_family_is_drawn_with_what_was_changed(desk: Desk) -> None:
    first = await desk.play(await desk.start(three()))
    told = await desk.play(
        await branch(desk, first, 1, inputs=[{"text": "A storm."}, {"text": "Psst.", "seat": "board"}])
    )
    longer = await desk.play(await branch(desk, first, 3, turns=4, facts={"window": 3, "turn": None}))
    edited = await desk.play(
        await branch(desk, told, 2, edits={"board": {"goals": ["growth"]}}, seats={"union": {"temperature": 0.5}})
    )
    await desk.ok("POST", f"/runs/{told['id']}/replay", {})
    for asked in (first, edited):
        tree = await desk.ok("GET", f"/runs/{asked['id']}/tree")
        assert [(one["label"], one["parent_id"], one["turn"]) for one in tree["runs"]] == [
            ("run-001", None, None),
            ("run-002", first["id"], 1),
            ("run-004", told["id"], 2),
            ("run-003", first["id"], 3),
        ]
    changed = {one["id"]: one["changed"] for one in tree["runs"]}
    assert changed[first["id"]] == []
    assert changed[told["id"]] == ["told all: A storm.", "told board: Psst."]
    assert changed[longer["id"]] == ["turns: 4", "turn: null, window: 3"]
    assert changed[edited["id"]] == ["union: temperature 0.5", 'board.goals: ["growth"]']


async def test_two_runs_part_where_they_do(desk: Desk) -> None:
    first = await desk.play(await desk.start(three()))
    same = await desk.play(await branch(desk, first, 2))
    found = await desk.ok("GET", f"/runs/{first['id']}/diff", other=same["id"])
    assert (found["same"], found["first"], found["turns"]) == (True, [None, None], [])
    other = await desk.play(await branch(desk, first, 1, facts={"window": 3}), bolder)
    found = await desk.ok("GET", f"/runs/{first['id']}/diff", other=other["id"])
    assert found["shared"] == other["branch_of"]["seq"]
    assert [one["kind"] for one in found["first"]] == ["turn_started", "edit"]
    assert [turn["turn"] for turn in found["turns"]] == [2, 3]
    second = found["turns"][0]
    assert second["moves"] == {"board": ["board offers 20 hours", "board demands 92 hours and a bonus"]}
    assert second["facts"] == {"window": [24, 3], "bonus": [None, True]}
    assert second["metrics"] == {"trust": [0.5, 0.125], "hours": [20, 92]}
    assert second["world"] is None
    again = await desk.ok("GET", f"/runs/{first['id']}/diff", other=other["id"], after=1, turns=1)
    assert ([turn["turn"] for turn in again["turns"]], again["next"]) == ([2], 2)


async def test_several_runs_turn_by_turn(desk: Desk) -> None:
    first = await desk.play(await desk.start(three()))
    bold = await desk.play(await branch(desk, first, 1), bolder)
    running = await desk.start(three())
    while (await desk.run(running))["turn"] < 2:
        await desk.work()
    runs = [first, bold, running]
    found = await desk.ok("GET", f"/runs/{first['id']}/compare", other=f"{bold['id']},{running['serial']}")
    assert [one["id"] for one in found["runs"]] == [run["id"] for run in runs]
    assert [one["turns"] for one in found["runs"]] == [3, 3, 1]
    assert (found["turns"], found["shared_turns"], found["next"]) == ([1, 2, 3], 1, None)
    metrics = {one["name"]: one for one in found["metrics"]}
    assert metrics["trust"]["values"] == [[0.25, 0.5, 0.75], [0.25, 0.125, 0.125], [0.25, None, None]]
    assert metrics["trust"]["difference"] == [0, -0.625, -0.5]
    assert found["first_move"] == {"board": 2}
    board = next(one for one in found["moves"] if (one["turn"], one["seat"]) == (2, "board"))
    assert board["texts"] == ["board offers 20 hours", "board demands 92 hours and a bonus", None]
    assert board["lengths"] == [21, 34, None]
    assert board["likeness"][0] == 1.0
    assert 0 < board["likeness"][1] < 1
    assert board["likeness"][2] is None
    facts = [(one["turn"], one["name"], one["values"]) for one in found["facts"] if one["turn"] == 3]
    assert facts == [(3, "bonus", [None, True, None])]


async def test_a_comparison_in_pieces_is_the_whole_one(desk: Desk) -> None:
    first = await desk.play(await desk.start(three()))
    bold = await desk.play(await branch(desk, first, 1), bolder)
    short = await desk.play(await desk.start(talks(schedule={"turns": 2})))
    path, other = f"/runs/{first['id']}/compare", f"{bold['id']},{short['id']}"
    whole = Comparison.model_validate(await desk.ok("GET", path, other=other))
    pieces = [await desk.ok("GET", path, other=other, after=after, turns=1) for after in range(3)]
    assert [piece["next"] for piece in pieces] == [1, 2, None]
    assert [run["turns"] for run in pieces[-1]["runs"]] == [3, 3, 2]
    assert reduce(joined, map(Comparison.model_validate, pieces)) == whole


async def test_what_cannot_be_compared(desk: Desk) -> None:
    run = await desk.start(three())
    path = f"/runs/{run['id']}/compare"
    assert "named twice" in (await desk.refused("GET", f"{path}?other={run['id']}"))["detail"]
    assert "these are 22" in (await desk.refused("GET", f"{path}?other=" + ",".join("1" * 21)))["detail"]
    assert (await desk.refused("GET", f"{path}?other=none"))["status"] == 404

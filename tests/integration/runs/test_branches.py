"""Branches at the API: what they share with their parent, what they pay for, and where one may begin."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.integration.runs.desk import Desk, talks
from tests.integration.runs.test_replays import PRICE, play

SHARED = ("kind", "turn", "phase", "seat", "visible_to", "body", "v")


def three() -> dict[str, Any]:
    return talks(schedule={"turns": 3})


async def branch(desk: Desk, run: dict[str, Any], at: dict[str, Any], **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = await desk.ok("POST", f"/runs/{run['id']}/branch", {"at": at, "changes": changes})
    return made


async def story(desk: Desk, run: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [tuple(e[key] for key in SHARED) for e in await desk.log(run) if e["track"] == "story"]


async def test_a_changed_seat_shares_exactly_the_turns_before_and_pays_only_for_what_follows(desk: Desk) -> None:
    parent, _ = await play(desk, await desk.start(three(), limit="5", **PRICE))
    made = await branch(desk, parent, {"turn": 2}, edits={"board": {"goals": ["growth at any cost"]}})
    assert made["branch_of"] == {
        "id": parent["id"], "label": parent["label"], "scenario": "talks", "turn": 2, "seq": made["branch_of"]["seq"],
    }  # fmt: skip
    assert (float(made["spent"]), made["model_calls"], made["turn"]) == (0, 0, 3)
    shared = made["branch_of"]["seq"]
    of_parent, own = await story(desk, parent), await story(desk, made)
    assert own[:shared] == of_parent[:shared]
    assert own[shared - 1][0] == "turn_complete"
    assert own[shared - 1][1] == 2
    assert [line[0] for line in own[shared:]] == ["edit", "turn_started"]
    events = await desk.claim("actor")
    goals = {event["seat"]: event["view"]["you"]["goals"] for event in events}
    assert goals["board"] == ["growth at any cost"]
    await desk.finish(
        "actor", *[{"event_id": e["id"], "lease_no": e["lease_no"], "status": "handed_back"} for e in events]
    )
    played, sources = await play(desk, made)
    assert played["status"] == "completed"
    assert len(sources) == played["model_calls"] == parent["model_calls"] // 3
    assert float(played["spent"]) == pytest.approx(float(parent["spent"]) / 3)
    assert played["log_digest"] != parent["log_digest"]
    assert (await desk.run(parent))["spent"] == parent["spent"]


async def test_without_a_change_it_ends_as_its_parent_wherever_it_begins(desk: Desk) -> None:
    parent = await desk.play(await desk.start(three()))
    places = (await desk.ok("GET", f"/runs/{parent['id']}/boundaries"))["items"]
    assert places[0] == {"seq": 1, "turn": 0, "phase": None}
    for place in (places[0], places[1], places[len(places) // 2], places[-1]):
        made = await desk.play(await branch(desk, parent, {"seq": place["seq"]}))
        assert (made["status"], made["log_digest"]) == ("completed", parent["log_digest"]), place
        assert await story(desk, made) == await story(desk, parent)
        whole = await desk.deps.pool.fetch("SELECT step, n FROM entries WHERE run_id = $1 ORDER BY seq", made["id"])
        assert [tuple(row) for row in whole] == sorted({tuple(row) for row in whole})


async def test_a_run_that_plays_is_branched_and_pauses_are_left_out(desk: Desk) -> None:
    parent = await desk.start(three())
    await desk.ok("POST", f"/runs/{parent['id']}/pause")
    await desk.ok("POST", f"/runs/{parent['id']}/resume")
    problem = await desk.refused("POST", f"/runs/{parent['id']}/branch", {"at": {"turn": 1}})
    assert problem["errors"][0]["hint"] == "the nearest: 1 (before turn 1)"
    while (await desk.run(parent))["turn"] < 2:
        await desk.work()
    made = await branch(desk, parent, {"turn": 1}, facts={"window": 2}, world="A storm.", inputs=[{"text": "Run!"}])
    assert [e["kind"] for e in await desk.log(made)].count("run_paused") == 0
    own = await desk.log(made)
    assert [entry["seq"] for entry in own] == list(range(1, len(own) + 1))
    assert [entry["kind"] for entry in own[made["branch_of"]["seq"] :]] == ["edit", "input", "turn_started"]
    state = (await desk.ok("GET", f"/runs/{made['id']}/snapshot"))["state"]
    assert (state["world"], state["facts"]["window"]) == ("A storm.", 2)
    while await desk.work():
        pass
    ended = [await desk.run(run) for run in (parent, made)]
    assert [run["status"] for run in ended] == ["completed", "completed"]


async def test_a_branch_of_a_branch_and_their_replays(desk: Desk) -> None:
    parent, _ = await play(desk, await desk.start(three(), limit="5", **PRICE))
    child, _ = await play(desk, await branch(desk, parent, {"turn": 1}, inputs=[{"text": "A storm."}]))
    grandchild = await branch(desk, child, {"turn": 2}, seats={"union": {"model": "rehearsal"}}, facts={"window": 3})
    grandchild, _ = await play(desk, grandchild)
    digests = {run["log_digest"] for run in (parent, child, grandchild)}
    assert len(digests) == 3
    for run in (child, grandchild):
        again = await desk.ok("POST", f"/runs/{run['id']}/replay", {})
        assert again["branch_of"]["seq"] == run["branch_of"]["seq"]
        replayed, sources = await play(desk, again)
        assert set(sources) == {"replay"}
        assert (replayed["log_digest"], float(replayed["spent"])) == (run["log_digest"], 0)
    problem = await desk.refused("POST", f"/runs/{child['id']}/replay", {"scenario": "talks"})
    assert problem["code"] == "branch_of_other"
    changed = [e["body"] for e in await desk.log(grandchild) if e["kind"] == "seat_changed"]
    assert changed == [{"seat": "union", "model": "rehearsal"}]


async def test_a_branch_of_a_branch_from_before_that_one_left_is_one_of_the_parent(desk: Desk) -> None:
    parent = await desk.play(await desk.start(three()))
    edits = {"board": {"goals": ["growth at any cost"]}}
    child = await desk.play(await branch(desk, parent, {"turn": 2}, edits=edits))
    assert child["log_digest"] != parent["log_digest"]
    for turn in (0, 1, 2):
        made = await branch(desk, child, {"turn": turn})
        assert (made["branch_of"]["id"], made["branch_of"]["turn"]) == (parent["id"], turn)
        assert (await desk.play(made))["log_digest"] == parent["log_digest"]
    after = await desk.play(await branch(desk, child, {"turn": 3}, turns=4))
    assert after["branch_of"]["id"] == child["id"]


async def test_more_turns_go_on_after_the_last_one(desk: Desk) -> None:
    parent = await desk.play(await desk.start(three()))
    made = await desk.play(await branch(desk, parent, {"turn": 3}, turns=4))
    assert (made["status"], made["turn"], made["turns"]) == ("completed", 4, 4)


@pytest.mark.parametrize(
    ("at", "changes", "pointer"),
    [
        ({"turn": 9}, {}, "/at/turn"),
        ({"seq": 2}, {}, "/at/seq"),
        ({"turn": 1, "seq": 2}, {}, "/at"),
        ({"turn": 1}, {"edits": {"board": {"gaols": []}}}, "/changes/edits/board/gaols"),
        ({"turn": 1}, {"seats": {"mayor": {"model": "x"}}}, "/changes/seats/mayor"),
        ({"turn": 1}, {"inputs": [{"text": ""}]}, "/changes/inputs/0/text"),
        ({"turn": 1}, {"modle": "x"}, "/changes/modle"),
    ],
)
async def test_what_cannot_be(desk: Desk, at: dict[str, Any], changes: dict[str, Any], pointer: str) -> None:
    parent = await desk.play(await desk.start(three()))
    problem = await desk.refused("POST", f"/runs/{parent['id']}/branch", {"at": at, "changes": changes})
    assert problem["status"] == 400
    assert [item["pointer"] for item in problem["errors"]] == [pointer]
    assert len((await desk.ok("GET", "/runs"))["items"]) == 1


async def test_a_priced_model_needs_a_limit(desk: Desk) -> None:
    parent = await desk.play(await desk.start(three(), limit="none"))
    wanted = {"at": {"turn": 1}, "changes": {"model": "gpt-4o-mini", "limit": "none"}}
    problem = await desk.refused("POST", f"/runs/{parent['id']}/branch", wanted)
    assert problem["code"] == "limit_required"


async def test_the_same_key_branches_once(desk: Desk) -> None:
    parent = await desk.play(await desk.start(three()))
    url, headers = f"/api/v1/runs/{parent['id']}/branch", {"idempotency-key": "k"}
    made = await asyncio.gather(*(desk.http.post(url, json={"at": {"turn": 1}}, headers=headers) for _ in range(3)))
    assert {answer.status_code for answer in made} == {201}
    assert len({answer.json()["id"] for answer in made}) == 1
    assert len((await desk.ok("GET", "/runs"))["items"]) == 2


async def test_edits_hold_from_the_start(desk: Desk) -> None:
    name = await desk.scenario(three())
    wanted = {"board": {"goals": ["growth"], "private": None}, "narrator": {"instructions": "Be dry."}}
    edited = await desk.ok("POST", "/runs", {"scenario": name, "choices": {"edits": wanted}})
    shown = {event["seat"]: event["view"]["you"] for event in await desk.claim("actor")}
    assert (shown["board"]["goals"], shown["board"]["private"]) == (["growth"], "")
    assert shown["union"]["goals"] == ["higher pay"]
    plain = await desk.ok("POST", "/runs", {"scenario": name})
    assert edited["log_digest"] != plain["log_digest"]
    problem = await desk.refused("POST", "/runs", {"scenario": name, "choices": {"edits": {"board": {"gaols": []}}}})
    assert [item["pointer"] for item in problem["errors"]] == ["/choices/edits/board/gaols"]


async def test_documents_of_the_shared_part_come_along_and_no_others(desk: Desk) -> None:
    tool = {"name": "archive", "description": "finds papers"}
    seats = {"ada": {"tools": [tool], "goals": ["ask"]}, "bo": {"goals": ["answer"]}}
    content = talks(seats=seats, seat_order=[], schedule={"policy": "dialogue@1", "turns": 4}, metrics={}, checks={})
    asked: list[str] = []

    def answer(event: dict[str, Any]) -> dict[str, Any]:
        if event["event_type"] == "oracle":
            asked.append("paper")
            paper = {"title": f"Paper {len(asked)}", "content_type": "text/plain", "text": f"It says {len(asked)}."}
            return {"content": "Found it.", "documents": [paper]}
        wants = event["seat"] == "ada" and event["data"].get("tools_left") and not event["view"]["tool_results"]
        said = {"text": f"{event['seat']} says {event['turn']}", "to": None, "closing": False, "thought": "hm"}
        return said | ({"tool_call": {"name": "archive", "input": {}}} if wants else {})

    parent = await desk.play(await desk.start(content), answer)
    assert parent["status"] == "completed"
    ids = [
        document["id"]
        for entry in await desk.log(parent)
        if entry["kind"] == "tool_result"
        for document in entry["body"]["documents"]
    ]
    assert len(set(ids)) == 2
    made = await branch(desk, parent, {"turn": 2})
    kept = await desk.http.get(f"/api/v1/runs/{made['id']}/documents/{ids[0]}")
    assert (kept.status_code, kept.text) == (200, "It says 1.")
    assert (await desk.http.get(f"/api/v1/runs/{made['id']}/documents/{ids[1]}")).status_code == 404


async def test_a_person_takes_a_seat_in_a_branch(desk: Desk) -> None:
    parent = await desk.play(await desk.start(three()))
    made = await branch(desk, parent, {"turn": 1}, seats={"union": {"human": True}})
    assert (await desk.play(made))["status"] == "waiting"
    (asked,) = (await desk.ok("GET", "/inbox", run=made["id"]))["items"]
    assert (asked["seat"], asked["turn"]) == ("union", 2)
    released = {"seats": {"union": {"human": False}}}
    back = await desk.ok("POST", f"/runs/{made['id']}/branch", {"at": {"turn": 1}, "changes": released})
    assert (await desk.play(back))["log_digest"] == parent["log_digest"]

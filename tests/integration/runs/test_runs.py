"""Runs from start to end, and what people do to them on the way."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from tests.integration.runs.desk import Desk, done, failed, reply, talks

from pyscrai.domain import policies
from pyscrai.domain.plan import Plan
from pyscrai.domain.policies.base import Next
from pyscrai.domain.state import State


async def golden(desk: Desk) -> str:
    """The digest of an undisturbed run of the same scenario."""
    digest: str = (await desk.play(await desk.start()))["log_digest"]
    return digest


async def test_a_run_plays_to_its_end(desk: Desk) -> None:
    run = await desk.play(await desk.start())
    assert (run["status"], run["outcome"], run["turn"], run["open"]) == ("completed", "turn_limit", 2, 0)
    log = await desk.log(run)
    assert [entry["seq"] for entry in log] == list(range(1, run["last_seq"] + 1))
    assert log[0]["kind"] == "run_started"
    assert log[-1]["kind"] == "run_complete"
    assert run["seats"] == ["union", "board"]


async def test_the_same_run_twice_has_the_same_digest(desk: Desk) -> None:
    assert await golden(desk) == await golden(desk)


async def test_numbers_count_per_scenario(desk: Desk) -> None:
    runs = [await desk.start(), await desk.start(), await desk.start(talks(name="other"))]
    assert [run["label"] for run in runs] == ["run-001", "run-002", "run-001"]
    assert len({run["serial"] for run in runs}) == 3


async def test_results_arrive_in_any_order(desk: Desk) -> None:
    expected = await golden(desk)
    run = await desk.start()
    while True:
        events = [event for lane in ("actor", "narrator", "analyst") for event in await desk.claim(lane)]
        if not events:
            break
        for event in reversed(events):
            lane = {"decide": "actor", "world_update": "narrator"}.get(event["event_type"], "analyst")
            await desk.finish(lane, done(event))
    assert (await desk.run(run))["log_digest"] == expected


async def test_what_a_claim_shows(desk: Desk) -> None:
    await desk.start(seed=7)
    union, board = await desk.claim("actor")
    assert union["view"]["you"]["private"] == "we will settle"
    assert "we will settle" not in str(board["view"])
    assert union["prompt"]["user"]
    assert union["result_schema"]["type"] == "object"
    assert union["model"]["id"] == "rehearsal"
    assert union["model"]["seed"] != board["model"]["seed"]
    assert (union["turn"], union["phase"], union["attempt"], union["try"]) == (1, "decision", 1, 1)


async def test_pause_lets_calls_in_flight_finish_and_resume_commits(desk: Desk) -> None:
    expected = await golden(desk)
    run = await desk.start()
    union, board = await desk.claim("actor")
    paused = await desk.ok("POST", f"/runs/{run['id']}/pause")
    assert paused["status"] == "paused"
    assert paused["reason"]["code"] == "by_user"
    assert await desk.finish("actor", done(union), done(board)) == ["done", "done"]
    standing = await desk.run(run)
    assert (standing["status"], standing["open"], standing["step"]) == ("paused", 0, 1)
    assert await desk.work() == 0
    await desk.ok("POST", f"/runs/{run['id']}/resume")
    assert (await desk.play(run))["log_digest"] == expected
    kinds = [entry["kind"] for entry in await desk.log(run)]
    assert kinds.count("run_paused") == kinds.count("run_resumed") == 1


async def test_a_paused_run_offers_nothing(desk: Desk) -> None:
    run = await desk.start()
    await desk.ok("POST", f"/runs/{run['id']}/pause")
    await desk.ok("POST", f"/runs/{run['id']}/pause")
    assert await desk.claim("actor") == []
    await desk.ok("POST", f"/runs/{run['id']}/resume")
    assert len(await desk.claim("actor")) == 2


async def test_what_is_handed_back_while_paused_waits_for_resume(desk: Desk) -> None:
    run = await desk.start()
    events = await desk.claim("actor")
    await desk.ok("POST", f"/runs/{run['id']}/pause")
    handed = [{"event_id": e["id"], "lease_no": e["lease_no"], "status": "handed_back"} for e in events]
    assert await desk.finish("actor", *handed) == ["done", "done"]
    await desk.ok("POST", f"/runs/{run['id']}/resume")
    assert (await desk.play(run))["status"] == "completed"


async def test_cancel_ends_leases(desk: Desk) -> None:
    run = await desk.start()
    union, _ = await desk.claim("actor")
    ended = await desk.ok("POST", f"/runs/{run['id']}/cancel")
    assert (ended["status"], ended["open"]) == ("cancelled", 0)
    assert await desk.finish("actor", done(union)) == ["stale"]
    assert (await desk.ok("POST", f"/runs/{run['id']}/cancel"))["status"] == "cancelled"
    problem = await desk.refused("POST", f"/runs/{run['id']}/resume")
    assert (problem["status"], problem["code"]) == (409, "conflict")
    assert [entry["kind"] for entry in await desk.log(run)][-1] == "run_cancelled"


async def test_a_finished_run_cannot_be_paused_or_cancelled(desk: Desk) -> None:
    run = await desk.play(await desk.start())
    for command in ("pause", "cancel", "resume"):
        assert (await desk.refused("POST", f"/runs/{run['id']}/{command}"))["status"] == 409


async def test_an_error_in_the_policy_blocks_and_keeps_the_results(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = await golden(desk)
    run = await desk.start()
    real = policies.POLICIES["turns@1"]

    def broken(plan: Plan, state: State) -> Next:
        if state.turn == 2 and "decision" in state.phases_done:
            raise RuntimeError("the policy trips at turn 2")
        return real(plan, state)

    with monkeypatch.context() as patch:
        patch.setitem(policies.POLICIES, "turns@1", broken)
        blocked = await desk.play(run)
        assert (blocked["status"], blocked["open"]) == ("blocked", 0)
        assert "the policy trips at turn 2" in blocked["reason"]["message"]
        again = await desk.ok("POST", f"/runs/{run['id']}/resume")
        assert again["status"] == "blocked"
    await desk.ok("POST", f"/runs/{run['id']}/resume")
    assert (await desk.play(run))["log_digest"] == expected


async def test_a_dead_letter_blocks_and_resume_tries_again(desk: Desk) -> None:
    expected = await golden(desk)
    run = await desk.start()
    union, board = await desk.claim("actor")
    broken = failed(union, permanent=True, code="missing_key", error="OPENAI_API_KEY is not set")
    assert await desk.finish("actor", broken, done(board)) == ["done", "done"]
    blocked = await desk.run(run)
    assert blocked["status"] == "blocked"
    assert blocked["reason"]["code"] == "missing_key"
    assert "OPENAI_API_KEY" in blocked["reason"]["message"]
    assert blocked["reason"]["seat"] == "union"
    await desk.ok("POST", f"/runs/{run['id']}/resume")
    assert (await desk.play(run))["log_digest"] == expected
    kinds = [entry["kind"] for entry in await desk.log(run) if entry["track"] == "control"]
    assert kinds == ["event_dead", "run_blocked", "run_resumed"]


async def test_a_dead_letter_can_fail_the_run(desk: Desk) -> None:
    run = await desk.start(on_dead_letter="fail")
    union, board = await desk.claim("actor")
    await desk.finish("actor", failed(union, permanent=True))
    ended = await desk.run(run)
    assert (ended["status"], ended["open"]) == ("failed", 0)
    assert await desk.finish("actor", done(board)) == ["stale"]


async def test_a_discarded_letter_counts_as_said_nothing(desk: Desk) -> None:
    run = await desk.start()
    union, board = await desk.claim("actor")
    await desk.finish("actor", failed(union, permanent=True), done(board))
    await desk.ok("POST", f"/events/{union['id']}/discard")
    await desk.ok("POST", f"/runs/{run['id']}/resume")
    ended = await desk.play(run)
    assert ended["status"] == "completed"
    first = [e["seat"] for e in await desk.log(run) if e["kind"] == "decision" and e["turn"] == 1]
    assert first == ["board"]


async def test_failures_are_tried_again_until_they_are_dead(desk: Desk) -> None:
    run = await desk.start(max_failures=2)
    union, _ = await desk.claim("actor")
    await desk.finish("actor", failed(union, retry_after=0))
    async with desk.deps.pool.acquire() as conn:
        await conn.execute("UPDATE queue SET state = 2 WHERE id = $1", union["id"])
    (again,) = await desk.claim("actor")
    assert (again["id"], again["attempt"], again["try"]) == (union["id"], 2, 2)
    await desk.finish("actor", failed(again))
    assert (await desk.run(run))["status"] == "blocked"


async def test_a_result_that_does_not_fit_its_schema_is_a_failure(desk: Desk) -> None:
    run = await desk.start()
    union, _ = await desk.claim("actor")
    assert await desk.finish("actor", done(union, {"action": 7})) == ["invalid"]
    assert (await desk.run(run))["open"] == 2


async def test_a_stale_finish_changes_nothing(desk: Desk) -> None:
    run = await desk.start()
    union, _ = await desk.claim("actor")
    before = await desk.run(run)
    stale = done({**union, "lease_no": union["lease_no"] + 5})
    assert await desk.finish("actor", stale) == ["stale"]
    assert await desk.run(run) == before
    assert await desk.finish("actor", done(union), done(union)) == ["done", "done"]
    assert await desk.finish("actor", done(union)) == ["done"]
    assert (await desk.run(run))["open"] == 1


async def test_editing_a_template_never_changes_a_live_run(desk: Desk) -> None:
    expected = await golden(desk)
    run = await desk.start()
    await desk.work()
    await desk.scenario(talks(title="Changed", world={"text": "All is different."}))
    assert (await desk.play(run))["log_digest"] == expected


async def test_what_cannot_start_says_why(desk: Desk) -> None:
    assert (await desk.refused("POST", "/runs", {"scenario": "nowhere"}))["status"] == 404
    name = await desk.scenario(talks())
    unknown = await desk.refused("POST", "/runs", {"scenario": name, "choices": {"seats": {"ghost": {}}}})
    assert unknown["errors"][0]["pointer"] == "/choices/seats/ghost"
    taken = await desk.refused("POST", "/runs", {"scenario": name, "choices": {"seats": {"union": {"taken": True}}}})
    assert taken["errors"][0]["pointer"] == "/choices/seats/union/taken"
    voice = await desk.refused("POST", "/runs", {"scenario": name, "choices": {"seats": {"analyst": {"human": True}}}})
    assert voice["errors"][0]["pointer"] == "/choices/seats/analyst"
    odd = {"seats": {"union": {"human": True, "approve": True, "on_deadline": "skip"}}}
    both = await desk.refused("POST", "/runs", {"scenario": name, "choices": odd})
    assert [error["pointer"].rpartition("/")[2] for error in both["errors"]] == ["on_deadline", "approve"]
    priced = await desk.refused("POST", "/runs", {"scenario": name, "choices": {"model": "openai:nobody-knows"}})
    assert priced["code"] == "unpriced_model"
    assert "--price" in priced["detail"]
    free = {"model": "gpt-4o-mini", "limit": "none"}
    assert (await desk.refused("POST", "/runs", {"scenario": name, "choices": free}))["code"] == "limit_required"
    assert (await desk.refused("POST", "/runs", {"scenario": name, "choices": {"model": "xyz"}}))["code"] == "invalid"


async def test_snapshot_whole_and_for_a_seat(desk: Desk) -> None:
    run = await desk.start()
    await desk.work()
    whole = await desk.ok("GET", f"/runs/{run['id']}/snapshot")
    assert whole["scenario"]["seats"]["union"]["private"] == "we will settle"
    assert whole["state"]["turn"] == 2
    seat = await desk.ok("GET", f"/runs/{run['id']}/snapshot", seat="board")
    assert "we will settle" not in str(seat)
    assert seat["view"]["you"]["private"] == "cash is short"
    assert (await desk.refused("GET", f"/runs/{run['id']}/snapshot?seat=ghost"))["status"] == 404


async def test_the_log_of_a_seat_leaves_out_what_is_not_its_own(desk: Desk) -> None:
    run = await desk.play(await desk.start())
    own = await desk.log(run, seat="board")
    assert {entry["seat"] for entry in own if entry["kind"] == "thought"} == {"board"}
    assert not {"metric", "check"} & {entry["kind"] for entry in own}


async def test_log_in_pages_and_runs_in_lists(desk: Desk) -> None:
    run = await desk.play(await desk.start())
    first = await desk.ok("GET", f"/runs/{run['id']}/log", limit=3)
    assert [entry["seq"] for entry in first["items"]] == [1, 2, 3]
    assert first["next"] == "3"
    other = await desk.start()
    listed = await desk.ok("GET", "/runs", limit=1)
    assert [item["id"] for item in listed["items"]] == [other["id"]]
    following = await desk.ok("GET", "/runs", after=listed["next"])
    assert [item["id"] for item in following["items"]] == [run["id"]]
    assert [item["id"] for item in (await desk.ok("GET", "/runs", status="completed"))["items"]] == [run["id"]]
    assert (await desk.ok("GET", f"/runs/{run['serial']}"))["id"] == run["id"]
    for missing in ("999999", "not-a-run", "01890000-0000-7000-8000-000000000000"):
        assert (await desk.refused("GET", f"/runs/{missing}"))["status"] == 404


async def test_an_idempotency_key_starts_one_run(desk: Desk) -> None:
    body = {"scenario": await desk.scenario(talks())}
    answers = await asyncio.gather(
        *[desk.http.post("/api/v1/runs", json=body, headers={"Idempotency-Key": "k"}) for _ in range(4)]
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await desk.http.post("/api/v1/runs", json={**body, "pool": "p"}, headers={"Idempotency-Key": "k"})
    assert other.json()["code"] == "idempotency_mismatch"


async def test_a_run_on_a_private_pool_moves_with_its_resumer(desk: Desk) -> None:
    name = await desk.scenario(talks())
    run = await desk.ok("POST", "/runs", {"scenario": name, "pool": "mine"})
    assert await desk.claim("actor") == []
    assert len(await desk.claim("actor:mine", 1)) == 1
    await desk.ok("POST", f"/runs/{run['id']}/resume", {"move": True, "pool": None})
    assert len(await desk.claim("actor")) == 1
    assert (await desk.run(run))["pool"] is None


async def test_title_and_labels_can_change(desk: Desk) -> None:
    run = await desk.start(labels={"a": "1"})
    changed = await desk.ok("PATCH", f"/runs/{run['id']}", {"title": "New", "labels": {"b": "2"}})
    assert (changed["title"], changed["labels"]) == ("New", {"b": "2"})


async def test_deeper_folds_come_from_the_database(desk: Desk) -> None:
    """A replica that has never seen the run goes on with it."""
    expected = await golden(desk)
    run = await desk.start()
    for _ in range(4):
        await desk.work()
        desk.deps.runs.forget()
    assert (await desk.play(run))["log_digest"] == expected


async def test_a_dialogue_over_http(desk: Desk) -> None:
    document: dict[str, Any] = {"name": "chat", "seats": {"ann": {"opening": "Hello."}, "bo": {}, "cy": {}}}
    document["schedule"] = {"policy": "dialogue@1", "turns": 5}
    run = await desk.play(await desk.start(document), reply)
    said = [entry["seat"] for entry in await desk.log(run) if entry["kind"] == "message"]
    assert said == ["ann", "bo", "cy", "ann", "bo"]
    assert run["outcome"] == "turn_limit"
    assert Decimal(run["spent"]) == 0


async def test_a_prior_authorization_with_tools(desk: Desk) -> None:
    """Approval and denial are different outcomes; a tool's document can be fetched by its reference."""
    document: dict[str, Any] = {"name": "prior-auth", "schedule": {"policy": "dialogue@1", "turns": 6}}
    document["seats"] = {
        "clinic": {"tools": [{"name": "chart", "description": "the chart"}]},
        "insurer": {"tools": [{"name": "approve", "ends": "success"}, {"name": "deny", "ends": "failure"}]},
    }

    def answers(verdict: str) -> Any:
        def answer(event: dict[str, Any]) -> dict[str, Any]:
            if event["event_type"] == "oracle":
                return {
                    "content": "as asked",
                    "documents": [{"title": "Chart", "content_type": "text/x", "text": "body"}],
                }
            said = {"text": "…", "to": None, "closing": False, "thought": ""}
            if event["seat"] == "clinic" and not event["view"]["tool_results"]:
                return said | {"tool_call": {"name": "chart", "input": {}}}
            return said | ({"tool_call": {"name": verdict, "input": {}}} if event["seat"] == "insurer" else {})

        return answer

    outcomes = {}
    for verdict in ("approve", "deny"):
        run = await desk.play(await desk.start(document), answers(verdict))
        outcomes[verdict] = (run["status"], run["outcome"])
    assert outcomes == {"approve": ("completed", "success"), "deny": ("completed", "failure")}
    message = next(entry for entry in await desk.log(run) if entry["kind"] == "message")
    (reference,) = message["body"]["documents"]
    got = await desk.http.get(f"/api/v1/runs/{run['id']}/documents/{reference['id']}")
    assert (got.text, got.headers["content-type"]) == ("body", "text/x; charset=utf-8")
    assert (await desk.refused("GET", f"/runs/{run['id']}/documents/nothing"))["status"] == 404
    insurer = await desk.log(run, seat="insurer")
    assert not [entry for entry in insurer if entry["kind"] == "tool_call" and entry["seat"] == "clinic"]


async def test_a_step_rings_its_lane_with_the_place_where_it_begins(desk: Desk) -> None:
    """A claim that remembers a later place goes back to it at once; rung without one, it would after a second."""
    rung: list[tuple[str, tuple[int, ...]]] = []
    desk.deps.bell.listen_lanes(lambda lane, place: rung.append((lane, tuple(place or ()))))
    run = await desk.start()
    first = "SELECT rank, pass, id FROM queue WHERE state = 2 ORDER BY rank, pass, id LIMIT 1"
    place = tuple(await desk.deps.pool.fetchrow(first))
    assert rung == [("actor", place)]
    await desk.ok("POST", f"/runs/{run['id']}/pause")
    await desk.ok("POST", f"/runs/{run['id']}/resume")
    assert rung[1:] == [("actor", place)]
    await desk.work(("actor",))
    lane, begins = rung[-1]
    assert begins == tuple(await desk.deps.pool.fetchrow(first))
    assert lane != "actor"

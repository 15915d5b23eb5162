"""Conversations: runs as instances of a scenario; the hydrated snapshot stays what it was."""

from __future__ import annotations

from typing import Any

from tests.integration.api.test_scenarios import PERMIT
from tests.integration.runs.desk import Desk, reply, talks

ASKED: dict[str, Any] = {
    "scenarioId": "Harbour_Permit.V2",
    "title": "Crane permit (two models)",
    "agents": [
        {"id": "Officer", "config": {"model": "rehearsal", "temperature": 0.2, "voice": "calm"}},
        {"id": "applicant", "config": {"model": "rehearsal", "instructions": "Be brief."}},
    ],
    "custom": {"experiment": 7},
}


async def permit(desk: Desk) -> dict[str, Any]:
    made: dict[str, Any] = await desk.ok("POST", "/scenarios", {"name": "Crane permit", "config": PERMIT})
    return made


async def test_it_is_made_from_a_scenario_with_choices_of_its_own(desk: Desk) -> None:
    await permit(desk)
    made = await desk.ok("POST", "/conversations", ASKED)
    assert (made["scenarioId"], made["title"], made["status"]) == ("Harbour_Permit.V2", ASKED["title"], "active")
    assert made["metadata"]["agents"] == ASKED["agents"]
    assert [(item["pointer"]) for item in made["warnings"]] == ["/agents/0/config/voice"]
    run = await desk.ok("GET", f"/runs/{made['run_id']}")
    assert (run["serial"], run["status"], run["title"]) == (made["conversation"], "running", ASKED["title"])
    assert run["choices"]["seats"]["officer"]["temperature"] == 0.2
    assert run["choices"]["custom"] == {"experiment": 7}
    events = await desk.claim("actor")
    assert events[0]["view"]["you"]["instructions"].endswith("Be brief.")


async def test_the_snapshot_does_not_move_when_the_template_is_edited(desk: Desk) -> None:
    template = await permit(desk)
    made = await desk.ok("POST", "/conversations", ASKED)
    before = await desk.ok("GET", f"/conversations/{made['conversation']}")
    assert before["scenario"] == PERMIT
    assert before["runtimeMeta"] == {
        "title": ASKED["title"], "description": None, "agents": ASKED["agents"], "custom": ASKED["custom"]
    }  # fmt: skip
    assert before["events"][0]["kind"] == "run_started"
    edited = {**PERMIT, "metadata": {**PERMIT["metadata"], "title": "Another permit"}, "agents": PERMIT["agents"][::-1]}
    changed = await desk.ok("PUT", f"/scenarios/{template['id']}", {"name": "Renamed", "config": edited})
    assert (changed["version"], changed["config"]) == (2, edited)
    after = await desk.ok("GET", f"/conversations/{made['conversation']}")
    assert after == before
    await desk.ok("DELETE", f"/scenarios/{template['id']}")
    assert await desk.ok("GET", f"/conversations/{made['run_id']}") == before
    await desk.play(await desk.ok("GET", f"/runs/{made['run_id']}"))
    played = await desk.ok("GET", f"/conversations/{made['conversation']}")
    assert (played["status"], played["scenario"]) == ("completed", PERMIT)
    assert played["events"][-1]["kind"] == "run_complete"
    assert played["events"] == [*before["events"], *played["events"][len(before["events"]) :]]


async def test_the_title_is_the_scenarios_unless_given(desk: Desk) -> None:
    await permit(desk)
    made = await desk.ok("POST", "/conversations", {"scenarioId": "Crane permit", "description": "without a title"})
    assert (made["title"], made["description"]) == (PERMIT["metadata"]["title"], "without a title")
    assert (made["metadata"]["agents"], made["warnings"]) == ([], [])


async def test_what_is_refused(desk: Desk) -> None:
    await permit(desk)
    base = {"scenarioId": "Harbour_Permit.V2"}
    hot = {"id": "officer", "config": {"temperature": "hot"}}
    for body, status, pointer in [
        ({}, 400, "/scenarioId"),
        ({"scenarioId": ""}, 400, "/scenarioId"),
        ({"scenarioId": "nothing"}, 404, None),
        ({**base, "agents": [{"id": "oficer"}]}, 400, "/agents/0/id"),
        ({**base, "agents": [{"id": "officer"}, {"id": "Officer"}]}, 400, "/agents/1/id"),
        ({**base, "agents": [hot]}, 400, "/agents/0/config/temperature"),
        ({**base, "agents": "all"}, 400, "/agents"),
    ]:
        problem = await desk.refused("POST", "/conversations", body)
        assert problem["status"] == status, problem
        assert pointer is None or problem["errors"][0]["pointer"] == pointer, problem
    assert (await desk.ok("GET", "/conversations"))["items"] == []
    assert (await desk.refused("GET", "/conversations/9999"))["status"] == 404


async def test_every_run_is_a_conversation_and_lists_are_paged(desk: Desk) -> None:
    await permit(desk)
    talk = await desk.start(talks(), seats={"board": {"model": "rehearsal"}})
    both = [await desk.ok("POST", "/conversations", {"scenarioId": "Crane permit"}) for _ in range(2)]
    first = await desk.ok("GET", "/conversations", limit=2)
    assert [item["conversation"] for item in first["items"]] == [both[1]["conversation"], both[0]["conversation"]]
    rest = await desk.ok("GET", "/conversations", limit=2, after=first["next"])
    assert [item["conversation"] for item in rest["items"]] == [talk["serial"]]
    assert rest["items"][0]["metadata"]["agents"] == [{"id": "board", "config": {"model": "rehearsal"}}]
    assert rest["next"] is None
    await desk.ok("POST", f"/runs/{both[0]['run_id']}/cancel")
    ended = await desk.ok("GET", "/conversations", status="completed", scenarioId="Harbour_Permit.V2")
    assert [item["conversation"] for item in ended["items"]] == [both[0]["conversation"]]


async def test_events_are_paged_by_number(desk: Desk) -> None:
    run = await desk.play(await desk.start(), reply)
    whole = await desk.ok("GET", f"/conversations/{run['serial']}")
    part = await desk.ok("GET", f"/conversations/{run['serial']}", limit=3)
    assert (part["events"], part["next"]) == (whole["events"][:3], "3")
    rest = await desk.ok("GET", f"/conversations/{run['serial']}", after=part["next"])
    assert [*part["events"], *rest["events"]] == whole["events"]


async def test_a_key_makes_one_conversation(desk: Desk) -> None:
    await permit(desk)
    answers = [
        await desk.http.post("/api/conversations/", json=ASKED, headers={"Idempotency-Key": "k"}) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert len((await desk.ok("GET", "/conversations"))["items"]) == 1

"""People at seats: asked, heard once, taken over, skipped, replaced, and the story the same whoever said it."""

from __future__ import annotations

from typing import Any

from tests.integration.runs.desk import Desk, crowd, done, failed, reply, settled, talks

from pyscrai.domain.scenario import Scenario
from pyscrai_api.invariants import broken


async def pages(desk: Desk, run: dict[str, Any], seat: str) -> dict[str, Any]:
    found: dict[str, Any] = await desk.ok("GET", f"/runs/{run['id']}/seats/{seat}")
    return found


async def say(desk: Desk, run: dict[str, Any], seat: str, **more: Any) -> dict[str, Any]:
    """What the engine of the tests would have said for this seat."""
    asked = (await pages(desk, run, seat))["asked"]
    event = {"turn": asked["turn"], "seat": seat, "event_type": "decide", **asked}
    body = {"value": reply(event), "event_id": asked["event_id"], "lease_no": asked["lease_no"], **more}
    moved: dict[str, Any] = await desk.ok("POST", f"/runs/{run['id']}/seats/{seat}/move", body)
    return moved


async def healthy(desk: Desk) -> None:
    async with desk.deps.pool.acquire() as conn:
        assert not {name: rows for name, rows in (await broken(conn)).items() if rows}


async def pass_deadlines(desk: Desk, run: dict[str, Any]) -> None:
    """Whatever deadlines the run has are over now."""
    async with desk.deps.pool.acquire() as conn:
        await conn.execute("UPDATE inbox SET deadline = now() - interval '1 s' WHERE seconds > 0")
    await desk.deps.runs.seats.deadlines.run_once()


async def test_a_run_waits_for_its_people_and_goes_on_with_what_they_say(desk: Desk) -> None:
    expected = await desk.play(await desk.start(crowd(2, turns=2), seed=3))
    run = await desk.start(crowd(2, turns=2), seed=3, seats={"s000": {"human": True}})
    assert run["status"] == "running"
    await desk.play(run)
    now = await desk.run(run)
    assert (now["status"], now["open"]) == ("waiting", 1)
    inbox = (await desk.ok("GET", "/inbox"))["items"]
    assert [(one["seat"], one["kind"], one["deadline"]) for one in inbox] == [("s000", "move", None)]
    page = await pages(desk, run, "s000")
    assert page["played_by"] == "person"
    assert page["view"]["you"]["seat"] == "s000"
    assert page["form"]["required"] == ["action"]
    await healthy(desk)
    moved = await say(desk, run, "s000")
    assert moved["state"] == "accepted"
    await desk.play(run)
    await say(desk, run, "s000")
    ended = await desk.play(run)
    assert ended["status"] == "completed"
    story = [entry for entry in await desk.log(run) if entry["track"] == "story"]
    told = [entry for entry in await desk.log(expected) if entry["track"] == "story"]
    assert [entry["body"] for entry in story] == [entry["body"] for entry in told]
    assert ended["log_digest"] != expected["log_digest"], "that a person sits there is part of how the run began"
    await healthy(desk)


async def test_a_repeat_is_the_same_and_a_late_one_learns_who_was_faster(desk: Desk) -> None:
    run = await desk.start(crowd(2), seats={"s000": {"human": True}})
    asked = (await pages(desk, run, "s000"))["asked"]
    where = f"/runs/{run['id']}/seats/s000"
    mine = {"value": {"action": "I go."}, "event_id": asked["event_id"], "lease_no": asked["lease_no"]}
    draft = await desk.ok("PUT", f"{where}/draft", {**mine, "value": {"action": "I g"}})
    assert draft["event_id"] == asked["event_id"]
    assert (await pages(desk, run, "s000"))["draft"] == {"action": "I g"}
    wrong = await desk.refused("POST", f"{where}/move", {**mine, "value": {"action": 3, "x": 1}})
    assert (wrong["status"], wrong["code"]) == (422, "invalid_move")
    assert {error["pointer"] for error in wrong["errors"]} == {"/value", "/value/action"}
    first = await desk.ok("POST", f"{where}/move", mine)
    assert first["value"] == {"action": "I go.", "reasoning": "", "goals": []}
    assert await desk.ok("POST", f"{where}/move", mine) == first
    for other in ({**mine, "value": {"action": "I stay."}}, {**mine, "lease_no": 7}):
        late = await desk.refused("POST", f"{where}/move", other)
        assert (late["status"], late["winner"]["how"]) == (409, "submitted")
        assert "from another tab" in late["detail"]
    assert (await desk.refused("PUT", f"{where}/draft", mine))["status"] == 409
    await healthy(desk)


async def test_deadlines_skip_or_ask_a_model_by_the_rule(desk: Desk) -> None:
    seats = {
        "s000": {"human": True, "deadline": 60, "on_deadline": "skip"},
        "s001": {"human": True, "deadline": 60, "on_deadline": "model"},
        "s002": {"human": True, "deadline": 60},
    }
    run = await desk.start(crowd(3), seats=seats)
    asked = (await pages(desk, run, "s000"))["asked"]
    assert 0 < asked["seconds_left"] <= 60
    await pass_deadlines(desk, run)
    where = f"/runs/{run['id']}/seats/s000"
    late = await desk.refused("POST", f"{where}/move", {"value": {"action": "x"}, "event_id": asked["event_id"]})
    assert late["winner"]["how"] == "skipped"
    assert "the deadline passed at" in late["detail"]
    (event,) = await desk.claim("actor")
    assert (event["seat"], event["lease_no"]) == ("s001", 2)
    await healthy(desk)
    await desk.finish("actor", done(event))
    assert (await desk.run(run))["status"] == "waiting"
    await say(desk, run, "s002")
    ended = await desk.play(run)
    decided = [entry["seat"] for entry in await desk.log(run) if entry["kind"] == "decision"]
    assert (ended["status"], decided) == ("completed", ["s001", "s002"])
    listed = (await desk.ok("GET", "/events", run_id=run["id"], lane="actor"))["items"]
    assert {event["seat"] for event in listed} == {"s000", "s001", "s002"}, "whoever answered, or nobody"
    await healthy(desk)


async def test_a_seat_is_taken_under_the_models_hands_and_given_back(desk: Desk) -> None:
    expected = await desk.play(await desk.start(crowd(2, turns=2), seed=5))
    run = await desk.start(crowd(2, turns=2), seed=5)
    events = {event["seat"]: event for event in await desk.claim("actor")}
    await desk.reserve("actor", events["s000"])
    taken = await desk.ok("POST", f"/runs/{run['id']}/seats/s000/take", {})
    assert (taken["played_by"], taken["asked"]["lease_no"]) == ("person", 2)
    stale = await desk.finish("actor", done(events["s000"]), calls=[settled(events["s000"])])
    assert stale == ["stale"]
    assert (await desk.run(run))["model_calls"] == 1
    await healthy(desk)
    await say(desk, run, "s000")
    await desk.finish("actor", done(events["s001"]))
    assert (await pages(desk, run, "s000"))["asked"]["turn"] == 2
    await desk.play(run)
    back = await desk.ok("POST", f"/runs/{run['id']}/seats/s000/release", {})
    assert (back["played_by"], back["asked"]) == ("model", None)
    ended = await desk.play(run)
    assert (ended["status"], ended["log_digest"]) == ("completed", expected["log_digest"])
    changes = [entry["body"] for entry in await desk.log(run) if entry["kind"] == "seat_changed"]
    assert [change["human"] for change in changes] == [True, False]
    await healthy(desk)


async def test_a_model_is_approved_edited_and_sent_back(desk: Desk) -> None:
    expected = await desk.play(await desk.start(crowd(2), seed=6))
    run = await desk.start(crowd(2), seed=6, seats={"s000": {"approve": True}, "s001": {"approve": True}})
    first, second = await desk.claim("actor")
    await desk.reserve("actor", first)
    assert await desk.finish("actor", done(first), done(second), calls=[settled(first)]) == ["done", "done"]
    assert await desk.finish("actor", done(first), done(second)) == ["done", "done"], "a repeat is no news"
    assert (await desk.run(run))["status"] == "waiting"
    await healthy(desk)
    page = await pages(desk, run, "s000")
    assert (page["asked"]["kind"], page["proposed"]) == ("approval", reply(first))
    where = f"/runs/{run['id']}/seats/s000"
    named = {"event_id": page["asked"]["event_id"], "lease_no": page["asked"]["lease_no"]}
    await desk.ok("POST", f"{where}/return", {"remark": "Say {{ less }}.", **named})
    late = await desk.refused("POST", f"{where}/move", {"approve": True, **named})
    assert late["winner"]["how"] in ("sent_back", "asked_anew")
    (again,) = await desk.claim("actor")
    assert again["view"]["remarks"] == [{"proposed": reply(first), "remark": "Say {{ less }}."}]
    assert "remarks" in again["prompt"]["user"]
    assert again["model"]["seed"] != first["model"]["seed"]
    await desk.finish("actor", done(again))
    await desk.ok("POST", f"{where}/move", {"approve": True})
    edited = {"value": reply({**second, "seat": "s001"})}
    await desk.ok("POST", f"/runs/{run['id']}/seats/s001/move", edited)
    ended = await desk.run(run)
    assert (ended["status"], ended["log_digest"]) == ("completed", expected["log_digest"])
    await healthy(desk)


async def test_a_replay_takes_what_people_said_from_the_recording(desk: Desk) -> None:
    seats = {"s000": {"human": True}, "s001": {"human": True, "deadline": 60, "on_deadline": "skip"}}
    run = await desk.start(crowd(2), seats=seats)
    await say(desk, run, "s000")
    await pass_deadlines(desk, run)
    recorded = await desk.run(run)
    assert recorded["status"] == "completed"
    again = await desk.ok("POST", f"/runs/{run['id']}/replay", {})
    assert again["status"] == "waiting"
    await desk.deps.runs.seats.deadlines.run_once()
    replayed = await desk.run(again)
    assert (replayed["status"], replayed["log_digest"]) == ("completed", recorded["log_digest"])
    await healthy(desk)


async def test_pausing_keeps_moves_and_deadlines_stand_still(desk: Desk) -> None:
    seats = {
        "s000": {"human": True, "deadline": 60, "on_deadline": "skip"},
        "s001": {"human": True, "deadline": 60, "on_deadline": "skip"},
    }
    run = await desk.start(crowd(2), seats=seats)
    await desk.ok("POST", f"/runs/{run['id']}/pause")
    await pass_deadlines(desk, run)
    await say(desk, run, "s000")
    paused = await desk.run(run)
    assert (paused["status"], paused["open"]) == ("paused", 1)
    resumed = await desk.ok("POST", f"/runs/{run['id']}/resume", {})
    assert resumed["status"] == "waiting"
    assert (await pages(desk, run, "s001"))["asked"]["seconds_left"] > 50
    await desk.ok("POST", f"/runs/{run['id']}/cancel")
    late = await desk.refused("POST", f"/runs/{run['id']}/seats/s001/move", {"value": {"action": "x"}})
    assert late["winner"]["how"] == "cancelled"
    await healthy(desk)
    listed = (await desk.ok("GET", "/events", run_id=run["id"], lane="actor", status="cancelled"))["items"]
    assert [event["seat"] for event in listed] == ["s001"]


async def test_the_words_of_the_seeds_find_the_one_run_that_waits(desk: Desk) -> None:
    run = await desk.start(talks(), seats={"union": {"human": True}})
    moved = await desk.ok("POST", "/actors/union/decide", {"action": "We strike."})
    assert (moved["run_id"], moved["value"]["action"]) == (run["id"], "We strike.")
    assert (await desk.refused("POST", "/actors/union/decide", {"action": "x"}))["status"] == 404


async def test_a_dead_letter_is_taken_by_a_person_and_its_run_goes_on(desk: Desk) -> None:
    run = await desk.start(crowd(2))
    first, second = await desk.claim("actor")
    await desk.finish("actor", failed(first, permanent=True), done(second))
    assert (await desk.run(run))["status"] == "blocked"
    await desk.ok("POST", f"/runs/{run['id']}/seats/s000/take", {})
    assert (await desk.run(run))["status"] == "waiting"
    await healthy(desk)
    await say(desk, run, "s000")
    assert (await desk.run(run))["status"] == "completed"
    await healthy(desk)


async def test_a_whisper_is_for_one_seat(desk: Desk) -> None:
    run = await desk.start(crowd(2, turns=2))
    kept = await desk.ok("POST", f"/runs/{run['id']}/seats/s001/whisper", {"text": "The key is bent."})
    assert (kept["kind"], kept["seat"]) == ("input", "s001")
    await desk.work()
    views = {event["seat"]: event["view"] for event in await desk.claim("actor")}
    assert "The key is bent." in str(views["s001"]["history"])
    assert "The key is bent." not in str(views["s000"])


async def test_people_write_letters_and_answer_offers_in_the_forms_of_their_phases(desk: Desk) -> None:
    together = {"bilateral": True, "statements": True, "coalitions": True}
    document = {"name": "letters", "seats": {name: {} for name in ("ann", "ben", "cam")}, "communication": together}
    schedule = {"turns": 1, "phases": ["communication", "coalition", "decision"]}
    run = await desk.start(
        Scenario.model_validate({**document, "schedule": schedule}).content(), seats={"ann": {"human": True}}
    )
    phases = []
    while (await desk.run(run))["status"] in ("running", "waiting"):
        await desk.work(answer=least)
        page = await pages(desk, run, "ann")
        if page["asked"] is None:
            continue
        phases.append(page["asked"]["phase"])
        assert page["form"]["title"]
        moved = await desk.ok("POST", f"/runs/{run['id']}/seats/ann/move", {"value": least(page["form"])})
        assert moved["state"] == "accepted"
        await healthy(desk)
    assert set(phases) == {"communication", "coalition", "decision"}


def least(asked: dict[str, Any]) -> dict[str, Any]:
    """The least that fits a form, or an event's schema."""
    schema = asked.get("result_schema") or asked
    return {name: smallest(one) for name, one in schema["properties"].items() if name in schema["required"]}


def smallest(schema: dict[str, Any]) -> Any:
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return None
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if "null" in kinds:
        return None
    if kinds[0] == "array":
        return [smallest(schema["items"]) for _ in range(schema.get("minItems") or 0)]
    if kinds[0] == "object":
        return {name: smallest(one) for name, one in schema["properties"].items()}
    return {"string": "a" * (schema.get("minLength") or 0), "boolean": False, "number": 0, "integer": 0}[kinds[0]]


async def test_a_dialogue_of_two_people_goes_from_one_to_the_other(desk: Desk) -> None:
    document = {"name": "chat", "seats": {"ann": {}, "ben": {}}, "schedule": {"policy": "dialogue@1", "turns": 4}}
    people = {"ann": {"human": True}, "ben": {"human": True}}
    run = await desk.start(Scenario.model_validate(document).content(), seats=people)
    spoke = []
    while (now := await desk.run(run))["status"] == "waiting":
        (asked,) = now["asks"]
        spoke.append(asked["seat"])
        said = {"text": f"{asked['seat']} says {asked['turn']}", "to": None, "closing": False}
        await desk.ok("POST", f"/runs/{run['id']}/seats/{asked['seat']}/move", {"value": said})
        await desk.work()
    assert spoke == ["ann", "ben", "ann", "ben"]
    assert (await desk.run(run))["status"] == "completed"
    await healthy(desk)


async def test_a_replay_of_seats_that_changed_hands_asks_nobody_anew(desk: Desk) -> None:
    run = await desk.start(crowd(2, turns=3))
    await desk.work()
    await desk.ok("POST", f"/runs/{run['id']}/seats/s000/take", {})
    await desk.play(run)
    await say(desk, run, "s000")
    await desk.play(run)
    await say(desk, run, "s000")
    recorded = await desk.play(run)
    assert recorded["status"] == "completed"
    again = await desk.ok("POST", f"/runs/{run['id']}/replay", {})
    assert (again["status"], again["asks"]) == ("running", [])
    for _ in range(3):
        await desk.play(again)
        await desk.deps.runs.seats.deadlines.run_once()
    replayed = await desk.play(again)
    assert (replayed["status"], replayed["log_digest"]) == ("completed", recorded["log_digest"])
    await healthy(desk)

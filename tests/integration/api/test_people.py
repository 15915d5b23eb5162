"""People with tokens of their own: what is theirs, what is not, and whose engines see what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tests.integration.api.person import Person

from pyscrai_api.app import create_app
from pyscrai_api.deps import open_deps
from pyscrai_api.settings import Settings

ADMIN = "open-sesame"
SCENARIO = {
    "name": "doors",
    "world": {"text": "Two doors."},
    "seats": {"left": {"title": "Left", "role": "pushes"}, "right": {"title": "Right", "role": "pulls"}},
    "schedule": {"policy": "turns@1", "turns": 1, "phases": ["decision", "world_update"]},
}


@pytest.fixture
def settings(dsn: str, tmp_path: Path) -> Settings:
    return Settings(database_url=dsn, token=ADMIN, data=tmp_path)


@pytest.fixture
async def http(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with open_deps(settings) as deps:
        transport = httpx.ASGITransport(create_app(settings, deps))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            yield client


@pytest.fixture
def admin(http: httpx.AsyncClient) -> Person:
    return Person(http, ADMIN)


@pytest.fixture
async def alice(admin: Person) -> Person:
    return await admin.add("alice")


@pytest.fixture
async def bob(admin: Person) -> Person:
    return await admin.add("bob")


async def test_a_token_is_shown_once_and_kept_as_a_hash(admin: Person, settings: Settings) -> None:
    added = await admin("POST", "/users", {"name": "alice"}, 201)
    assert added["token"].startswith("pyu_")
    listed = await admin("GET", "/users", status=200)
    assert [(user["name"], user["created_by"]) for user in listed] == [("alice", "local")]
    assert "token" not in listed[0]
    async with open_deps(settings) as deps:
        row = await deps.pool.fetchrow("SELECT * FROM users")
    assert row is not None
    assert added["token"] not in str(dict(row))


async def test_everybody_is_known_by_their_token(admin: Person, alice: Person) -> None:
    assert await alice("GET", "/users/me") == {"name": "alice", "admin": False, "pools": "alice and alice-…"}
    assert await admin("GET", "/users/me") == {"name": "local", "admin": True, "pools": None}


@pytest.mark.parametrize("name", ["", "Alice", "a-b", "a" * 33, "é", "a b"])
async def test_names_are_plain(admin: Person, name: str) -> None:
    await admin("POST", "/users", {"name": name}, 400)


@pytest.mark.parametrize("name", ["local", "builtin", "own", "me", "alice"])
async def test_names_that_are_taken(admin: Person, alice: Person, name: str) -> None:
    await admin("POST", "/users", {"name": name}, 409)


async def test_a_name_whose_pools_others_use_cannot_be_added(admin: Person) -> None:
    await admin.engine(pool="gpu-large")
    await admin("POST", "/users", {"name": "gpu"}, 409)


async def test_only_the_installations_token_administers(admin: Person, alice: Person) -> None:
    await alice("POST", "/users", {"name": "carol"}, 403)
    await alice("GET", "/users", status=403)
    await alice("DELETE", "/users/alice", status=403)
    engine = await alice.engine(pool="alice")
    await engine("GET", "/users", status=403)
    await engine("GET", "/keys", status=403)


async def test_without_a_token_everybody_is_local_but_for_those_who_say_who_they_are(settings: Settings) -> None:
    open_ = replace(settings, token=None)
    async with open_deps(open_) as deps:
        transport = httpx.ASGITransport(create_app(open_, deps))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            made = await client.post("/api/v1/users", json={"name": "alice"})
            alice = Person(client, made.json()["token"])
            assert (await client.get("/api/v1/users/me")).json()["admin"] is True
            assert (await alice("GET", "/users/me"))["name"] == "alice"
            await alice("GET", "/users", status=403)


async def test_a_token_of_somebody_who_was_removed_is_nobodys(admin: Person, alice: Person) -> None:
    engine = await alice.engine(pool="alice")
    await alice("PUT", "/keys/openai", {"key": "sk-1"})
    await admin("DELETE", "/users/alice", status=204)
    await alice("GET", "/users/me", status=401)
    await engine("PUT", f"/engine-instances/{engine.id}/heartbeat", {}, 404)
    await engine("POST", "/events/claim", {"engine_id": engine.id}, 404)
    await admin("DELETE", "/users/alice", status=404)
    again = await admin.add("alice")
    assert await again("GET", "/keys") == []


async def test_somebody_who_is_removed_leaves_nothing_running(admin: Person, alice: Person) -> None:
    await alice("POST", "/templates/scenarios", SCENARIO, 201)
    run = await alice("POST", "/runs", {"scenario": "doors"}, 201)
    await admin("DELETE", "/users/alice", status=204)
    again = await admin.add("alice")
    found = await again("GET", f"/runs/{run['id']}")
    assert (found["status"], found["reason"]["code"]) == ("paused", "by_user")


async def test_what_somebody_had_begun_is_kept_when_they_are_removed(admin: Person, alice: Person) -> None:
    """Also what waits for a place to go on: it has been paid for. Only what never began is cancelled."""
    await alice("POST", "/templates/scenarios", SCENARIO, 201)
    first = await alice("POST", "/runs", {"scenario": "doors"}, 201)
    await alice("POST", f"/runs/{first['id']}/pause")
    for _ in range(3):
        await alice("POST", "/runs", {"scenario": "doors"}, 201)
    resumed = await alice("POST", f"/runs/{first['id']}/resume")
    last = await alice("POST", "/runs", {"scenario": "doors"}, 201)
    assert (resumed["status"], last["status"]) == ("pending", "pending")
    await admin("DELETE", "/users/alice", status=204)
    again = await admin.add("alice")
    assert (await again("GET", f"/runs/{first['id']}"))["status"] == "paused"
    assert (await again("GET", f"/runs/{last['id']}"))["status"] == "cancelled"


async def test_what_is_private_of_others_is_not_there(admin: Person, alice: Person, bob: Person) -> None:
    template = await alice("POST", "/templates/scenarios", SCENARIO, 201)
    run = await alice("POST", "/runs", {"scenario": "doors"}, 201)
    conversation = run["serial"]
    event = (await alice("GET", "/events"))["items"][0]["id"]
    loose = await alice("POST", "/events", {"engine_type": "actor", "data": {"prompt": "mine"}}, 201)
    engine = await alice.engine(pool="alice")
    for other in (bob, admin):
        for path in (
            f"/runs/{run['id']}",
            f"/runs/{conversation}",
            f"/runs/{run['id']}/log",
            f"/runs/{run['id']}/calls",
            f"/runs/{run['id']}/snapshot",
            f"/runs/{run['id']}/stream",
            f"/runs/{run['id']}/documents/x",
            f"/conversations/{conversation}",
            f"/templates/scenarios/{template['id']}",
            "/templates/scenarios/doors",
            "/scenarios/doors",
            "/scenarios/doors/status",
            "/scenarios/doors/stream",
            f"/events/{event}",
            f"/events/{loose['id']}",
        ):
            await other("GET", path, status=404)
        for path in ("pause", "resume", "cancel"):
            await other("POST", f"/runs/{run['id']}/{path}", status=404)
        await other("PATCH", f"/runs/{run['id']}", {"limit": "5"}, 404)
        for path in ("retry", "cancel", "discard"):
            await other("POST", f"/events/{loose['id']}/{path}", status=404)
        for path in ("execute", "pause", "resume"):
            await other("POST", f"/scenarios/doors/{path}", status=404)
        await other("PUT", "/templates/scenarios/doors", SCENARIO, 404)
        await other("DELETE", "/templates/scenarios/doors", status=404)
        await other("DELETE", "/scenarios/doors", status=404)
        for path in ("/runs", "/events", "/events/dead", "/conversations"):
            assert (await other("GET", path))["items"] == [], path
        assert "doors" not in str(await other("GET", "/templates/scenarios"))
        assert await other("GET", "/events/queue/actor", limit=500) == []
    await bob("GET", f"/engine-instances/{engine.id}", status=404)
    await bob("PUT", f"/engine-instances/{engine.id}/heartbeat", {}, 404)
    await bob("DELETE", f"/engine-instances/{engine.id}", status=404)
    await bob("POST", "/events/claim", {"engine_id": engine.id}, 404)
    await bob("PUT", "/events/status", {"engine_id": engine.id, "events": []}, 404)
    assert (await alice("GET", f"/runs/{run['id']}"))["status"] == "running"
    assert len(await alice("GET", "/events/queue/actor", limit=500)) == 3


async def test_what_is_shared_can_be_played_and_not_changed(alice: Person, bob: Person) -> None:
    await alice("POST", "/templates/scenarios", {"content": SCENARIO, "visibility": "shared"}, 201)
    run = await bob("POST", "/runs", {"scenario": "doors"}, 201)
    assert run["owner"] == "bob"
    await bob("PUT", "/templates/scenarios/doors", SCENARIO | {"world": {"text": "Three doors."}}, 403)
    await bob("DELETE", "/templates/scenarios/doors", status=403)
    await alice("GET", f"/runs/{run['id']}", status=404)


async def test_the_same_name_may_be_two_peoples(alice: Person, bob: Person) -> None:
    for person in (alice, bob):
        await person("POST", "/templates/scenarios", SCENARIO, 201)
        assert (await person("GET", "/templates/scenarios"))["items"][-1]["name"] == "doors"


async def test_an_idempotency_key_is_for_its_owner(alice: Person, bob: Person) -> None:
    made = []
    for person in (alice, bob):
        headers = {"authorization": f"Bearer {person.token}", "idempotency-key": "once"}
        answer = await person.http.post(
            "/api/v1/events", json={"engine_type": "actor", "data": {"prompt": "a"}}, headers=headers
        )
        made.append(answer.json()["id"])
    assert made[0] != made[1]


async def test_an_engine_of_somebody_serves_their_own_pools_only(alice: Person, bob: Person) -> None:
    for pool in (None, "bob", "gpu", "own-1", "alic", "alicegpu"):
        await alice("POST", "/engine-instances", {"engine_type": "actor", "pool": pool}, 403)
    await alice("POST", "/templates/scenarios", {"content": SCENARIO, "visibility": "shared"}, 201)
    engine = await alice.engine(pool="alice-home")
    await bob("POST", "/runs", {"scenario": "doors", "pool": "alice-home"}, 400)
    await bob("POST", "/scenarios/doors/execute", {"pool": "alice-home"}, 400)
    theirs = await bob("POST", "/runs", {"scenario": "doors"}, 201)
    await bob("POST", f"/runs/{theirs['id']}/resume", {"pool": "alice-home"}, 400)
    await bob("POST", "/scenarios/doors/resume", {"pool": "alice-home"}, 400)
    await bob("POST", "/events", {"engine_type": "actor:alice-home", "data": {"prompt": "a"}}, 400)
    assert await engine("POST", "/events/claim", {"engine_id": engine.id, "max": 10}) == []
    hers = await alice("POST", "/runs", {"scenario": "doors", "pool": "alice-home"}, 201)
    claimed = await engine("POST", "/events/claim", {"engine_id": engine.id, "max": 10})
    assert {event["run_id"] for event in claimed} == {hers["id"]}


async def test_engines_that_work_for_everybody_can_be_seen_and_those_of_others_not(
    admin: Person, alice: Person, bob: Person
) -> None:
    common, private = await admin.engine(), await admin.engine(pool="gpu")
    hers = await alice.engine(pool="alice")
    seen = {name: {one["id"] for one in await person("GET", "/engine-instances")} for name, person in (
        ("admin", admin), ("alice", alice), ("bob", bob)
    )}  # fmt: skip
    assert seen == {
        "admin": {common.id, private.id, hers.id},
        "alice": {common.id, hers.id},
        "bob": {common.id},
    }
    lanes = {lane["lane"] for lane in (await bob("GET", "/engine-instances/health"))["lanes"]}
    assert lanes == {"actor"}
    # The holder of the installation's token may send any of them away.
    await admin("PUT", f"/engine-instances/{hers.id}/heartbeat", {"status": "draining"})
    await admin("DELETE", f"/engine-instances/{hers.id}", status=204)


async def test_the_page_shows_what_is_ones_own(http: httpx.AsyncClient, alice: Person, bob: Person) -> None:
    await alice("POST", "/templates/scenarios", SCENARIO, 201)
    await alice("POST", "/runs", {"scenario": "doors", "pool": "alice-home"}, 201)
    for person, there in ((alice, True), (bob, False)):
        page = await http.get("/", auth=("me", person.token))
        assert page.status_code == 200
        assert ("alice-home" in page.text, "doors" in page.text) == (there, there)


async def test_invariants_tell_others_numbers_only(alice: Person, admin: Person) -> None:
    assert set(await alice("GET", "/health/invariants")) == set(await admin("GET", "/health/invariants"))

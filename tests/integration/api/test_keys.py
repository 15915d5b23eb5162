"""Keys that people keep at the API: they go in, and come out with the lease that needs them only."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.api.person import Person

from pyscrai_api.app import create_app
from pyscrai_api.deps import Deps, open_deps
from pyscrai_api.errors import StartupError
from pyscrai_api.settings import Settings

ADMIN = "open-sesame"
KEY = "sk-plant-0123456789abcdefghijklmnop"
OWN = "https://models.example.org/v1"
PHRASE = "correct horse battery staple"
Service = tuple[Person, Deps]
Serve = Callable[..., AbstractAsyncContextManager[Service]]


@pytest.fixture
def serve(dsn: str) -> Serve:
    """The API with some settings; gives the holder of the installation's token."""

    @asynccontextmanager
    async def opened(**more: Any) -> AsyncIterator[Service]:
        settings = Settings(database_url=dsn, token=ADMIN, **more)
        async with open_deps(settings) as deps:
            transport = httpx.ASGITransport(create_app(settings, deps))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
                yield Person(http, ADMIN), deps

    return opened


@pytest.fixture
async def service(serve: Serve, tmp_path: Path) -> AsyncIterator[Service]:
    async with serve(data=tmp_path) as opened:
        yield opened


@pytest.fixture
def admin(service: Service) -> Person:
    return service[0]


async def post(person: Person, model: str = "openai:gpt-4o", lane: str = "actor") -> int:
    body = {"engine_type": lane, "data": {"prompt": "hello"}, "model": model}
    made = await person("POST", "/events", body, 201)
    return int(made["id"])


async def claim(engine: Person, **more: Any) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = await engine(
        "POST", "/events/claim", {"engine_id": engine.id, "max": 9, **more}, 200
    )
    return events


async def whole_database(deps: Deps) -> str:
    tables = await deps.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    rows = [await deps.pool.fetch(f'SELECT * FROM "{table["tablename"]}"') for table in tables]
    return str([dict(row) for found in rows for row in found])


async def test_what_is_kept_is_told_and_nothing_of_the_key(service: Service) -> None:
    admin, deps = service
    stored = await admin("PUT", "/keys/openai", {"key": KEY}, 200)
    listed = await admin("GET", "/keys", status=200)
    assert [(one["provider"], one["base_url"]) for one in listed] == [("openai", None)]
    assert listed == [stored]
    assert KEY not in json.dumps([stored, listed])
    assert KEY not in await whole_database(deps)


async def test_a_key_is_replaced_and_removed(admin: Person) -> None:
    for _ in range(2):
        await admin("PUT", "/keys/openai", {"key": KEY}, 200)
    assert len(await admin("GET", "/keys")) == 1
    await admin("DELETE", "/keys/openai", status=204)
    await admin("DELETE", "/keys/openai", status=404)
    assert await admin("GET", "/keys") == []


@pytest.mark.parametrize(
    ("provider", "body", "status"),
    [
        ("rehearsal", {"key": KEY}, 404),
        ("nobody", {"key": KEY}, 404),
        ("openai", {}, 400),
        ("openai", {"key": ""}, 400),
        ("openai", {"key": "  "}, 400),
        ("openai", {"key": f"{KEY}\n{KEY}"}, 400),
        ("openai", {"key": f"{KEY}é"}, 400),
        ("openai", {"key": KEY * 200}, 400),
        ("openai", {"key": [KEY]}, 400),
        ("openai", {"key": KEY, "base_url": OWN}, 400),
        ("openai-like", {"key": KEY}, 400),
        ("openai-like", {"key": KEY, "base_url": "models.example.org"}, 400),
        ("openai-like", {"key": KEY, "base_url": f"{OWN}#gpt"}, 400),
        ("openai-like", {"key": KEY, "base_url": "https://u:p@models.example.org/v1"}, 400),
    ],
)
async def test_what_is_refused_is_not_repeated(admin: Person, provider: str, body: Any, status: int) -> None:
    refused = await admin("PUT", f"/keys/{provider}", body, status)
    assert KEY not in json.dumps(refused)
    assert await admin("GET", "/keys") == []


async def test_the_key_comes_with_the_lease_that_needs_it(admin: Person) -> None:
    await admin("PUT", "/keys/openai", {"key": KEY})
    engine = await admin.engine()
    needs = [await post(admin), await post(admin, "gpt-4o-mini")]
    others = [await post(admin, model) for model in ("rehearsal", "anthropic:claude-3-haiku", "openai/gpt-4o")]
    keys = {event["id"]: event["key"] for event in await claim(engine)}
    assert keys == {**dict.fromkeys(needs, KEY), **dict.fromkeys(others)}


async def test_a_key_for_ones_own_server_goes_to_no_other(admin: Person) -> None:
    await admin("PUT", "/keys/openai-like", {"key": KEY, "base_url": OWN + "/"})
    engine = await admin.engine()
    right, wrong = await post(admin, f"{OWN}#small"), await post(admin, "https://evil.example/v1#small")
    keys = {event["id"]: event["key"] for event in await claim(engine)}
    assert keys == {right: KEY, wrong: None}
    await admin("DELETE", "/keys/openai-like", status=204, base_url=OWN)


async def test_who_does_not_show_the_engines_token_gets_no_key(service: Service) -> None:
    admin, deps = service
    await admin("PUT", "/keys/openai", {"key": KEY})
    engine = await admin.engine()
    await post(admin)
    assert KEY not in json.dumps(await admin("GET", "/events/queue/actor"))
    named = await admin("POST", "/events/claim", {"engine_id": engine.id, "claim_id": "mine"}, 200)
    assert [event["key"] for event in named] == [None]
    # The same claim, repeated by the engine itself.
    assert [event["key"] for event in await claim(engine, claim_id="mine")] == [KEY]
    again = await admin("GET", "/events/queue/actor", engine_id=engine.id)
    assert KEY not in json.dumps(again)
    assert KEY not in await whole_database(deps)


async def test_without_tokens_only_an_engine_that_shows_its_own_gets_keys(service: Service) -> None:
    admin, deps = service
    await admin("PUT", "/keys/openai", {"key": KEY})
    engine = await admin.engine()
    await post(admin)
    transport = httpx.ASGITransport(create_app(replace(deps.settings, token=None), deps))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
        bare = await http.post("/api/v1/events/claim", json={"engine_id": engine.id, "claim_id": "mine"})
        assert [event["key"] for event in bare.json()] == [None]
        shown = await claim(Person(http, engine.token, engine.id), claim_id="mine")
        assert [event["key"] for event in shown] == [KEY]


async def test_everybody_has_their_own_and_engines_of_others_get_none(admin: Person) -> None:
    alice, bob = await admin.add("alice"), await admin.add("bob")
    await alice("PUT", "/keys/openai", {"key": f"{KEY}-alice"})
    await bob("PUT", "/keys/openai", {"key": f"{KEY}-bob"})
    common, hers = await admin.engine(), await alice.engine(pool="alice")
    events = {await post(who): who for who in (alice, bob, admin)}
    keys = {events[event["id"]]: event["key"] for event in await claim(common)}
    assert keys == {alice: f"{KEY}-alice", bob: f"{KEY}-bob", admin: None}
    # What the installation itself puts into her pool runs there, without a key of its own.
    await admin("PUT", "/keys/openai", {"key": KEY})
    ids = [await post(admin, lane="actor:alice"), await post(alice, lane="actor:alice")]
    assert {event["id"]: event["key"] for event in await claim(hers)} == {ids[0]: None, ids[1]: f"{KEY}-alice"}


async def test_with_neither_secret_nor_folder_nothing_is_stored(serve: Serve) -> None:
    async with serve() as (admin, deps):
        refused = await admin("PUT", "/keys/openai", {"key": KEY}, 409)
        assert "PYSCRAI_SECRET" in refused["detail"]
        assert KEY not in json.dumps(refused)
        assert await deps.pool.fetchval("SELECT count(*) FROM model_keys") == 0


async def test_a_weak_secret_keeps_the_service_from_starting(serve: Serve) -> None:
    with pytest.raises(StartupError, match="PYSCRAI_SECRET") as refused:
        async with serve(secret="weakling"):
            raise AssertionError("it must not start")
    assert "weakling" not in str(refused.value)


async def test_with_another_secret_the_event_fails_and_says_what_to_do(serve: Serve) -> None:
    async with serve(secret=PHRASE) as (admin, _):
        await admin("PUT", "/keys/openai", {"key": KEY})
    async with serve(secret=f"another {PHRASE}") as (admin, deps):
        engine = await admin.engine()
        stuck, fine = await post(admin), await post(admin, "rehearsal")
        assert [event["id"] for event in await claim(engine)] == [fine]
        dead = await admin("GET", f"/events/{stuck}")
        assert dead["state"] == "dead"
        assert "pyscrai keys set openai" in dead["error"]
        assert KEY not in await whole_database(deps)
        await admin("PUT", "/keys/openai", {"key": KEY})
        await admin("POST", f"/events/{stuck}/retry")
        assert [event["key"] for event in await claim(engine)] == [KEY]


async def test_a_new_secret_takes_over_and_the_former_can_go(serve: Serve) -> None:
    async with serve(secret=PHRASE) as (admin, _):
        await admin("PUT", "/keys/openai", {"key": KEY})
        told = await admin("GET", "/keys")
    async with serve(secret=f"another {PHRASE},{PHRASE}") as (admin, _):
        assert await admin("GET", "/keys") == told
    async with serve(secret=f"another {PHRASE}") as (admin, _):
        engine = await admin.engine()
        await post(admin)
        assert [event["key"] for event in await claim(engine)] == [KEY]


async def test_a_ciphertext_in_somebody_elses_row_does_not_open(service: Service) -> None:
    admin, deps = service
    alice = await admin.add("alice")
    await admin("PUT", "/keys/openai", {"key": KEY})
    await deps.pool.execute("INSERT INTO model_keys SELECT 'alice', variable, ciphertext FROM model_keys")
    engine = await admin.engine()
    event = await post(alice)
    assert await claim(engine) == []
    assert (await alice("GET", f"/events/{event}"))["state"] == "dead"


async def test_two_processes_that_make_the_secret_at_once_make_one(serve: Serve, tmp_path: Path) -> None:
    async with serve(data=tmp_path) as (one, _), serve(data=tmp_path) as (two, _):
        await one("PUT", "/keys/openai", {"key": KEY})
        await two("PUT", "/keys/groq", {"key": f"{KEY}-groq"})
        engine = await two.engine()
        await post(two), await post(two, "groq:llama-3.1-8b-instant")
        assert [event["key"] for event in await claim(engine)] == [KEY, f"{KEY}-groq"]


async def reserve(engine: Person, event: dict[str, Any]) -> str:
    call = {
        "event_id": event["id"], "lease_no": event["lease_no"], "call": 1, "model": event["model"]["id"],
        "input_bound": 100, "max_tokens": 100, "request_hash": "h",
    }  # fmt: skip
    (grant,) = await engine("POST", "/events/reserve", {"engine_id": engine.id, "calls": [call]}, 200)
    return str(grant["state"])


def too_many(event: dict[str, Any]) -> dict[str, Any]:
    place = {"event_id": event["id"], "lease_no": event["lease_no"], "call": 1}
    return place | {"usage": {}, "error": "429: slow down", "retry_after": 300}


async def test_a_worn_out_key_slows_nobody_but_its_owner(service: Service) -> None:
    admin, deps = service
    alice, bob = await admin.add("alice"), await admin.add("bob")
    await alice("PUT", "/keys/openai", {"key": KEY})
    engine = await admin.engine()
    owners = {await post(who): who for who in (alice, alice, bob, admin)}
    events: dict[Person, list[dict[str, Any]]] = {}
    for event in await claim(engine):
        events.setdefault(owners[event["id"]], []).append(event)
    first, second = events[alice]
    assert await reserve(engine, first) == "granted"
    await engine("PUT", "/events/status", {"engine_id": engine.id, "calls": [too_many(first)]}, 200)
    assert await reserve(engine, second) == "rate_limited"
    assert [await reserve(engine, events[who][0]) for who in (bob, admin)] == ["granted"] * 2

    def shown(found: list[dict[str, Any]]) -> list[tuple[str, str | None, bool]]:
        return [(each["name"], each["key_of"], each["blocked_for"] > 0) for each in found]

    assert shown(await alice("GET", "/providers")) == [("openai", None, False), ("openai", "alice", True)]
    assert shown(await bob("GET", "/providers")) == [("openai", None, False)]
    assert "asked for a break" in (await alice("GET", f"/events/{second['id']}"))["error"]
    page = (await deps.metrics.page()).decode()
    assert 'pyscrai_provider_open_calls{provider="openai"} 2.0' in page
    assert "alice" not in page


async def test_calls_of_a_persons_engine_are_counted_by_themselves(admin: Person) -> None:
    """It shows her key, from wherever she has it, and never the installation's."""
    alice = await admin.add("alice")
    common, hers = await admin.engine(), await alice.engine(pool="alice")
    await post(alice, lane="actor:alice"), await post(alice)
    (of_hers,), (of_common,) = await claim(hers), await claim(common)
    assert [await reserve(hers, of_hers), await reserve(common, of_common)] == ["granted"] * 2
    open_calls = {each["key_of"]: each["open_calls"] for each in await admin("GET", "/providers")}
    assert open_calls == {None: 1, "alice": 1}


async def test_nobody_elses_engine_says_what_a_call_cost(service: Service) -> None:
    """Nor that its provider wants a break: it would stop everybody."""
    admin, deps = service
    alice, bob = await admin.add("alice"), await admin.add("bob")
    common, hers = await admin.engine(), await alice.engine(pool="alice")
    await post(bob)
    (event,) = await claim(common)
    assert await reserve(common, event) == "granted"
    state = "SELECT state FROM calls"
    await hers("PUT", "/events/status", {"engine_id": hers.id, "calls": [too_many(event)]}, 200)
    assert await deps.pool.fetchval(state) == 1
    assert [each["blocked_for"] for each in await admin("GET", "/providers")] == [0]
    await common("PUT", "/events/status", {"engine_id": common.id, "calls": [too_many(event)]}, 200)
    assert await deps.pool.fetchval(state) == 2
    # Who had the lease is believed, whoever it is: the installation may put its own work into her pool.
    await post(admin, lane="actor:alice")
    (lent,) = await claim(hers)
    assert await reserve(hers, lent) == "granted"
    handed = {"event_id": lent["id"], "lease_no": lent["lease_no"], "status": "handed_back"}
    await hers("PUT", "/events/status", {"engine_id": hers.id, "events": [handed]}, 200)
    await hers("PUT", "/events/status", {"engine_id": hers.id, "calls": [too_many(lent)]}, 200)
    assert await deps.pool.fetchval(f"{state} WHERE event_id = $1", lent["id"]) == 2

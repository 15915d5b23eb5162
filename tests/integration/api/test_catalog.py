"""Templates over HTTP: versions, names, archives, validation."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from pyscrai.domain.canonical import canonical, sha256
from pyscrai.domain.scenario import Scenario
from pyscrai_api.catalog import store
from pyscrai_api.deps import Deps
from pyscrai_api.errors import NotFound

ROOT = Path(__file__).parents[3]


def talk(**changes: Any) -> dict[str, Any]:
    seats = {"asker": {"role": "asks"}, "other": {"role": "answers"}}
    return {"name": "talk", "title": "A talk", "world": {"text": "A room."}, "seats": seats, **changes}


def kept(document: dict[str, Any]) -> dict[str, Any]:
    """A scenario as the catalog keeps it: with its format, and the order of its seats, which sorted keys would lose."""
    return Scenario.model_validate(document).content()


async def post(api: httpx.AsyncClient, content: dict[str, Any], type: str = "scenarios") -> dict[str, Any]:
    answer = await api.post(f"/api/v1/templates/{type}", json=content)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_document_is_kept_as_it_came_and_found_by_name_and_id(api: httpx.AsyncClient) -> None:
    made = await post(api, talk())
    assert (made["version"], made["latest"], made["owner"], made["visibility"]) == (1, 1, "local", "private")
    assert made["content"] == kept(talk())
    assert made["sha256"] == sha256(canonical(kept(talk())))
    for path in ("templates/scenarios/talk", f"templates/scenarios/{made['id']}", "scenarios/talk/"):
        assert (await api.get(f"/api/v1/{path}")).json()["content"] == kept(talk())


@pytest.mark.parametrize("path", ["/api/v1/scenarios", "/api/v1/scenarios/", "/api/scenarios", "/api/scenarios/"])
async def test_every_way_to_write_the_path(api: httpx.AsyncClient, path: str) -> None:
    assert (await api.post(path, json=talk())).status_code == 201
    assert [item["name"] for item in (await api.get(path)).json()["items"]] == ["talk"]


async def test_the_order_of_seats_is_kept(api: httpx.AsyncClient) -> None:
    seats = {"zoe": {"role": "first"}, "adam": {"role": "second"}}
    made = await post(api, talk(seats=seats))
    read = (await api.get("/api/v1/scenarios/talk")).json()
    assert list(Scenario.model_validate(read["content"]).seats) == list(seats)
    turned = dict(reversed(seats.items()))
    assert (await api.put("/api/v1/scenarios/talk", json=talk(seats=turned))).json()["sha256"] != made["sha256"]


async def test_an_envelope_names_the_document(api: httpx.AsyncClient) -> None:
    content = {key: value for key, value in talk().items() if key != "name"}
    body = {"name": "other", "content": content, "visibility": "shared"}
    made = (await api.post("/api/v1/scenarios", json=body)).json()
    assert (made["name"], made["content"]["name"], made["visibility"]) == ("other", "other", "shared")


async def test_two_names_are_one_too_many(api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/v1/scenarios", json={"name": "other", "content": talk()})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/name")


async def test_a_name_is_taken_once_even_by_the_same_document(api: httpx.AsyncClient) -> None:
    await post(api, talk())
    again = await api.post("/api/v1/scenarios", json=talk())
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_many_at_once_get_one_name(api: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(api.post("/api/v1/scenarios", json=talk()) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_an_update_is_a_new_version_and_the_old_one_stays(api: httpx.AsyncClient) -> None:
    await post(api, talk())
    second = (await api.put("/api/v1/scenarios/talk", json=talk(title="Another talk"))).json()
    assert (second["version"], second["title"]) == (2, "Another talk")
    same = await api.put("/api/v1/scenarios/talk", json=talk(title="Another talk"))
    assert (same.status_code, same.json()["version"]) == (200, 2)
    first = (await api.get("/api/v1/scenarios/talk", params={"version": 1})).json()
    assert (first["version"], first["latest"], first["content"]) == (1, 2, kept(talk()))
    missing = await api.get("/api/v1/scenarios/talk", params={"version": 3})
    assert (missing.status_code, "latest is 2" in missing.json()["detail"]) == (404, True)


async def test_versions_have_no_gaps_when_many_write(api: httpx.AsyncClient) -> None:
    await post(api, talk())
    titles = [f"title {number}" for number in range(8)]
    answers = await asyncio.gather(*(api.put("/api/v1/scenarios/talk", json=talk(title=title)) for title in titles))
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 10))


async def test_names_do_not_change(api: httpx.AsyncClient) -> None:
    made = await post(api, talk())
    assert (await api.put(f"/api/v1/scenarios/{made['id']}", json=talk(name="else"))).status_code == 409
    unnamed = {key: value for key, value in talk(title="T").items() if key != "name"}
    assert (await api.put(f"/api/v1/scenarios/{made['id']}", json=unnamed)).json()["content"]["name"] == "talk"


async def test_archived_names_leave_the_lists_and_come_back_by_put(api: httpx.AsyncClient, shared: Deps) -> None:
    made = await post(api, talk())
    assert (await api.delete("/api/v1/scenarios/talk")).status_code == 204
    assert (await api.delete("/api/v1/scenarios/talk")).status_code == 404
    assert (await api.get("/api/v1/scenarios/talk")).status_code == 404
    assert (await api.get("/api/v1/scenarios")).json()["items"] == []
    assert (await api.get(f"/api/v1/scenarios/{made['id']}")).json()["archived"] is True
    async with shared.pool.acquire() as connection:
        with pytest.raises(NotFound):
            await store.resolve(connection, "scenarios", "talk")
    back = (await api.put("/api/v1/scenarios/talk", json=talk())).json()
    assert (back["version"], back["archived"]) == (1, False)


async def test_what_is_not_there(api: httpx.AsyncClient) -> None:
    for method in ("GET", "PUT", "DELETE"):
        body = talk() if method == "PUT" else None
        for name in ("talk", "01a1f7d6-dc42-764d-a62a-43ecd5471cc7"):
            answer = await api.request(method, f"/api/v1/scenarios/{name}", json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert (await api.get("/api/v1/templates/recipes")).status_code == 404


async def test_mistakes_come_with_pointers_and_hints(api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/v1/scenarios", json=talk(seats={"asker": {"gols": ["x"]}, "b": {"role": "r"}}))
    assert answer.headers["content-type"] == "application/problem+json"
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["pointer"], error["hint"]) == (400, "/seats/asker/gols", 'did you mean "goals"?')


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"text"', b'{"a": 1, "a": 2}', b"\xff{}", b"[" * 100_000, b'{"name": "x", "n": NaN}']
)
async def test_a_body_that_is_not_a_document(api: httpx.AsyncClient, body: bytes) -> None:
    answer = await api.post("/api/v1/templates/agents", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


async def test_text_that_postgresql_refuses_is_cleaned(api: httpx.AsyncClient) -> None:
    body = json.dumps({"name": "odd", "text": "a\x00b\ud83d", "big": 2**60, "zero": -0.0})
    answer = await api.post("/api/v1/templates/agents", content=body, headers={"content-type": "application/json"})
    content = answer.json()["content"]
    assert (content["text"], float(content["big"]), content["zero"]) == ("a\ufffdb\ufffd", float(2**60), 0)


async def test_pages_join_without_gaps(api: httpx.AsyncClient) -> None:
    names = [f"agent-{number}" for number in range(7)]
    for name in reversed(names):
        await post(api, {"name": name}, "agents")
    seen: list[str] = []
    after = None
    while True:
        params = {"limit": 3} | ({"after": after} if after else {})
        page = (await api.get("/api/v1/templates/agents", params=params)).json()
        seen += [item["name"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == names
    assert (await api.get("/api/v1/templates/agents", params={"after": "nobody"})).status_code == 404
    assert (await api.get("/api/v1/templates/agents", params={"limit": 0})).status_code == 400


async def test_one_list_over_all_types(api: httpx.AsyncClient) -> None:
    await post(api, talk())
    types = [item["type"] for item in (await api.get("/api/v1/templates")).json()["items"]]
    assert {"event-types", "scenarios"} <= set(types)
    assert types == sorted(types)
    only = (await api.get("/api/v1/templates", params={"type": "scenarios"})).json()["items"]
    assert [item["name"] for item in only] == ["talk"]


async def test_one_s_own_comes_before_the_built_in(api: httpx.AsyncClient, shared: Deps) -> None:
    builtin = (await api.get("/api/v1/templates/event-types/decide")).json()
    assert (builtin["owner"], builtin["visibility"]) == ("builtin", "shared")
    for method in ("PUT", "DELETE"):
        answer = await api.request(method, "/api/v1/templates/event-types/decide", json=builtin["content"])
        assert answer.status_code == 403
    own = await post(api, {**builtin["content"], "title": "My own"}, "event-types")
    async with shared.pool.acquire() as connection:
        assert (await store.resolve(connection, "event-types", "decide")).title == "My own"
        assert (await store.resolve(connection, "event-types", "decide", owner="eve")).title == builtin["title"]
        assert (await store.resolve(connection, "event-types", builtin["id"])).title == builtin["title"]
        with pytest.raises(NotFound):
            await store.resolve(connection, "event-types", own["id"], owner="eve")
    await api.delete("/api/v1/templates/event-types/decide")
    assert (await api.get("/api/v1/templates/event-types/decide")).json()["owner"] == "builtin"


async def test_pins_are_versions_and_stay(api: httpx.AsyncClient, shared: Deps) -> None:
    await post(api, talk())
    async with shared.pool.acquire() as connection:
        first = await store.resolve(connection, "scenarios", "talk")
        await api.put("/api/v1/scenarios/talk", json=talk(title="New"))
        assert (await store.by_version(connection, first.version_id)) == first
        assert (await store.resolve(connection, "scenarios", "talk")).version == 2
        assert (await store.resolve(connection, "scenarios", "talk@1")) == first
        assert (await store.resolve(connection, "scenarios", first.template_id, 1)) == first
        assert first.canonical == canonical(kept(talk()))
        for wrong in ("talk@7", "walk", "talk@0"):
            with pytest.raises(NotFound):
                await store.resolve(connection, "scenarios", wrong)
        with pytest.raises(NotFound):
            await store.by_version(connection, first.template_id)


@pytest.mark.parametrize("document", ["scenario", "event-type", "agent", "entry"])
async def test_schemas_are_published(api: httpx.AsyncClient, document: str) -> None:
    schema = (await api.get(f"/api/v1/schemas/{document}")).json()
    assert schema == json.loads((ROOT / f"docs/schemas/{document}.json").read_text())
    assert (await api.get("/api/v1/schemas/recipe")).status_code == 404


async def test_the_interface_describes_itself(api: httpx.AsyncClient) -> None:
    described = (await api.get("/api/v1/openapi.json")).json()
    assert {"/api/v1/templates/{type}", "/api/v1/scenarios/{name}", "/healthz"} <= set(described["paths"])

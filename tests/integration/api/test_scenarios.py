"""Scenarios as seed 000's clients post them: name, configuration in its own dialect, history; found by any name."""

from __future__ import annotations

from typing import Any

import httpx

PERMIT: dict[str, Any] = {
    "metadata": {"id": "Harbour_Permit.V2", "title": "A permit for the harbour crane", "tags": ["permits"]},
    "scenario": {"background": "A crane has to stand on the quay by spring.", "challenges": ["The quay is listed."]},
    "agents": [
        {
            "agentId": "Applicant",
            "principal": {"type": "organization", "name": "Quay Works", "description": "builds cranes"},
            "situation": "The order is signed.",
            "systemPrompt": "You ask for the permit.",
            "goals": ["Get the permit before March"],
            "knowledgeBase": {"height": "38 m"},
            "tools": [],
            "favouriteColour": "blue",
        },
        {
            "agentId": "Officer",
            "principal": {"type": "organization", "name": "Harbour Office", "description": "guards the quay"},
            "situation": "There is a line of applications.",
            "systemPrompt": "You decide about permits.",
            "goals": ["Keep the skyline"],
            "knowledgeBase": {},
            "tools": [],
        },
    ],
}
HISTORY = [{"role": "user", "content": "make it a harbour"}, {"role": "assistant", "content": "done"}]


async def post(api: httpx.AsyncClient, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
    answer = await api.post("/api/scenarios", json=body)
    assert answer.status_code == status, answer.text
    made: dict[str, Any] = answer.json()
    return made


def named(**changes: Any) -> dict[str, Any]:
    return {"name": "Crane permit, second draft", "config": PERMIT, **changes}


async def test_a_configuration_is_answered_as_it_was_posted(api: httpx.AsyncClient) -> None:
    made = await post(api, named(history=HISTORY))
    assert (made["name"], made["template"], made["title"]) == (
        "Crane permit, second draft",
        "harbour_permit.v2",
        "A permit for the harbour crane",
    )
    assert made["config"] == PERMIT
    assert made["history"] == HISTORY
    assert isinstance(made["created"], int)
    assert made["modified"] >= made["created"]
    assert list(made["content"]["seats"]) == ["applicant", "officer"]
    assert "/config/agents/0/favouriteColour" in [item["pointer"] for item in made["warnings"]]
    listed = (await api.get("/api/scenarios")).json()["items"]
    assert [(item["name"], item["config"], item["history"]) for item in listed] == [(made["name"], PERMIT, HISTORY)]
    assert (await api.get("/api/v1/templates/scenarios/harbour_permit.v2")).json()["name"] == "harbour_permit.v2"


async def test_it_is_found_by_id_by_name_and_by_the_documents_own_id(api: httpx.AsyncClient) -> None:
    made = await post(api, named())
    for name in (made["id"], "harbour_permit.v2", "Harbour_Permit.V2", "Crane permit, second draft"):
        found = await api.get(f"/api/v1/scenarios/{name}")
        assert (found.status_code, found.json().get("id")) == (200, made["id"]), name
        run = await api.post("/api/v1/runs", json={"scenario": name})
        assert (run.status_code, run.json()["scenario"]["id"]) == (201, made["id"]), name
    assert (await api.get("/api/v1/scenarios/harbour")).status_code == 404


async def test_a_bare_configuration_is_taken_too(api: httpx.AsyncClient) -> None:
    made = await post(api, PERMIT)
    assert (made["name"], made["history"], made["config"]) == ("harbour_permit.v2", [], PERMIT)
    assert "/agents/0/favouriteColour" in [item["pointer"] for item in made["warnings"]]
    assert (await post(api, named(), 409))["code"] == "conflict"


async def test_our_own_format_in_an_envelope(api: httpx.AsyncClient) -> None:
    seats = {"zoe": {"role": "asks"}, "adam": {"role": "answers"}}
    made = await post(api, {"name": "Two friends", "config": {"seats": seats}})
    assert (made["name"], made["template"], list(made["config"]["seats"])) == ("Two friends", "two-friends", [*seats])
    assert (await post(api, {"name": "Bad", "config": {"seats": {"zoe": {"rol": "asks"}}}}, 400))["errors"][0][
        "pointer"
    ] == "/config/seats/zoe/rol"


async def test_what_is_refused(api: httpx.AsyncClient) -> None:
    broken = {**PERMIT, "agents": []}
    for body, pointer in [
        ({"name": "no configuration"}, "/config"),
        ({"name": "x", "config": "text"}, "/config"),
        ({"name": " ", "config": PERMIT}, "/name"),
        (named(name=5), "/name"),
        (named(history={}), "/history"),
        (named(visibility="secret"), "/visibility"),
        (named(config=broken), "/config"),
    ]:
        problem = await post(api, body, 400)
        assert problem["errors"][0]["pointer"].startswith(pointer), problem
    assert (await api.get("/api/v1/scenarios")).json()["items"] == []


async def test_each_part_can_be_changed_by_itself(api: httpx.AsyncClient) -> None:
    made = await post(api, named())
    path = f"/api/v1/scenarios/{made['id']}"
    renamed = (await api.put(path, json={"name": "Crane permit, final"})).json()
    assert (renamed["name"], renamed["version"], renamed["config"]) == ("Crane permit, final", 1, PERMIT)
    assert renamed["modified"] >= made["modified"]
    told = (await api.patch(path, json={"history": HISTORY})).json()
    assert (told["history"], told["name"], told["version"]) == (HISTORY, "Crane permit, final", 1)
    other = {**PERMIT, "metadata": {**PERMIT["metadata"], "title": "A permit, reworded"}}
    second = (await api.put(path, json={"config": other})).json()
    assert (second["version"], second["config"], second["history"]) == (2, other, HISTORY)
    first = (await api.get(path, params={"version": 1})).json()
    assert (first["config"], first["title"]) == (PERMIT, "A permit for the harbour crane")
    same = (await api.put(path, json={"config": other})).json()
    assert same["version"] == 2
    elsewhere = {**PERMIT, "metadata": {**PERMIT["metadata"], "id": "another"}}
    assert (await api.put(path, json={"config": elsewhere})).status_code == 409
    assert (await api.put("/api/v1/scenarios/nothing", json={"name": "x"})).status_code == 404


async def test_a_document_without_an_id_keeps_its_name_when_its_title_changes(api: httpx.AsyncClient) -> None:
    untitled = {**PERMIT, "metadata": {"title": "Cranes"}}
    made = await post(api, untitled)
    retitled = {**PERMIT, "metadata": {"title": "Cranes and quays"}}
    changed = await api.put(f"/api/v1/scenarios/{made['id']}", json={"config": retitled})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["template"], changed.json()["version"]) == (made["template"], 2)


async def test_deleting_takes_it_out_of_every_look_up(api: httpx.AsyncClient) -> None:
    await post(api, named())
    assert (await api.delete("/api/scenarios/Harbour_Permit.V2/")).status_code == 204
    for name in ("Harbour_Permit.V2", "harbour_permit.v2"):
        assert (await api.get(f"/api/v1/scenarios/{name}")).status_code == 404
        assert (await api.post("/api/v1/runs", json={"scenario": name})).status_code == 404


async def test_an_idempotency_key_makes_one_scenario(api: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "once"}
    first, second = [await api.post("/api/v1/scenarios", json=named(), headers=headers) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()

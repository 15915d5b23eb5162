"""PyScrAI's own templates over HTTP: agents, event types and scenarios that cast them."""

from __future__ import annotations

from typing import Any

import httpx

POET: dict[str, Any] = {
    "name": "The Poet",
    "description": "Sees more than there is.",
    "engine_type": "actor",
    "personality_config": {"role": "Poet", "backstory": "Walks at night.", "goals": ["Find the word"]},
    "llm_config": {"provider": "openai", "model_id": "gpt-4o-mini", "temperature": 0.9},
    "runtime_overrides": {"llm_config": {"temperature": "forbidden"}},
}


def _step(source: str, target: str, trigger: str) -> dict[str, Any]:
    return {"type": "agent_message", "source": source, "target": target, "conditions": {"trigger": trigger}}


WALK: dict[str, Any] = {
    "name": "A walk by the river",
    "description": "Two poets meet.",
    "config": {"max_turns": 3},
    "agent_roles": {
        "first": {"template_name": "The Poet", "engine_type": "actor", "required": True},
        "second": {"template_name": "The Poet", "engine_type": "actor", "required": True},
    },
    "event_flow": {
        "greet": _step("first", "second", "scenario_start"),
        "reply": _step("second", "first", "greet_complete"),
    },
}


async def post(api: httpx.AsyncClient, path: str, body: dict[str, Any], status: int = 201) -> dict[str, Any]:
    answer = await api.post(f"/api/v1/{path}", json=body)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_agent_is_converted_and_kept_as_it_came(api: httpx.AsyncClient) -> None:
    made = await post(api, "templates/agents", POET)
    assert (made["name"], made["content"]["format"], made["source"]) == ("the-poet", "pyscrai/agent@1", POET)
    for name in ("the-poet", "The Poet", made["id"]):
        assert (await api.get(f"/api/v1/templates/agents/{name}")).json()["source"] == POET
    changed = {**POET, "description": "Sees less."}
    again = await api.put("/api/v1/templates/agents/The Poet", json=changed)
    assert (again.status_code, again.json()["version"], again.json()["source"]) == (200, 2, changed)
    assert (await post(api, "templates/agents", POET, 409))["code"] == "conflict"


async def test_a_scenario_casts_agents_of_the_catalog(api: httpx.AsyncClient) -> None:
    problem = await post(api, "scenarios/", WALK, 400)
    assert problem["errors"][0]["pointer"].startswith("/agent_roles/first")
    await post(api, "templates/agents", POET)
    made = await post(api, "scenarios/", WALK)
    assert (made["template"], made["config"]) == ("a-walk-by-the-river", WALK)
    assert list(made["content"]["seats"]) == ["first", "second"]
    assert made["content"]["seats"]["first"]["model"] == "openai:gpt-4o-mini"
    agents = [{"id": "first", "config": {"temperature": 0.1}}]
    refused = await post(api, "conversations", {"scenarioId": "A walk by the river", "agents": agents}, 400)
    assert refused["errors"][0]["pointer"] == "/agents/0/config/temperature"
    run = await post(api, "runs", {"scenario": "A walk by the river", "choices": {"model": "rehearsal"}})
    assert run["seats"] == ["first", "second"]


async def test_an_event_type_is_converted(api: httpx.AsyncClient) -> None:
    whisper = {
        "name": "whisper",
        "description": "Something said in a low voice.",
        "category": "communication",
        "data_schema": {"text": "string"},
        "is_core": False,
    }
    made = await post(api, "templates/event-types", whisper)
    assert (made["name"], made["content"]["format"]) == ("whisper", "pyscrai/event-type@1")
    assert made["source"] == whisper


async def test_what_does_not_belong_where_it_was_posted(api: httpx.AsyncClient) -> None:
    problem = await post(api, "scenarios", POET, 400)
    assert "agent" in problem["errors"][0]["message"]

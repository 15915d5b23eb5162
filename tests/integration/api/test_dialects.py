"""PyScrAI's own templates over HTTP: agents, event types and scenarios that cast them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from tests.conftest import ROOT

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


SAMPLES = ROOT.parent / "shared" / "samples"
samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not beside this checkout")


def sample(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SAMPLES / name).read_text("utf-8"))
    return found


@samples
@pytest.mark.parametrize("name", ["interop/infliximab-prior-auth.v2.json", "interop/knee-mri.v3.json"])
async def test_real_configurations_come_back_word_for_word(api: httpx.AsyncClient, name: str) -> None:
    config = sample(name)
    await post(api, "scenarios", {"name": "From elsewhere", "config": config})
    own = config["metadata"]["id"]
    assert (await api.get(f"/api/v1/scenarios/{own}")).json()["config"] == config
    agents = [{"id": agent["agentId"], "config": {"model": "rehearsal"}} for agent in config["agents"]]
    made = await post(api, "conversations", {"scenarioId": own, "agents": agents})
    snapshot = (await api.get(f"/api/v1/conversations/{made['conversation']}")).json()
    assert snapshot["scenario"] == config
    assert snapshot["runtimeMeta"]["agents"] == agents


@samples
async def test_the_popes_vision(api: httpx.AsyncClient) -> None:
    for agent in ("P0-agent-pope_leo_xiii", "P1-agent-narrator", "P2-agent-generic_actor"):
        document = sample(f"pyscrai/{agent}.json")
        assert (await post(api, "templates/agents", document))["source"] == document
    for scenario in ("P0-scenario-supernatural_vision", "P2-scenario-generic_conversation"):
        document = sample(f"pyscrai/{scenario}.json")
        made = await post(api, "scenarios/", document)
        assert made["config"] == document
        run = await post(api, "runs", {"scenario": made["name"], "choices": {"model": "rehearsal"}})
        assert run["status"] == "running"

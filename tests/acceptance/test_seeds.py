"""Every HTTP request that the five seed documents print, sent as printed to a service in a process of its own.

Seed 001 prints none: it speaks of workflows.

What a later issue brings is a strict xfail that names it: when it comes, this file says so. Where the documents are at
hand (beside the checkout), a test reads them and holds this file to what they print.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.acceptance.fleet import ENGINES, Fleet, fleet, until
from tests.conftest import ROOT
from websockets.sync.client import connect

SEEDS = ROOT.parent / "shared" / "seeds"
PRINTED = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE|WS)`?[ |`]+(/api/[\w/{}?=,.-]+)")
SENT = re.compile(r'\("(GET|POST|PUT|PATCH|DELETE|WS)", "(/api/[^"]+)"')
"""A request as the tests below write it down, which is as the documents print it."""

SCENARIO: dict[str, Any] = {
    "metadata": {"id": "infliximab-pa", "title": "Prior authorization", "description": "Is the drug covered?"},
    "scenario": {"background": "A clinic asks an insurer for a costly drug.", "challenges": ["The trial was short."]},
    "agents": [
        {
            "agentId": "pa-specialist-rheum-clinic",
            "principal": {"type": "organization", "name": "The clinic", "description": "cares for the patient"},
            "situation": "The patient's joints are at risk.",
            "systemPrompt": "You ask for the authorization.",
            "goals": ["Obtain the authorization"],
            "knowledgeBase": {"trial": "five months"},
            "tools": [],
        },
        {
            "agentId": "pa-reviewer-healthfirst",
            "principal": {"type": "organization", "name": "HealthFirst", "description": "insures the patient"},
            "situation": "The policy asks for six months.",
            "systemPrompt": "You review the request.",
            "goals": ["Apply the policy fairly"],
            "knowledgeBase": {"policy": "six months"},
            "tools": [],
        },
    ],
}
PROGRAM = {
    "assets": [
        {
            "asset_id": "a1", "asset_type": "store", "market": "Leeds", "noi": 1.0, "book_value": 9.0,
            "criticality": 0.1, "leaseability_score": 0.9, "market_tier": 1,
        }
    ],
    "corporate_state": {"net_debt": 1.0, "ebitda": 1.0, "interest_expense": 0.1, "lease_expense": 0.1},
    "program_type": "slb",
    "program_description": "Raise a little",
    "floor_override": None,
    "max_leverage_override": None,
    "min_coverage_override": None,
}  # fmt: skip


def later(*request: str, issue: str) -> Any:
    return pytest.param(*request, marks=pytest.mark.xfail(strict=True, reason=issue), id=f"{request[0]} {request[1]}")


@pytest.fixture
def service(dsn: str, tmp_path: Path) -> Iterator[Fleet]:
    """The API; `hire` starts engines where a test needs them."""
    with fleet(dsn, tmp_path, engines=0) as running:
        yield running


def hire(service: Fleet) -> None:
    for engine in ENGINES:
        service.start(f"{engine}-1")


def call(service: Fleet, request: tuple[str, str], body: Any = None, **names: str) -> httpx.Response:
    method, path = request
    url = f"http://127.0.0.1:{service.port}{path.format(**names)}"
    return service.http.request(method, url, json=body, follow_redirects=False)


def small(service: Fleet) -> str:
    """A scenario of two short turns; returns its name."""
    seats = {"one": {"role": "asks"}, "two": {"role": "answers"}}
    document = {"name": "small", "seats": seats, "schedule": {"turns": 2, "phases": ["decision", "world_update"]}}
    made = call(service, ("POST", "/api/v1/scenarios/"), document)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


# ── seed 000: scenarios, conversations ───────────────────────────────────────────────────────────────────────────


def test_the_validation_script_of_seed_000(service: Fleet) -> None:
    """The script runs without an engine: nothing may need a model."""
    body = {"name": "Infliximab PA Template", "config": SCENARIO}
    made = call(service, ("POST", "/api/scenarios"), body)
    assert made.status_code == 201, made.text
    assert made.json()["config"] == SCENARIO
    wanted = {
        "scenarioId": SCENARIO["metadata"]["id"],
        "title": "PA for Sarah Jones (LLM: gpt-4o-mini)",
        "agents": [
            {"id": "pa-reviewer-healthfirst", "config": {"model": "gpt-4o-mini"}},
            {"id": "pa-specialist-rheum-clinic", "config": {"model": "claude-3-haiku"}},
        ],
    }
    created = call(service, ("POST", "/api/conversations"), wanted)
    assert created.status_code == 201, created.text
    conversation = created.json()["conversation"]
    assert isinstance(conversation, int)
    assert created.json()["title"] == wanted["title"]
    hydrated = call(service, ("GET", "/api/conversations/{id}"), id=str(conversation)).json()
    insurer = next(agent for agent in hydrated["scenario"]["agents"] if agent["agentId"] == "pa-reviewer-healthfirst")
    runtime = next(agent for agent in hydrated["runtimeMeta"]["agents"] if agent["id"] == "pa-reviewer-healthfirst")
    assert insurer["goals"] == ["Apply the policy fairly"]
    assert runtime["config"]["model"] == "gpt-4o-mini"
    assert (hydrated["conversation"], hydrated["status"]) == (conversation, "active")


def test_the_refusals_of_seed_000(service: Fleet) -> None:
    missing = call(service, ("POST", "/api/conversations"), {"title": "x"})
    assert (missing.status_code, missing.json()["detail"]) == (400, "scenarioId is required")
    unknown = call(service, ("POST", "/api/conversations"), {"scenarioId": "nowhere"})
    assert unknown.status_code == 404
    assert "nowhere" in unknown.json()["detail"]


def test_the_store_of_seed_000(service: Fleet) -> None:
    body = {"name": "A template", "config": SCENARIO, "history": [{"role": "user", "content": "hello"}]}
    item = call(service, ("POST", "/api/scenarios"), body).json()
    assert {"id", "name", "config", "history", "created", "modified"} <= item.keys()
    path = ("GET", "/api/scenarios/{id}")
    for wanted in (item["id"], "infliximab-pa"):
        assert call(service, path, id=wanted).json()["history"] == body["history"]
    changed = call(service, ("PUT", "/api/scenarios/{id}"), {"name": "Renamed", "config": SCENARIO}, id=item["id"])
    assert (changed.status_code, changed.json()["name"]) == (200, "Renamed")
    assert call(service, ("POST", "/api/scenarios"), body).status_code == 409
    assert call(service, ("POST", "/api/scenarios"), {"name": "x"}).status_code == 400
    assert call(service, ("DELETE", "/api/scenarios/{id}"), id=item["id"]).status_code == 204
    assert call(service, path, id="infliximab-pa").status_code == 404


# ── seed 002: running a scenario ─────────────────────────────────────────────────────────────────────────────────


def test_a_scenario_is_executed_watched_and_paused(service: Fleet) -> None:
    hire(service)
    scenario = small(service)
    body = {"end_turn": 2, "credit_limit": 5.0}
    started = call(service, ("POST", "/api/scenarios/{id}/execute"), body, id=scenario)
    assert started.status_code == 202, started.text
    assert started.json().keys() == {"run_id", "status"}
    run = started.json()["run_id"]
    _, path = ("WS", "/api/scenarios/{id}/stream")
    with connect(f"ws://127.0.0.1:{service.port}{path.format(id=scenario)}", proxy=None) as socket:
        entries = [json.loads(message) for message in socket]
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[-1]["kind"] == "run_complete"
    told = call(service, ("GET", "/api/scenarios/{id}/status"), id=scenario).json()
    assert (told["run_id"], told["status"], told["turn"]) == (run, "completed", 2)


def test_pause_and_resume(service: Fleet) -> None:
    scenario = small(service)
    run = call(service, ("POST", "/api/scenarios/{id}/execute"), {}, id=scenario).json()["run_id"]
    paused = call(service, ("POST", "/api/scenarios/{id}/pause"), id=scenario)
    assert (paused.status_code, paused.json()["status"], paused.json()["run_id"]) == (200, "paused", run)
    resumed = call(service, ("POST", "/api/scenarios/{id}/resume"), id=scenario)
    assert (resumed.status_code, resumed.json()["status"]) == (200, "running")
    hire(service)
    path = ("GET", "/api/scenarios/{id}/status")
    until("the end", lambda: call(service, path, id=scenario).json()["status"] == "completed")


def test_runs_are_listed_and_read(service: Fleet) -> None:
    scenario = small(service)
    run = call(service, ("POST", "/api/runs"), {"scenario": scenario}).json()
    listed = call(service, ("GET", "/api/runs")).json()["items"]
    assert [item["id"] for item in listed] == [run["id"]]
    for request in (("GET", "/api/runs/{id}"), ("GET", "/api/runs/{run_id}")):
        found = call(service, request, id=run["id"], run_id=run["id"])
        assert (found.status_code, found.json()["run_id"]) == (200, run["id"])
        # The fields that seed 004 adds, as a run has them that belongs to no set.
        fields = ("scenario_set_id", "scenario_label", "scenario_kind")
        assert [found.json()[field] for field in fields] == [None, "Single Scenario", None]


# ── seed 003: engines, events, templates ─────────────────────────────────────────────────────────────────────────


def test_the_endpoints_of_seed_003(service: Fleet) -> None:
    registration = {
        "engine_type": "ActorEngine".removesuffix("Engine"),
        "capabilities": ["dialogue"],
        "resource_limits": {"max_concurrent_events": 3, "memory_limit_mb": 512},
    }
    made = call(service, ("POST", "/api/v1/engine-instances/"), registration)
    assert (made.status_code, made.json()["status"], made.json()["engine_type"]) == (201, "active", "actor")
    engine = made.json()["id"]
    beat = {"status": "active", "current_workload": 0, "resource_utilization": {"cpu": 0.1}}
    answer = call(service, ("PUT", "/api/v1/engine-instances/{id}/heartbeat"), beat, id=engine)
    assert answer.status_code == 200, answer.text
    call(service, ("POST", "/api/v1/events"), {"engine_type": "actor", "data": {"prompt": "Speak."}})
    method, path = ("GET", "/api/v1/events/queue/{engine_type}")
    polled = call(service, (method, f"{path}?engine_id={engine}&limit=3"), engine_type="actor")
    event = polled.json()[0]
    assert (event["status"], event["data"]) == ("processing", {"prompt": "Speak."})
    done = {"status": "completed", "result": {"content": "Well met.", "error": None}}
    method, path = ("PUT", "/api/v1/events/{id}/status")
    finished = call(service, (method, f"{path}?engine_id={engine}"), done, id=str(event["id"]))
    assert (finished.status_code, finished.json()["status"]) == (200, "success")
    again = call(service, ("GET", "/api/v1/events/{id}"), id=str(event["id"])).json()
    assert (again["status"], again["result"]) == ("completed", done["result"])


def test_templates_and_scenarios_of_seed_003(service: Fleet) -> None:
    for kind in ("agents", "scenarios", "event-types"):
        found = call(service, ("GET", "/api/v1/templates/{type}"), type=kind)
        assert (found.status_code, isinstance(found.json()["items"], list)) == (200, True)
    assert small(service)


def test_a_person_decides_for_an_actor_of_seed_002(service: Fleet) -> None:
    choices = {"seats": {"one": {"human": True}}}
    run = call(service, ("POST", "/api/runs"), {"scenario": small(service), "choices": choices}).json()["id"]
    until("the question", lambda: service.get(f"/runs/{run}")["asks"])
    answer = call(service, ("POST", "/api/actors/{id}/decide"), {"action": "I ask."}, id="one")
    assert (answer.status_code, answer.json()["run_id"]) == (200, run)
    service.post(f"/runs/{run}/cancel")


def test_runs_of_seed_002_are_compared(service: Fleet) -> None:
    scenario = small(service)
    runs = [call(service, ("POST", "/api/runs"), {"scenario": scenario}).json()["id"] for _ in range(3)]
    names = {"id": runs[0], "id2": runs[1], "id3": runs[2]}
    answer = call(service, ("GET", "/api/runs/{id}/compare?other={id2},{id3}"), **names)
    assert answer.status_code == 200, answer.text
    assert [one["id"] for one in answer.json()["runs"]] == runs


# ── what a later issue brings ────────────────────────────────────────────────────────────────────────────────────

SETS = "a later issue: programs and scenario sets (seed 004)"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        later("POST", "/api/scenario_sets", issue=SETS),
        later("GET", "/api/scenario_sets", issue=SETS),
        later("GET", "/api/scenario_sets/{id}", issue=SETS),
    ],
)
def test_not_yet(service: Fleet, method: str, path: str) -> None:
    sets = {"brief": "Raise $10M", "base_request": PROGRAM, "num_scenarios": 3, "fund_id": "optional-fund-id"}
    answer = call(service, (method, path), sets if method == "POST" else None, id="one")
    assert answer.is_success, answer.text


@pytest.mark.xfail(strict=True, reason=SETS)
def test_a_program_is_not_run_yet(service: Fleet) -> None:
    answer = call(service, ("POST", "/api/runs"), PROGRAM)
    assert answer.status_code == 201, answer.text
    assert {"run_id", "status"} <= answer.json().keys()


def test_this_file_sends_all_that_the_documents_print() -> None:
    documents = sorted(SEEDS.glob("*.txt"))
    if not documents:
        pytest.skip("the seed documents are not beside this checkout")
    found = {request for document in documents for request in _requests(PRINTED, document)}
    assert len(found) >= 20
    assert found - _requests(SENT, Path(__file__)) == set()


def _requests(pattern: re.Pattern[str], file: Path) -> set[tuple[str, str]]:
    return {(method, path.rstrip("/")) for method, path in pattern.findall(file.read_text("utf-8"))}

"""What a template forbids a run to change is refused before anything runs, and also in the middle of a run."""

from __future__ import annotations

from typing import Any

from tests.integration.runs.desk import Desk, talks

RULES = {"llm_config": {"model_id": "forbidden", "temperature": "override_allowed"}}


def strict() -> dict[str, Any]:
    document = talks()
    return {**document, "extensions": {"pyscrai": {"overrides": {"board": RULES}}}}


async def test_a_forbidden_choice_is_refused(desk: Desk) -> None:
    name = await desk.scenario(strict())
    choices = {"seats": {"board": {"model": "scripted:x", "temperature": 0.5}}}
    problem = await desk.refused("POST", "/runs", {"scenario": name, "choices": choices})
    assert problem["status"] == 400
    assert [item["pointer"] for item in problem["errors"]] == ["/choices/seats/board/model"]
    problem = await desk.refused("POST", f"/scenarios/{name}/execute", {"models": "scripted:x"})
    assert [item["pointer"] for item in problem["errors"]] == ["/models"]
    models = {"board": "scripted:x", "nobody": "rehearsal"}
    problem = await desk.refused("POST", f"/scenarios/{name}/execute", {"models": models})
    assert [item["pointer"] for item in problem["errors"]] == ["/models/nobody", "/models/board"]
    agents = [{"id": "board", "config": {"model": "scripted:x"}}]
    problem = await desk.refused("POST", "/conversations", {"scenarioId": name, "agents": agents})
    assert [item["pointer"] for item in problem["errors"]] == ["/agents/0/config/model"]
    assert (await desk.ok("GET", "/runs"))["items"] == []


async def test_what_is_allowed_is_taken(desk: Desk) -> None:
    run = await desk.start(strict(), seats={"board": {"temperature": 0.5}})
    assert run["status"] == "running"
    problem = await desk.refused("POST", f"/runs/{run['id']}/resume", {"seats": {"board": {"model": "scripted:x"}}})
    assert [item["pointer"] for item in problem["errors"]] == ["/seats/board/model"]
    await desk.ok("POST", f"/runs/{run['id']}/resume", {"seats": {"board": {"temperature": 0.9}}})
    found = await desk.run(run)
    assert found["choices"]["seats"]["board"]["temperature"] == 0.9

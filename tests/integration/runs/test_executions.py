"""A scenario played by its name: its latest run by this user stands for it."""

from __future__ import annotations

from tests.integration.runs.desk import Desk, talks


async def test_execute_status_pause_resume(desk: Desk) -> None:
    name = await desk.scenario(talks())
    path = f"/scenarios/{name}"
    assert (await desk.refused("GET", f"{path}/status"))["status"] == 404
    first = await desk.http.post(f"/api{path}/execute", json={})
    assert first.status_code == 202
    wanted = {"end_turn": 1, "credit_limit": 0.25, "models": {"board": "rehearsal"}, "seed": 7}
    second = await desk.http.post(f"/api{path}/execute", json=wanted)
    assert (second.status_code, second.json().keys()) == (202, {"run_id", "status"})
    run = await desk.ok("GET", f"/runs/{second.json()['run_id']}")
    assert (run["turns"], run["limit"], run["seed"]) == (1, "0.2500000000", 7)
    assert run["choices"]["seats"]["board"]["model"] == "rehearsal"
    told = await desk.ok("GET", f"{path}/status")
    assert (told["run_id"], told["status"], told["scenario"]) == (run["id"], "running", name)
    assert (await desk.ok("POST", f"{path}/pause"))["status"] == "paused"
    assert (await desk.ok("GET", f"/runs/{first.json()['run_id']}"))["status"] == "running"
    assert (await desk.refused("POST", f"{path}/execute", {"end_turn": 0}))["status"] == 400
    assert (await desk.ok("POST", f"{path}/resume"))["status"] == "running"
    assert (await desk.play(run))["status"] == "completed"
    told = await desk.ok("GET", f"{path}/status")
    assert (told["status"], told["turn"], told["total_cost"]) == ("completed", 1, "0.0000000000")
    assert (await desk.refused("POST", f"{path}/resume"))["status"] == 409


async def test_a_body_is_not_needed_and_unknown_scenarios_are_404(desk: Desk) -> None:
    name = await desk.scenario(talks())
    assert (await desk.ok("POST", f"/scenarios/{name}/execute"))["status"] == "running"
    for method, what in [("POST", "execute"), ("GET", "status"), ("POST", "pause"), ("POST", "resume")]:
        assert (await desk.refused(method, f"/scenarios/nothing/{what}"))["status"] == 404


async def test_one_model_for_everybody(desk: Desk) -> None:
    name = await desk.scenario(talks())
    made = await desk.ok("POST", f"/scenarios/{name}/execute", {"models": "rehearsal", "credit_limit": "none"})
    run = await desk.ok("GET", f"/runs/{made['run_id']}")
    assert (run["choices"]["model"], run["limit"]) == ("rehearsal", None)
    problem = await desk.refused("POST", f"/scenarios/{name}/execute", {"models": {"board": ""}})
    assert problem["errors"][0]["pointer"] == "/models/board"
    for limit in (-1, 0.12345678901, "much", True):
        problem = await desk.refused("POST", f"/scenarios/{name}/execute", {"credit_limit": limit})
        assert {item["pointer"] for item in problem["errors"]} == {"/credit_limit"}

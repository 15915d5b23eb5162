"""Who could know what, patterns, and the timeline of a scenario, over HTTP."""

from __future__ import annotations

from typing import Any

from tests.integration.runs.desk import Desk

from pyscrai.domain.scenario import Scenario

STORY: dict[str, Any] = {
    "name": "well",
    "world": {"text": "A well."},
    "seats": {"ada": {"private": "the rope is rotten and will not hold"}, "bo": {}, "cy": {}},
    "communication": {"bilateral": True},
    "happenings": [{"name": "rain", "type": "scheduled", "turns": [2], "text": "It rains."}],
    "schedule": {"turns": 2, "phases": ["decision"]},
}


def says(event: dict[str, Any]) -> dict[str, Any]:
    """Ada tells Bo her secret in a letter of turn 1; nobody else writes."""
    if event["event_type"] != "letters":
        return {"reasoning": "-", "goals": [], "action": f"{event['seat']} waits."}
    letters = []
    if event["seat"] == "ada" and event["turn"] == 1 and event["data"]["round"] == 1:
        letters = [{"to": "bo", "text": "The rope is rotten and will not hold.", "closing": True}]
    return {"thought": "", "letters": letters}


async def played(desk: Desk) -> dict[str, Any]:
    run = await desk.start(Scenario.model_validate(STORY).content())
    await desk.play(run, says)
    return run


async def test_who_could_know_what_and_when(desk: Desk) -> None:
    run = await played(desk)
    log = (await desk.ok("GET", f"/runs/{run['id']}/log"))["items"]
    letter = next(entry for entry in log if entry["kind"] == "message")
    known = await desk.ok("GET", f"/runs/{run['id']}/knowledge", entry=letter["seq"])
    assert (known["everybody"], [one["seat"] for one in known["seats"]]) == (False, ["ada", "bo"])
    bo = await desk.ok("GET", f"/runs/{run['id']}/knowledge", seat="bo", turn=1)
    assert letter["seq"] in [entry["seq"] for entry in bo["entries"]]
    assert [(one["of"], one["name"], one["turn"]) for one in bo["secrets"]] == [("ada", "private", 1)]
    assert {entry["turn"] for entry in bo["entries"]} == {0, 1}
    before = await desk.ok("GET", f"/runs/{run['id']}/knowledge", seat="bo", at=letter["seq"] - 1)
    assert letter["seq"] not in [entry["seq"] for entry in before["entries"]]
    assert before["secrets"] == []
    cy = await desk.ok("GET", f"/runs/{run['id']}/knowledge", seat="cy", limit=1)
    assert len(cy["entries"]) == 1
    rest = await desk.ok("GET", f"/runs/{run['id']}/knowledge", seat="cy", after=cy["next"])
    assert "rotten" not in str(cy["entries"] + rest["entries"])
    assert rest["next"] is None
    for query, status in (("", 400), ("?seat=dora", 404), ("?entry=9999", 404), ("?seat=bo&entry=1", 400)):
        answer = await desk.http.get(f"/api/v1/runs/{run['id']}/knowledge{query}")
        assert answer.status_code == status, answer.text


async def test_patterns_and_timeline(desk: Desk) -> None:
    run = await played(desk)
    found = await desk.ok("GET", f"/runs/{run['id']}/patterns")
    assert [(link["source"], link["target"], link["letters"]) for link in found["links"]] == [("ada", "bo", 1)]
    assert [(point["turn"], point["what"]) for point in found["turning_points"]] == [(2, "rain")]
    line = await desk.ok("GET", "/scenarios/well/timeline", turns=5, seed=3)
    assert [(one["name"], one["sureness"], one["turns"]) for one in line["happenings"]] == [("rain", "certain", [2])]
    assert (await desk.http.get("/api/v1/scenarios/nowhere/timeline")).status_code == 404

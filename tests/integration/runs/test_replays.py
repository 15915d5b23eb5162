"""Replays and the cache, at the API: what a run is given in place of model calls."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.runs.desk import Desk, done, failed, reply, settled

from pyscrai.domain.canonical import canonical, normalise, sha256

LANES = ("actor", "narrator", "analyst")
PRICE = {"prices": {"gpt-4o-mini": {"input": "1", "output": "2"}}, "model": "gpt-4o-mini"}


def asked(event: dict[str, Any]) -> str:
    """The hash of what is asked: of the prompt, and of all that it is rendered with."""
    return sha256(canonical(normalise([event["prompt"], event["view"], event["data"]])))


async def turn_of_work(desk: Desk, sources: list[str | None] | None = None) -> list[dict[str, Any]]:
    """Claim, reserve and finish what is ready now, as an engine does; returns the grants."""
    grants: list[dict[str, Any]] = []
    for lane in LANES:
        for event in await desk.claim(lane):
            grant = (await desk.reserve(lane, event, request_hash=asked(event)))[0]
            grants.append(grant)
            if sources is not None:
                sources.append(grant.get("source"))
            if grant["state"] != "granted":
                code = {"diverged": "replay_diverged"}.get(grant["state"], grant["state"])
                await desk.finish(lane, failed(event, permanent=True, code=code))
                continue
            answer = grant.get("answer") or json.dumps(reply(event))
            request = [{"role": "user", "text": f"{event['seat']}, turn {event['turn']}: what now?"}]
            call = settled(event, answer=answer, request=request, request_hash=asked(event))
            await desk.finish(lane, done(event, json.loads(answer)), calls=[call])
    return grants


async def play(desk: Desk, run: dict[str, Any]) -> tuple[dict[str, Any], list[str | None]]:
    """Play to the end; also where each answer came from."""
    sources: list[str | None] = []
    while await turn_of_work(desk, sources):
        pass
    return await desk.run(run), sources


async def replay(desk: Desk, run: dict[str, Any], **wanted: Any) -> dict[str, Any]:
    made: dict[str, Any] = await desk.ok("POST", f"/runs/{run['id']}/replay", wanted)
    return made


async def test_a_replay_tells_the_same_story_for_nothing(desk: Desk) -> None:
    recorded, sources = await play(desk, await desk.start(limit="5", **PRICE))
    assert recorded["status"] == "completed"
    assert set(sources) == {None}
    assert recorded["model_calls"] == len(sources)
    again, sources = await play(desk, await replay(desk, recorded))
    assert set(sources) == {"replay"}
    assert again["status"] == "completed"
    assert again["log_digest"] == recorded["log_digest"]
    assert (float(again["spent"]), again["model_calls"]) == (0, 0)
    assert again["replay_of"] == {"id": recorded["id"], "label": recorded["label"], "scenario": "talks"}
    calls = (await desk.ok("GET", f"/runs/{again['id']}/calls"))["items"]
    before = (await desk.ok("GET", f"/runs/{recorded['id']}/calls"))["items"]
    assert [call["source"] for call in calls] == ["replay"] * len(sources)
    same = ("step", "ordinal", "request", "request_hash", "answer", "usage", "state")
    assert [[call[key] for key in same] for call in calls] == [[call[key] for key in same] for call in before]

"""A service over a real database, driven over HTTP in this process, and an engine that a test moves by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
from tests.unit.domain.plans import TALKS

from pyscrai.domain.scenario import Scenario
from pyscrai_api.deps import Deps

Reply = Callable[[dict[str, Any]], dict[str, Any]]
USAGE = {"input_tokens": 100, "output_tokens": 50}


def reply(event: dict[str, Any]) -> dict[str, Any]:
    """A fitting result for any built-in event type: a function of the event's place in the run alone."""
    turn, seat = event["turn"], event.get("seat")
    if event["event_type"] == "decide":
        return {"reasoning": f"r{turn} {seat}", "goals": ["g"], "action": f"{seat} offers {turn}0 hours"}
    if event["event_type"] == "agent_message":
        return {"text": f"{seat} says {turn}", "to": None, "closing": False, "thought": "hm"}
    if event["event_type"] == "world_update":
        return {"narrative": f"after turn {turn}", "facts": {"turn": turn}, "changes": ["one"]}
    if event["event_type"] == "check":
        return {"consistent": True, "issues": [], "severity": "none"}
    return {"values": {"trust": 0.25 * turn}}


def talks(**more: Any) -> dict[str, Any]:
    return Scenario.model_validate({**TALKS, **more}).content()


def crowd(seats: int, turns: int = 1) -> dict[str, Any]:
    """Many seats that decide once a turn, and nothing else."""
    document = {"name": "crowd", "seats": {f"s{i:03d}": {} for i in range(seats)}}
    return Scenario.model_validate({**document, "schedule": {"turns": turns, "phases": ["decision"]}}).content()


@dataclass
class Desk:
    """`http` speaks to the service; `engines` are ours, by lane."""

    http: httpx.AsyncClient
    deps: Deps
    engines: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def ok(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        answer = await self.http.request(method, f"/api/v1{path}", json=body, params=params)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def refused(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = await self.http.request(method, f"/api/v1{path}", json=body)
        assert not answer.is_success, answer.text
        problem: dict[str, Any] = answer.json()
        return problem

    async def scenario(self, content: dict[str, Any]) -> str:
        """Post a scenario, or a new version of it; returns its name."""
        made = await self.http.post("/api/v1/templates/scenarios", json=content)
        if made.status_code == 409:
            await self.ok("PUT", f"/templates/scenarios/{content['name']}", content)
        else:
            assert made.status_code == 201, made.text
        return str(content["name"])

    async def start(self, content: dict[str, Any] | None = None, **choices: Any) -> dict[str, Any]:
        name = await self.scenario(content or talks())
        run: dict[str, Any] = await self.ok("POST", "/runs", {"scenario": name, "choices": choices})
        return run

    async def run(self, run: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = await self.ok("GET", f"/runs/{run['id']}")
        return found

    async def log(self, run: dict[str, Any], **params: Any) -> list[dict[str, Any]]:
        page = await self.ok("GET", f"/runs/{run['id']}/log", **params)
        items: list[dict[str, Any]] = page["items"]
        return items

    async def engine(self, lane: str) -> dict[str, Any]:
        if lane not in self.engines:
            self.engines[lane] = await self.register(lane)
        return self.engines[lane]

    async def register(self, lane: str, **more: Any) -> dict[str, Any]:
        engine_type, _, pool = lane.partition(":")
        made: dict[str, Any] = await self.ok(
            "POST",
            "/engine-instances",
            {"engine_type": engine_type, "pool": pool or None, "lease_seconds": 20, "protocol": 2, **more},
        )
        return made

    async def claim(self, lane: str, most: int = 100, engine: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        who = engine or await self.engine(lane)
        events: list[dict[str, Any]] = await self.ok("POST", "/events/claim", {"engine_id": who["id"], "max": most})
        return events

    async def finish(
        self, lane: str, *items: dict[str, Any], calls: list[dict[str, Any]] | None = None, engine: Any = None
    ) -> list[str]:
        who = engine or await self.engine(lane)
        answer = await self.ok(
            "PUT", "/events/status", {"engine_id": who["id"], "events": list(items), "calls": calls or []}
        )
        return [item["state"] for item in answer["results"]]

    async def reserve(
        self, lane: str, *events: dict[str, Any], engine: Any = None, **more: Any
    ) -> list[dict[str, Any]]:
        who = engine or await self.engine(lane)
        calls = [call(event, **more) for event in events]
        grants: list[dict[str, Any]] = await self.ok(
            "POST", "/events/reserve", {"engine_id": who["id"], "calls": calls}
        )
        return grants

    async def work(self, lanes: tuple[str, ...] = ("actor", "narrator", "analyst"), answer: Reply = reply) -> int:
        """Claim and finish everything that is ready now, once; returns how much there was."""
        count = 0
        for lane in lanes:
            events = await self.claim(lane)
            if events:
                count += len(events)
                await self.finish(lane, *[done(event, answer(event)) for event in events])
        return count

    async def play(self, run: dict[str, Any], answer: Reply = reply) -> dict[str, Any]:
        """Work until nothing is ready any more."""
        while await self.work(answer=answer):
            pass
        return await self.run(run)


def call(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "event_id": event["id"],
        "lease_no": event["lease_no"],
        "call": 1,
        "model": event["model"]["id"],
        "input_bound": 1000,
        "max_tokens": 100,
        "request_hash": "h",
        **more,
    }


def settled(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "event_id": event["id"],
        "lease_no": event["lease_no"],
        "call": 1,
        "model": event["model"]["id"],
        "usage": USAGE,
        "request": [{"role": "user", "text": "the same request"}],
        "answer": json.dumps({"said": event["id"]}),
        "seconds": 0.1,
        **more,
    }


def done(event: dict[str, Any], result: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "event_id": event["id"],
        "lease_no": event["lease_no"],
        "status": "completed",
        "result": reply(event) if result is None else result,
    }


def failed(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"event_id": event["id"], "lease_no": event["lease_no"], "status": "failed", "error": "it broke", **more}


def back(event: dict[str, Any]) -> dict[str, Any]:
    return {"event_id": event["id"], "lease_no": event["lease_no"], "status": "handed_back"}


def money(text: str | None) -> Decimal:
    return Decimal(text or "0")

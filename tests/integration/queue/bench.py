"""A service over a real database, driven over HTTP in this process, for events without a run and rows made by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx

from pyscrai_api.deps import Deps


@dataclass
class Bench:
    """`http` speaks to the service of `deps`."""

    http: httpx.AsyncClient
    deps: Deps

    async def call(self, method: str, path: str, body: Any = None, status: int | None = None, **params: Any) -> Any:
        """The decoded answer; any success will do, or exactly `status`."""
        answer = await self.http.request(method, f"/api/v1{path}", json=body, params=params or None)
        expected = answer.is_success if status is None else answer.status_code == status
        assert expected, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def engine(self, engine_type: str = "actor", **more: Any) -> str:
        made = await self.call("POST", "/engine-instances", {"engine_type": engine_type, **more}, 201)
        return str(made["id"])

    async def post(self, count: int = 1, **more: Any) -> list[int]:
        """Events for engines of type actor, unless said otherwise."""
        event = {"engine_type": "actor", "data": {"prompt": "hello"}, **more}
        made = await self.call("POST", "/events", {"events": [event] * count}, 201)
        return [item["id"] for item in made]

    async def claim(self, engine: str, most: int = 10, **more: Any) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = await self.call(
            "POST", "/events/claim", {"engine_id": engine, "max": most, **more}, 200
        )
        return events

    async def finish(self, engine: str, *items: dict[str, Any], **more: Any) -> list[str]:
        body = {"engine_id": engine, "events": list(items), **more}
        answer = await self.call("PUT", "/events/status", body, 200)
        return [item["state"] for item in answer["results"]]

    async def event(self, event_id: int) -> dict[str, Any]:
        found: dict[str, Any] = await self.call("GET", f"/events/{event_id}", None, 200)
        return found

    async def row(self, event_id: int) -> dict[str, Any]:
        """The live row of an event."""
        found = await self.deps.pool.fetchrow("SELECT * FROM queue WHERE id = $1", event_id)
        assert found is not None, f"event {event_id} is not in the queue"
        return dict(found)

    async def age(self, *ids: int, seconds: float = 3600) -> None:
        """Let leases have begun, and ended, in the past."""
        await self.deps.pool.execute(
            "UPDATE queue SET lease_until = now() - make_interval(secs => $2), "
            "leased_at = leased_at - make_interval(secs => $2) WHERE id = ANY($1) AND state = 3",
            list(ids), seconds,
        )  # fmt: skip

    async def run(self, status: str = "running") -> UUID:
        """A run row made by hand, without a story: what the queue looks at is its status."""
        template, version, run = uuid4(), uuid4(), uuid4()
        async with self.deps.pool.acquire() as conn, conn.transaction():
            await conn.execute(
                "INSERT INTO templates (id, type, name, latest, owner, visibility, created_by) "
                "VALUES ($1, 'scenarios', $2, 1, 'local', 'private', 'local')", template, f"s{template.hex}",
            )  # fmt: skip
            await conn.execute(
                "INSERT INTO template_versions (id, template_id, version, title, canonical, sha256, created_by) "
                "VALUES ($1, $2, 1, 's', '{}', '0', 'local')", version, template,
            )  # fmt: skip
            await conn.execute(
                "INSERT INTO runs (id, template_id, scenario_version_id, number, title, owner, visibility, created_by, "
                "status, reason, choices, pins, default_model, seats, seed, digest) VALUES ($1, $2, $3, 1, 's', "
                "'local', 'private', 'local', $4, '{}', '{}', '{}', 'rehearsal', '[]', 0, '')",
                run, template, version, status,
            )  # fmt: skip
        return run


def done(event: dict[str, Any], result: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A success for a claimed event."""
    result = {"content": "hi", "error": None} if result is None else result
    return {"event_id": event["id"], "lease_no": event["lease_no"], "status": "completed", "result": result, **more}


def failed(event: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"event_id": event["id"], "lease_no": event["lease_no"], "status": "failed", "error": "it broke", **more}


def back(event: dict[str, Any]) -> dict[str, Any]:
    return {"event_id": event["id"], "lease_no": event["lease_no"], "status": "handed_back"}


async def until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait for a condition (plain or awaitable) to be true; returns what it gave."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.005)

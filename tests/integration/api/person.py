"""People and engines that call the API, each with a token of their own."""

from __future__ import annotations

from typing import Any

import httpx


class Person:
    """Somebody who calls the API with a token; `id` is set where it is an engine."""

    def __init__(self, http: httpx.AsyncClient, token: str, engine_id: str = "") -> None:
        self.http, self.token, self.id = http, token, engine_id

    async def __call__(self, method: str, path: str, body: Any = None, status: int | None = None, **params: Any) -> Any:
        """The decoded answer; any success will do, or exactly `status`."""
        headers = {"authorization": f"Bearer {self.token}"}
        answer = await self.http.request(method, f"/api/v1{path}", json=body, params=params or None, headers=headers)
        expected = answer.is_success if status is None else answer.status_code == status
        assert expected, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def add(self, name: str) -> Person:
        added = await self("POST", "/users", {"name": name}, 201)
        return Person(self.http, added["token"])

    async def engine(self, engine_type: str = "actor", **more: Any) -> Person:
        """An engine of this person, with its own token."""
        made = await self("POST", "/engine-instances", {"engine_type": engine_type, **more}, 201)
        return Person(self.http, made["token"], made["id"])

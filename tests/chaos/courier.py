"""Requests through the hostile network, repeated until they are answered."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds between repeats."""
MOST_DEFECTS = 20


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The API's last word on a request. `repeats`: how often it had to be sent again."""

    status: int
    body: Any
    repeats: int

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300


class Courier:
    """A client of the API at `url`. `seen`: what became of the attempts, by status or kind of failure; `defects`: words
    of an API that does not know what went wrong in it (500)."""

    def __init__(self, url: str, seed: int, *, timeout: float = 8.0) -> None:
        self._http = httpx.AsyncClient(
            base_url=f"{url}/api/v1", timeout=timeout, trust_env=False, limits=httpx.Limits(max_connections=64)
        )
        self._chance = random.Random(f"courier:{seed}")
        self.seen: Counter[str] = Counter()
        self.defects: list[str] = []

    async def __aenter__(self) -> Courier:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def insist(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        calm: bool = False,
        **params: Any,
    ) -> Answer:
        """Send until there is an answer that a repeat would not change: not from a broken network, a dying server, a
        full queue, or a request of the same key that is still at work. `calm`: the network leaves it alone."""
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        headers = {"content-type": "application/json"} | ({} if key is None else {"idempotency-key": key})
        headers |= {"x-chaos": "calm"} if calm else {}
        pause, repeats = FIRST_PAUSE, 0
        while True:
            answer, wait = await self._once(method, path, content, headers, params)
            if answer is not None and not (answer.status == 409 and key is not None):
                return Answer(status=answer.status, body=answer.body, repeats=repeats)
            repeats += 1
            await asyncio.sleep(max(wait, pause * self._chance.uniform(0.5, 1.5)))
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _once(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str], params: dict[str, Any]
    ) -> tuple[Answer | None, float]:
        """The answer, None where it is none; and how long the API asks to be left alone, in seconds."""
        try:
            got = await self._http.request(method, path, content=content, headers=headers, params=params)
        except httpx.TransportError as error:
            self.seen[type(error).__name__] += 1
            return None, 0.0
        self.seen[str(got.status_code)] += 1
        if got.status_code == 500 and len(self.defects) < MOST_DEFECTS:
            self.defects.append(f"{method} {path}: {got.text[:500]}")
        if got.status_code >= 500 or got.status_code in (408, 429):
            return None, _seconds(got.headers.get("retry-after"))
        try:
            told = got.json() if got.content else None
        except ValueError:
            self.seen["not JSON"] += 1
            return None, 0.0
        return Answer(status=got.status_code, body=told, repeats=0), 0.0


def _seconds(text: str | None) -> float:
    return min(float(text), 5.0) if text is not None and text.isdecimal() else 0.0

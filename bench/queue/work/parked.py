"""A crowd of idle engines in one process: each registered, each with a long poll open on a connection of its own."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from bench.queue.work.session import Session, work
from pyscrai.client.engine import EngineApi
from pyscrai.client.http import Http
from pyscrai.contract.engines import RegisterEngine

LANE = "bench"
WAIT = 50
AT_ONCE = 16


async def main(session: Session) -> None:
    """`url`, and how many `engines`."""
    url = urlsplit(session.options["url"])
    engines = await registered(session.options["url"], session.options["engines"])
    lines = [Line(*await asyncio.open_connection(url.hostname, url.port), *engine) for engine in engines]
    await session.go()
    await session.until_stopped(*(line.work(session) for line in lines))


async def registered(url: str, number: int) -> list[tuple[str, str]]:
    """(id, token) of so many engines."""
    left = iter(range(number))
    found: list[tuple[str, str]] = []

    async def some() -> None:
        async with Http(url) as http:
            for _ in left:
                http.token = None
                engine = await EngineApi(http).register(RegisterEngine(engine_type=LANE))
                found.append((engine.id, engine.token))

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return found


class Line:
    """One engine's connection. Plain sockets: a client library would measure itself a thousand times."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, engine: str, token: str) -> None:
        self._reader, self._writer, self._engine, self._token = reader, writer, engine, token

    async def work(self, session: Session) -> None:
        """Claim, take the time, finish; for ever."""
        wanted = {"engine_id": self._engine, "lane": LANE, "max": 10, "wait": WAIT, "repeat": 0}
        for turn in count():
            events = await self._asked("POST", "/api/v1/events/claim", {**wanted, "claim_id": str(turn)})
            for event in events:
                session.started(event["data"])
            if events:
                await self._asked("PUT", "/api/v1/events/status", {"engine_id": self._engine, "events": ends(events)})
                session.did(len(events))

    async def _asked(self, method: str, path: str, value: object) -> Any:
        body = json.dumps(value).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._token}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0])
        said = await self._reader.readexactly(length)
        if not answer.startswith(b"http/1.1 200"):
            raise RuntimeError(f"{path}: {said[:300]!r}")
        return json.loads(said)


def ends(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """That they are all done."""
    return [{"event_id": e["id"], "lease_no": e["lease_no"], "status": "completed", "result": {}} for e in events]


if __name__ == "__main__":
    work(main)

"""An engine in this process, against a transport that answers the way the API does."""

from __future__ import annotations

import asyncio
import io
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from pyscrai.client.engine import EngineApi
from pyscrai.client.http import Http
from pyscrai.contract.events import CallRecord, Usage
from pyscrai.engine.handler import Asks, Handler, InvalidPayload
from pyscrai.engine.logging import make_logger
from pyscrai.engine.runtime import Engine
from pyscrai.engine.settings import EngineSettings
from pyscrai.llm import Meter, Question

Answer = Callable[[dict[str, Any]], Any]
Running = tuple[Engine, asyncio.Task[int]]


def event(number: int, **more: Any) -> dict[str, Any]:
    """What a claim answers for one event."""
    return {
        "id": number,
        "event_type": "prompt",
        "data": {"prompt": f"question {number}"},
        "lease_no": 1,
        "lease_until": "",
        "lease_for": 60.0,
        "attempt": 1,
        "try": 1,
        "model": {"id": "rehearsal"},
        **more,
    }


class TestApi:
    """The engine's side of the API: what was asked, and answers that a test may change."""

    __test__ = False

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.queue: deque[dict[str, Any]] = deque()
        self.registrations = 0
        self.trouble: dict[str, deque[Exception | httpx.Response]] = {}
        self.heartbeat: dict[str, Any] = {}
        self.grant: Answer = lambda call: {"state": "granted", "reserved": "0.001"}
        self.finish: Answer = lambda finish: {"state": "done"}
        self.lease_seconds = 60.0
        self.heartbeat_seconds = 0.02
        self._changed = asyncio.Condition()

    async def put(self, *events: dict[str, Any]) -> None:
        """Events for the next claims."""
        self.queue.extend(events)
        async with self._changed:
            self._changed.notify_all()

    def bodies(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of the requests of one kind so far."""
        return [body for what, body in self.asked if what == kind]

    async def until(self, condition: Callable[[], bool], seconds: float = 120) -> None:
        """Wait until something is true of what was asked; each request is an occasion to look."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    async def look_again(self) -> None:
        """Something that `until` waits for has changed without a request."""
        async with self._changed:
            self._changed.notify_all()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else {}
        kind = self._kind(request.method, request.url.path)
        self.asked.append((kind, body))
        await self.look_again()
        if self.trouble.get(kind):
            trouble = self.trouble[kind].popleft()
            if isinstance(trouble, Exception):
                raise trouble
            return trouble
        answer = await getattr(self, f"_{kind}")(body)
        await self.look_again()
        return httpx.Response(204) if answer is None else httpx.Response(200, json=answer)

    @staticmethod
    def _kind(method: str, path: str) -> str:
        assert path.startswith("/api/v1/"), path
        match method, path.removeprefix("/api/v1").split("/")[1:]:
            case "POST", ["engine-instances"]:
                return "register"
            case "PUT", ["engine-instances", _, "heartbeat"]:
                return "beat"
            case "DELETE", ["engine-instances", _]:
                return "deregister"
            case "POST", ["events", ("claim" | "reserve") as what]:
                return what
            case "PUT", ["events", "status"]:
                return "report"
        raise AssertionError(f"{method} {path} is not in the protocol")

    def _instance(self) -> dict[str, Any]:
        return {
            "id": f"engine-{self.registrations}",
            "engine_type": "actor",
            "status": "active",
            "last_heartbeat": "",
            "lane": "actor",
            "heartbeat_seconds": self.heartbeat_seconds,
            "lease_seconds": self.lease_seconds,
        }

    async def _register(self, body: dict[str, Any]) -> Any:
        self.registrations += 1
        return {**self._instance(), "token": f"token-{self.registrations}", "protocol": 1, "min_protocol": 1}

    async def _beat(self, body: dict[str, Any]) -> Any:
        listed = [lease["event_id"] for lease in body["leases"]]
        lost = [number for number in self.heartbeat.get("lost", []) if number in listed]
        renewed = [number for number in listed if number not in lost]
        return {**self._instance(), "renewed": renewed, **self.heartbeat, "lost": lost}

    async def _deregister(self, body: dict[str, Any]) -> Any:
        return None

    async def _claim(self, body: dict[str, Any]) -> Any:
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self.queue))
            return [self.queue.popleft() for _ in range(min(body["max"], len(self.queue)))]

    async def _reserve(self, body: dict[str, Any]) -> Any:
        return [{"event_id": c["event_id"], "call": c["call"], **self.grant(c)} for c in body["calls"]]

    async def _report(self, body: dict[str, Any]) -> Any:
        return {"results": [{"event_id": e["event_id"], **self.finish(e)} for e in body["events"]]}


def record(question: Question, call: int, **more: Any) -> CallRecord:
    """A call that was answered."""
    given = {"answer": "{}", "usage": Usage(input_tokens=10, output_tokens=5), "model": question.model.id, **more}
    return CallRecord(
        event_id=question.event_id, lease_no=question.lease_no, call=call, try_no=question.try_no, **given
    )


async def reserve(meter: Meter, call: int = 1) -> None:
    """Ask for a call of usual size."""
    await meter.reserve(call=call, model="rehearsal", input_bound=100, max_tokens=50, request_hash="h")


@dataclass
class Model:
    """A model that answers when a test lets it: `hold` makes it wait until `let_go` is set, before or in the call."""

    hold: str | None = None
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    at: list[tuple[str, int]] = field(default_factory=list)
    told: Callable[[], Awaitable[None]] | None = None

    async def ask(self, question: Question, meter: Meter, *, timeout: float) -> dict[str, Any]:
        await self._reach("before", question)
        await reserve(meter)
        await self._reach("calling", question)
        meter.record(record(question, 1))
        return {"content": f"answer {question.event_id}", "error": None}

    async def _reach(self, place: str, question: Question) -> None:
        self.at.append((place, question.event_id))
        if self.told is not None:
            await self.told()
        if self.hold == place:
            await self.let_go.wait()


def plain(data: dict[str, Any]) -> str:
    if "prompt" not in data:
        raise InvalidPayload("prompt is missing")
    return str(data["prompt"])


@dataclass
class Bench:
    """An engine under test."""

    api: TestApi
    model: Model
    lines: io.StringIO = field(default_factory=io.StringIO)

    def engine(self, http: Http, ask: Asks | None = None, handler: Any = None, **settings: Any) -> Engine:
        given = {"heartbeat_seconds": 0.02, "lease_seconds": 60.0, "health_port": None, **settings}
        return Engine(
            EngineSettings(engine_type="actor", api_url="http://api.test", **given),
            api=EngineApi(http),
            handler=handler or Handler(plain=plain, ask=ask or self.model.ask, call_seconds=10),
            warm_up=_nothing,
            log=make_logger("debug", stream=self.lines),
        )

    @asynccontextmanager
    async def running(
        self, ask: Asks | None = None, **settings: Any
    ) -> AsyncIterator[tuple[Engine, asyncio.Task[int]]]:
        """An engine at work; it is drained at the end unless the test has done so."""
        async with Http("http://api.test", transport=httpx.MockTransport(self.api)) as http:
            engine = self.engine(http, ask, **settings)
            task = asyncio.create_task(engine.run())
            try:
                yield engine, task
                if not task.done():
                    engine.stop.request()
                    self.model.let_go.set()
                    async with asyncio.timeout(20):
                        await task
            finally:
                task.cancel()
                await asyncio.wait({task})

    def logged(self, name: str) -> list[dict[str, Any]]:
        return [line for line in map(json.loads, self.lines.getvalue().splitlines()) if line["event"] == name]


async def _nothing() -> None:
    return None

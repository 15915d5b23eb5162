"""An API behind httpx's mock transport: the routes that SDK and CLI use, over a log written by hand."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import httpx

from pyscrai.contract.costs import CostNow
from pyscrai.contract.estimates import CostSpread, Estimate, Spread
from pyscrai.contract.runs import TERMINAL, Delivered, Run

PROBLEM = {"content-type": "application/problem+json"}
Answer = httpx.Response
NOTHING = Spread(low=0, expected=0, high=0)
FREE = Estimate(
    scenario="any",
    title="Any",
    turns=1,
    exact=True,
    calls=NOTHING,
    input_tokens=NOTHING,
    output_tokens=NOTHING,
    cost=CostSpread(low=Decimal(0), expected=Decimal(0), high=Decimal(0)),
    by={},
    seconds=0.1,
)
"""What is estimated of any run: its models cost nothing."""


class FakeApi:
    """One run. `cut_after`: the stream breaks after that many entries, once per number in the list. `costs_after`: what
    the stream tells of costs after the entry of that number.

    The run's status follows the log as it is delivered: it ends, or stands still, at its last entry.
    """

    def __init__(self, run: Run, log: list[Delivered], scenario: dict[str, Any]) -> None:
        self.final, self.log, self.scenario = run, log, scenario
        self.catalog: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str, Any]] = []
        self.cut_after: list[int] = []
        self.costs_after: dict[int, CostNow] = {}
        self.delivered = 0
        self.more_runs: list[Run] = []
        self.engines: list[dict[str, Any]] = []
        self.objections: list[dict[str, Any]] = []
        self.after_resume: list[Delivered] = []
        self.calls: list[dict[str, Any]] = []
        self.status_after_resume = "completed"

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self._answer)

    def called(self, method: str, path: str) -> list[Any]:
        """The bodies of the requests of this method whose path matches."""
        return [body for m, p, body in self.requests if m == method and re.fullmatch(path, p)]

    @property
    def run(self) -> Run:
        """The run as far as its log has been delivered."""
        over = self.delivered >= len(self.log)
        status = self.final.status if over else "running"
        reason = self.final.reason if over else None
        last = self.log[-1].seq if over else self.log[-1].seq + 1
        return self.final.model_copy(update={"status": status, "reason": reason, "last_seq": last})

    def _answer(self, request: httpx.Request) -> Answer:
        path = request.url.path.removeprefix("/api/v1")
        body = json.loads(request.content) if request.content else None
        self.requests.append((request.method, path, body))
        for method, pattern, route in self._routes():
            match = re.fullmatch(pattern, path)
            if match and method == request.method:
                return route(request, body, *match.groups())
        return problem(404, "not_found", f"there is nothing at {path}")

    def _routes(self) -> list[tuple[str, str, Callable[..., Answer]]]:
        return [
            ("POST", "/templates/scenarios", self._create),
            ("PUT", "/templates/scenarios/([^/]+)", self._update),
            ("GET", "/templates/scenarios", lambda *_: page([self._shown(name, 1) for name in self.catalog])),
            ("GET", "/templates/scenarios/([^/]+)", self._read),
            ("POST", "/estimates", lambda *_: Answer(200, json=FREE.model_dump(mode="json"))),
            ("POST", "/runs", lambda *_: Answer(201, json=self.run.model_dump(mode="json"))),
            ("GET", "/runs", lambda *_: page([r.model_dump(mode="json") for r in [self.run, *self.more_runs]])),
            ("GET", "/runs/([^/]+)", self._one),
            ("GET", "/runs/[^/]+/snapshot", self._snapshot),
            ("GET", "/runs/[^/]+/log", self._log),
            ("GET", "/runs/[^/]+/calls", self._calls),
            ("GET", "/runs/[^/]+/documents/([^/]+)", lambda _r, _b, name: Answer(200, content=name.encode())),
            ("GET", "/runs/[^/]+/stream", self._stream),
            ("POST", "/runs/[^/]+/(pause|cancel)", lambda *_: Answer(200, json=self.run.model_dump(mode="json"))),
            ("POST", "/runs/[^/]+/resume", self._resume),
            ("GET", "/engine-instances", lambda *_: Answer(200, json=self.engines)),
        ]

    def _create(self, _request: httpx.Request, body: dict[str, Any]) -> Answer:
        if self.objections:
            return problem(400, "invalid", "the scenario cannot be played", errors=self.objections)
        name = body["content"]["name"]
        if name in self.catalog:
            return problem(409, "conflict", f"there is a scenario {name!r} already")
        self.catalog[name] = body["content"]
        return Answer(201, json=self._shown(name, 1))

    def _update(self, _request: httpx.Request, body: dict[str, Any], name: str) -> Answer:
        same = self.catalog[name] == body["content"]
        self.catalog[name] = body["content"]
        return Answer(200, json=self._shown(name, 1 if same else 2))

    def _read(self, _request: httpx.Request, _body: Any, name: str) -> Answer:
        if name not in self.catalog:
            return problem(404, "not_found", f"there is no scenario {name}")
        return Answer(200, json=self._shown(name, 1))

    def _shown(self, name: str, version: int) -> dict[str, Any]:
        fixed = {"type": "scenarios", "title": name, "sha256": "ab" * 32, "owner": "local", "visibility": "private"}
        times = {"created_by": "local", "created_at": "2026-11-20T09:00:00Z"}
        return {"id": "019aa3ef-0000-7abc-8def-000000000001", "name": name, "version": version, "latest": version} | (
            fixed | times
        )

    def _one(self, _request: httpx.Request, _body: Any, run_id: str) -> Answer:
        for run in [self.run, *self.more_runs]:
            if run.id == run_id:
                return Answer(200, json=run.model_dump(mode="json"))
        return problem(404, "not_found", f"there is no run {run_id}")

    def _snapshot(self, *_: Any) -> Answer:
        whole = {"run": self.run.model_dump(mode="json"), "scenario": self.scenario, "state": {}, "seq": self.delivered}
        return Answer(200, json=whole | {"choices": self.final.choices.model_dump(mode="json")})

    def _log(self, request: httpx.Request, _body: Any) -> Answer:
        after, limit = int(request.url.params["after"]), 7
        left = [entry for entry in self.log if entry.seq > after]
        following = str(left[limit - 1].seq) if len(left) > limit else None
        return page([entry.model_dump(mode="json") for entry in left[:limit]], following)

    def _calls(self, request: httpx.Request, _body: Any) -> Answer:
        start = int(request.url.params.get("after", 0))
        return page(self.calls[start : start + 1], str(start + 1) if start + 1 < len(self.calls) else None)

    def _stream(self, request: httpx.Request, _body: Any) -> Answer:
        after = int(request.url.params["after"])
        return Answer(200, headers={"content-type": "text/event-stream"}, content=self._events(after))

    async def _events(self, after: int) -> AsyncIterator[bytes]:
        budget = self.cut_after.pop(0) if self.cut_after else len(self.log)
        for entry in [entry for entry in self.log if entry.seq > after]:
            if budget == 0:
                raise httpx.ReadError("connection reset")
            budget -= 1
            self.delivered = max(self.delivered, entry.seq)
            yield b": keep-alive\n\n"
            yield f"id: {entry.seq}\nevent: {entry.kind}\ndata: {entry.model_dump_json()}\n\n".encode()
            if entry.seq in self.costs_after:
                yield f"event: cost\ndata: {self.costs_after[entry.seq].model_dump_json()}\n\n".encode()
        if self.final.status not in TERMINAL:
            raise httpx.ReadTimeout("the server had nothing more to say")

    def _resume(self, *_: Any) -> Answer:
        first = self.log[-1].seq + 1
        self.log += [entry.model_copy(update={"seq": first + n}) for n, entry in enumerate(self.after_resume)]
        self.final = self.final.model_copy(update={"status": self.status_after_resume, "reason": None})
        return Answer(200, json=self.run.model_dump(mode="json"))


def page(items: list[Any], following: str | None = None) -> Answer:
    return Answer(200, json={"items": items, "next": following})


def problem(status: int, code: str, detail: str, **more: Any) -> Answer:
    return Answer(
        status, headers=PROBLEM, json={"title": code, "status": status, "code": code, "detail": detail, **more}
    )

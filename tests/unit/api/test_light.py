"""A light route answers what FastAPI answers, whatever it is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Body, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message

from pyscrai.contract.engines import Heartbeat
from pyscrai.contract.events import Claim, FinishBatch, NewEvent, ReserveBatch
from pyscrai.contract.wire import Wire
from pyscrai_api.app import create_app, render
from pyscrai_api.layers import Watch
from pyscrai_api.light import Light, LightCall, light
from pyscrai_api.queue.cleaning import CleanRoute
from pyscrai_api.settings import Settings


class Told(Wire):
    path: str = ""
    body: str
    raw: str


@light
async def one_or_many(request: Request, posted: Annotated[NewEvent | list[NewEvent], Body()]) -> Told:
    many = posted if isinstance(posted, list) else [posted]
    return Told(body=ascii([item.model_dump() for item in many]), raw=(await request.body()).decode("utf-8", "replace"))


@light
async def beat(name: str, told: Heartbeat) -> Told:
    return Told(path=name, body=ascii(told.model_dump()), raw="")


@light
async def claim(wanted: Claim) -> Told:
    return Told(body=ascii(wanted.model_dump()), raw="")


@light
async def finish(wanted: FinishBatch) -> Told:
    return Told(body=ascii(wanted.model_dump()), raw="")


@light
async def reserve(wanted: ReserveBatch) -> Told:
    return Told(body=ascii(wanted.model_dump()), raw="")


def service(*, quick: bool) -> FastAPI:
    app = FastAPI()
    app.add_exception_handler(RequestValidationError, render)
    posts: dict[str, Callable[..., Any]] = {
        "/post": one_or_many, "/claim": claim, "/finish": finish, "/reserve": reserve
    }  # fmt: skip
    for path, endpoint in posts.items():
        app.router.add_api_route(path, endpoint, methods=["POST"], route_class_override=CleanRoute, status_code=201)
    app.router.add_api_route("/beat/{name}", beat, methods=["PUT"], route_class_override=CleanRoute)
    if quick:
        app.add_middleware(Light, routes=app.router.routes)
    return app


APPS = {quick: service(quick=quick) for quick in (False, True)}


def told(quick: bool, method: str, path: str, body: bytes) -> tuple[int, str, bytes]:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=APPS[quick])
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as http:
            return await http.request(method, path, content=body, headers={"content-type": "application/json"})

    answer = asyncio.run(ask())
    return answer.status_code, answer.headers.get("content-type", ""), answer.content


def same(method: str, path: str, body: bytes) -> int:
    plain, quick = told(False, method, path, body), told(True, method, path, body)
    assert quick == plain, body
    return quick[0]


BAD = (
    b"", b" ", b"null", b"[]", b"{", b'{"a": 1}', b"\xff", b'{"engine_id": 3}', b'{"engine_id": "x", "max": 501}',
    b'{"engine_id": "x", "max": "five"}', b"[" * 5000, b'{"calls": [{"event_id": 1}], "engine_id": "e"}',
    b'{"events": [{"event_id": 1, "status": "odd"}], "engine_id": "e"}', b'{"engine_id": "\x01"}',
    b'\xef\xbb\xbf{"engine_id": "bom"}', b'{"engine_id": "\xed\xa0\x80"}',
)  # fmt: skip
GOOD = (
    b'{"engine_id": "x"}', b'{"engine_id": "x", "max": "7", "wait": 1, "repeat": 0, "new": 3}',
    rb'{"engine_id": "a\u0000b\ud800", "claim_id": "\u00e9", "event_types": ["\udfff"]}',
    '{"engine_id": "é☃", "lane": null}'.encode(), b'{"engine_id": "x", "max": 5.0}',
    b'{"engine_id": "e", "events": [{"event_id": 1, "status": "failed", "retry_after": 1e2}], "calls": []}',
    b'{"data": {"a": [1, -0.0, 1e400, {"b": null}], "big": 123456789012345678901234567890}}',
    b'[{"data": {}}, {"engine_type": "ACTOR", "priority": 9}]', b'{"status": "active", "leases": null}',
    b'{"data": ' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}",
)  # fmt: skip


@pytest.mark.parametrize("body", [*BAD, *GOOD], ids=lambda body: body[:40].decode("latin-1"))
def test_the_answer_is_the_same(body: bytes) -> None:
    found = {same("POST", path, body) for path in ("/post", "/claim", "/finish", "/reserve")}
    found.add(same("PUT", "/beat/some%20name", body))
    assert found & {200, 201, 422, 400, 500} == found


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(["x", "é", "a\x00b", "\ud800"])
CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "engine_id": WORDS | DOCUMENTS, "max": st.integers(-1, 600) | DOCUMENTS, "lane": WORDS | st.none(),
        "wait": st.floats() | st.integers(), "claim_id": WORDS | DOCUMENTS, "event_types": st.lists(WORDS) | DOCUMENTS,
        "repeat": st.integers(-1, 3), "data": DOCUMENTS, "leases": DOCUMENTS, "events": DOCUMENTS,
    },
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(CLAIMS | DOCUMENTS, st.booleans())
def test_the_answer_is_the_same_for_any_document(document: Any, ascii_only: bool) -> None:
    body = json.dumps(document, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    for path in ("/post", "/claim"):
        same("POST", path, body)


def test_light_routes_are_found_by_their_path_and_method_alone() -> None:
    body = b'{"engine_id": "x"}'
    for method, path in (("GET", "/claim"), ("PUT", "/claim"), ("POST", "/claim/"), ("PUT", "/beat/a/b")):
        assert same(method, path, body) in (404, 405, 307)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_body_that_comes_in_pieces(size: int) -> None:
    body = json.dumps({"engine_id": "x" * 2000}).encode()
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    messages: list[Message] = [
        {"type": "http.request", "body": part, "more_body": i < len(parts) - 1} for i, part in enumerate(parts)
    ]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/claim", "headers": [], "query_string": b""}
    asyncio.run(APPS[True](scope, receive, send))
    assert sent[0]["status"] == 201
    assert "x" * 2000 in json.loads(sent[1]["body"])["body"]


def test_a_client_that_goes_in_mid_body_changes_nothing() -> None:
    messages: list[Message] = [
        {"type": "http.request", "body": b'{"engine_id":', "more_body": True}, {"type": "http.disconnect"},
    ]  # fmt: skip
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    app = service(quick=True)
    app.add_middleware(Watch)
    app.state.deps = _Watched()
    scope = {"type": "http", "method": "POST", "path": "/claim", "headers": [], "query_string": b""}
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 400


class _Watched:
    """What `Watch` needs of the dependencies."""

    class metrics:
        @staticmethod
        def request(*_: Any) -> None: ...

    class room:
        @staticmethod
        def note(_: BaseException) -> None: ...


@pytest.mark.parametrize("wrong", ["query", "two"])
def test_a_signature_that_is_not_light_is_refused_at_once(wrong: str) -> None:
    async def query(wanted: Claim, limit: Annotated[int, Query()] = 3) -> Told:
        return Told(body=str(limit), raw="")

    async def two(wanted: Claim, other: Heartbeat) -> Told:
        return Told(body=ascii(other), raw="")

    chosen: dict[str, Callable[..., Any]] = {"query": query, "two": two}
    with pytest.raises(TypeError):
        LightCall(APIRoute("/x", light(chosen[wrong]), methods=["POST"]))


def test_the_hot_routes_are_light() -> None:
    app = create_app(Settings(database_url="postgresql://x"))
    marked = {route.path for route in app.router.routes if isinstance(route, APIRoute) and _is_light(route)}
    assert marked >= {
        "/api/v1/events/claim", "/api/v1/events/status", "/api/v1/events/reserve", "/api/v1/events",
        "/api/v1/engine-instances/{engine_id}/heartbeat",
    }  # fmt: skip


def _is_light(route: APIRoute) -> bool:
    return hasattr(route.endpoint, "__light__")

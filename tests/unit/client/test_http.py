"""The client against a transport that answers what the API answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from pyscrai.client.errors import (
    ApiError,
    ApiUnreachable,
    Conflict,
    InternalError,
    InvalidRequest,
    NotFound,
    StaleLease,
    Unavailable,
)
from pyscrai.client.http import Http, encode
from pyscrai.client.sse import messages
from pyscrai.contract.events import Finish


def client(answer: Callable[[httpx.Request], httpx.Response], token: str | None = None) -> Http:
    return Http("http://api.test/", token=token, transport=httpx.MockTransport(answer))


async def test_paths_get_the_prefix_and_probes_do_not() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={"ok": True})

    async with client(answer) as http:
        assert await http.request("GET", "/runs", params={"limit": 3, "after": None}) == {"ok": True}
        await http.request("GET", "/healthz")
    assert seen == ["http://api.test/api/v1/runs?limit=3", "http://api.test/healthz"]


async def test_a_message_is_sent_once_encoded_with_the_token() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    async with client(answer, token="t") as http:
        body = Finish(event_id=1, status="completed", result={"to": None})
        assert await http.request("PUT", "/events/1/status", json=body) is None
    assert json.loads(seen[0].content) == {
        "event_id": 1,
        "status": "completed",
        "result": {"to": None},
        "permanent": False,
    }
    assert seen[0].headers["authorization"] == "Bearer t"
    assert seen[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid", InvalidRequest),
        (404, "not_found", NotFound),
        (409, "stale_lease", StaleLease),
        (409, "conflict", Conflict),
        (503, "unavailable", Unavailable),
        (409, "something_newer", Conflict),
    ],
)
async def test_problems_become_errors_by_their_code(status: int, code: str, kind: type[ApiError]) -> None:
    problem = {
        "title": "No",
        "status": status,
        "code": code,
        "detail": "because",
        "errors": [{"pointer": "/name", "message": "missing"}],
    }
    async with client(lambda _: httpx.Response(status, json=problem, headers={"retry-after": "7"})) as http:
        with pytest.raises(kind, match="because") as caught:
            await http.request("GET", "/runs")
    assert type(caught.value) is kind
    assert caught.value.errors[0].pointer == "/name"
    assert caught.value.retry_after == 7


async def test_a_gateways_page_is_an_error_too() -> None:
    async with client(lambda _: httpx.Response(502, text="<h1>Bad gateway</h1>")) as http:
        with pytest.raises(Unavailable, match="Bad gateway"):
            await http.request("GET", "/runs")
    async with client(lambda _: httpx.Response(500, text="")) as http:
        with pytest.raises(InternalError):
            await http.request("GET", "/runs")


async def test_no_answer_is_unreachable() -> None:
    def cut(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with client(cut) as http:
        with pytest.raises(ApiUnreachable, match="refused"):
            await http.request("GET", "/runs")
        with pytest.raises(ApiUnreachable):
            async for _ in http.stream_sse("/runs/1/stream"):
                pass


async def test_a_stream_gives_id_event_and_data() -> None:
    text = ': keep-alive\n\nid: 1\nevent: decision\ndata: {"a": 1}\n\nid: 2\nevent: message\ndata: x\ndata: y\n\n'

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["last-event-id"] == "0"
        return httpx.Response(200, content=text.encode(), headers={"content-type": "text/event-stream"})

    async with client(answer) as http:
        got = [m async for m in http.stream_sse("/runs/1/stream", headers={"last-event-id": "0"})]
    assert got == [("1", "decision", '{"a": 1}'), ("2", "message", "x\ny")]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_lines_end_only_where_the_standard_says(size: int) -> None:
    text = "id: 1\r\ndata: a\u2028b\x0bc\r\n\r\ndata:second\r\rdata: cut off".encode()

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(text), size):
            yield text[start : start + size]

    got = [(m.id, m.data) async for m in messages(chunks())]
    assert got == [("1", "a\u2028b\x0bc"), ("1", "second")]


def test_numbers_that_are_not_json_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode({"x": float("nan")})

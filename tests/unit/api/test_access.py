"""The checks that need no database: names, pages, routes, sizes."""

from __future__ import annotations

from uuid import UUID

import pytest
from starlette.types import Message

from pyscrai_api.access import (
    Caller,
    acting_engine,
    check_exposure,
    counted,
    host_name,
    may_engine,
    same_host,
)
from pyscrai_api.errors import Forbidden, Invalid, StartupError, TooLarge
from pyscrai_api.layers import canonical_path
from pyscrai_api.settings import Settings
from pyscrai_api.tokens import engine_token, token_hash

ONE = UUID("01a1f7d6-dc42-764d-a62a-43ecd5471cc7")
TWO = UUID("01a1f7d6-dc42-764d-a62a-43ecd5471cc8")


@pytest.mark.parametrize(
    ("path", "declared"),
    [
        ("/api/runs", "/api/v1/runs"),
        ("/api/runs/", "/api/v1/runs"),
        ("/api/v1/runs/", "/api/v1/runs"),
        ("/api/v1", "/api/v1"),
        ("/api/v1x", "/api/v1/v1x"),
        ("/healthz/", "/healthz"),
        ("/", "/"),
        ("/apis/x", "/apis/x"),
    ],
)
def test_one_path_per_route(path: str, declared: str) -> None:
    assert canonical_path(path) == declared


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost:8000", "localhost"),
        ("[::1]:8000", "::1"),
        ("EXAMPLE.org.", "example.org"),
        ("127.0.0.1", "127.0.0.1"),
        ("evil@localhost", "localhost"),
        ("[broken", ""),
        ("", ""),
    ],
)
def test_the_name_in_a_host_header(header: str, name: str) -> None:
    assert host_name(header) == name


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://LOCALHOST:8000", "localhost:8000", True),
        ("https://play.example.org", "play.example.org", True),
        ("https://play.example.org", "play.example.org:443", True),
        ("http://127.0.0.1:3000", "127.0.0.1:8000", False),
        ("http://127.0.0.1", "127.0.0.1:8000", False),
        ("http://localhost:8000", "127.0.0.1:8000", False),
        ("http://evil.example:8000", "127.0.0.1:8000", False),
        ("null", "127.0.0.1:8000", False),
        ("file://", "127.0.0.1:8000", False),
        ("http://127.0.0.1:bad", "127.0.0.1:8000", False),
    ],
)
def test_only_our_own_pages(origin: str, host: str, same: bool) -> None:
    assert same_host(origin, host) is same


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", f"/api/v1/engine-instances/{ONE}/heartbeat", True),
        ("PUT", f"/api/v1/engine-instances/{TWO}/heartbeat", False),
        ("GET", f"/api/v1/engine-instances/{ONE}", True),
        ("DELETE", f"/api/v1/engine-instances/{TWO}", False),
        ("GET", "/api/v1/engine-instances", False),
        ("GET", "/api/v1/engine-instances/health", False),
        ("POST", "/api/v1/engine-instances", False),
        ("GET", "/api/v1/events/queue/actor", True),
        ("POST", "/api/v1/events/claim", True),
        ("POST", "/api/v1/events/reserve", True),
        ("PUT", "/api/v1/events/12/status", True),
        ("PUT", "/api/v1/events/status", True),
        ("POST", "/api/v1/events", False),
        ("GET", "/api/v1/events/12", False),
        ("POST", "/api/v1/runs", False),
        ("GET", "/api/v1/templates/agents", False),
    ],
)
def test_an_engines_token_is_good_for_its_own_routes(method: str, path: str, allowed: bool) -> None:
    assert may_engine(Caller(kind="engine", engine_id=ONE), method, path) is allowed


def test_which_engine_acts() -> None:
    engine, person = Caller(kind="engine", engine_id=ONE), Caller(kind="user")
    assert acting_engine(engine, None) == ONE
    assert acting_engine(engine, str(ONE)) == ONE
    assert acting_engine(person, str(TWO)) == TWO
    with pytest.raises(Forbidden):
        acting_engine(engine, TWO)
    with pytest.raises(Invalid, match="name the engine"):
        acting_engine(person, None)
    with pytest.raises(Invalid, match="not an engine's id"):
        acting_engine(person, "actor-1")


def test_a_token_is_stored_as_a_hash_and_never_given_twice() -> None:
    first, stored = engine_token(ONE)
    second, _ = engine_token(ONE)
    assert first != second
    assert stored == token_hash(first)
    assert first not in stored


@pytest.mark.parametrize(
    "settings",
    [Settings(host="0.0.0.0"), Settings(host="::"), Settings(host="10.0.0.1"), Settings(allowed_hosts=("*",))],
)
def test_nothing_is_open_beyond_this_machine_without_a_token(settings: Settings) -> None:
    with pytest.raises(StartupError, match=r"token|TOKEN"):
        check_exposure(settings)


def test_with_a_token_it_may_listen_anywhere() -> None:
    check_exposure(Settings(host="0.0.0.0", token="t", allowed_hosts=("*",)))
    check_exposure(Settings(host="127.0.0.1"))


async def test_a_body_without_a_length_is_counted_as_it_comes() -> None:
    parts = iter([b"12345", b"6789", b"0!"])

    async def receive() -> Message:
        return {"type": "http.request", "body": next(parts), "more_body": True}

    read = counted(receive, 10)
    assert (await read())["body"] == b"12345"
    assert (await read())["body"] == b"6789"
    with pytest.raises(TooLarge):
        await read()

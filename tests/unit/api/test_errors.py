"""Every error becomes a problem with a stable code."""

from __future__ import annotations

import json

import asyncpg
import pytest
from starlette.exceptions import HTTPException

from pyscrai.domain.errors import InvalidScenario, InvalidValue
from pyscrai_api.errors import ApiError, Conflict, Invalid, TooLarge, Unauthorized, from_exception, problem


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Conflict("taken"), 409, "conflict"),
        (InvalidValue("NaN is not a JSON number", "/a"), 400, "invalid"),
        (InvalidScenario([("/seats", "empty")]), 400, "invalid"),
        (HTTPException(404), 404, "not_found"),
        (HTTPException(405), 405, "invalid"),
        (HTTPException(418), 418, "invalid"),
        (ConnectionRefusedError(), 503, "unavailable"),
        (asyncpg.CannotConnectNowError("starting"), 503, "unavailable"),
        (asyncpg.AdminShutdownError("bye"), 503, "unavailable"),
        (asyncpg.ConnectionDoesNotExistError("gone"), 503, "unavailable"),
        (asyncpg.InterfaceError("connection is closed"), 503, "unavailable"),
        (asyncpg.DiskFullError("full"), 503, "unavailable"),
        (asyncpg.QueryCanceledError("timeout"), 503, "unavailable"),
        (asyncpg.InterfaceError("another operation is in progress"), 500, "internal"),
        (asyncpg.UndefinedTableError("oops"), 500, "internal"),
        (KeyError("oops"), 500, "internal"),
    ],
)
def test_status_and_code(error: Exception, status: int, code: str) -> None:
    answer = from_exception(error)
    assert (answer.status, answer.code) == (status, code)
    response = problem(answer)
    assert response.status_code == status
    assert response.media_type == "application/problem+json"
    assert {"type", "title", "status", "code", "detail", "errors"} <= set(json.loads(bytes(response.body)))


def test_an_unexpected_error_says_nothing_of_its_inside() -> None:
    assert "secret" not in from_exception(RuntimeError("secret")).detail


def test_a_driver_error_is_found_inside_its_wrapper() -> None:
    outer = RuntimeError("wrapped")
    outer.__cause__ = asyncpg.AdminShutdownError("bye")
    assert from_exception(outer).status == 503


def test_what_goes_wrong_while_a_body_is_read_is_the_answer() -> None:
    outer = HTTPException(400, "There was an error parsing the body")
    outer.__cause__ = TooLarge("too much")
    assert from_exception(outer).status == 413


def test_headers_and_further_members() -> None:
    assert problem(Unauthorized()).headers["www-authenticate"] == "Bearer"
    assert problem(from_exception(ConnectionResetError())).headers["retry-after"] == "1"
    assert json.loads(bytes(problem(Conflict("taken", winner="ada")).body))["winner"] == "ada"


def test_text_that_json_cannot_carry_is_cleaned() -> None:
    assert json.loads(bytes(problem(Invalid("bad \ud800 text")).body))["detail"] == "bad � text"


def test_all_errors_are_one_tree() -> None:
    assert issubclass(Invalid, ApiError)

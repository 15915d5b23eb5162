"""The errors that the API answers with, and the one place where they become RFC 9457 problems.

ApiError                    carries its status and stable code (contract.problems)
├── Invalid                 400 with `errors`: which JSON Pointer, what, and a hint
├── Unauthorized            401
├── Forbidden               403
├── NotFound                404
├── Conflict                409
│   └── StaleLease          409 stale_lease
├── TooLarge                413
├── UnsupportedMediaType    415
├── Unprocessable           422 with a code of its own
│   └── IdempotencyMismatch
├── QueueFull               429 queue_full with Retry-After
├── Unavailable             503 with Retry-After
└── Internal                500; the reason is in the log only
StartupError                the service cannot start: one message for a person, not an HTTP answer
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

import asyncpg
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from pyscrai.contract.problems import FieldError, Problem
from pyscrai.domain.canonical import clean_text, escape
from pyscrai.domain.errors import InvalidScenario, InvalidValue


class ApiError(Exception):
    """An error with its status. `more` goes into the problem as further members."""

    status: int = 500
    code: str = "internal"
    title: str = "Internal error"

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.more = more


class Invalid(ApiError):
    status, code, title = 400, "invalid", "The request is not valid"


class Unauthorized(ApiError):
    status, code, title = 401, "unauthorized", "A token is needed"

    def __init__(self, detail: str = "send the token as `Authorization: Bearer …`") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(ApiError):
    status, code, title = 403, "forbidden", "Not allowed"


class NotFound(ApiError):
    status, code, title = 404, "not_found", "Not found"


class Conflict(ApiError):
    status, code, title = 409, "conflict", "Conflict"


class StaleLease(Conflict):
    code, title = "stale_lease", "The lease is no longer this engine's"


class TooLarge(ApiError):
    status, code, title = 413, "too_large", "Too large"


class UnsupportedMediaType(ApiError):
    status, code, title = 415, "unsupported_media_type", "Send JSON"


class Unprocessable(ApiError):
    """422: understood, but refused for the reason that `code` names."""

    status, title = 422, "Refused"

    def __init__(self, code: str, detail: str, **more: Any) -> None:
        super().__init__(detail, **more)
        self.code = code


class IdempotencyMismatch(Unprocessable):
    title = "The Idempotency-Key was used for another request"

    def __init__(self, detail: str) -> None:
        super().__init__("idempotency_mismatch", detail)


class QueueFull(ApiError):
    """A lane has no room for `count` more events; the problem also has `lane`, `depth` and `limit`."""

    status, code, title = 429, "queue_full", "The queue is full"

    def __init__(self, lane: str, depth: int, limit: int, retry_after: int, count: int = 1) -> None:
        room = f"{count} more would be more than {limit}" if count > 1 else f"it takes no more than {limit}"
        detail = f"{depth} events wait in the lane {lane!r}; {room}"
        headers = {"Retry-After": str(retry_after)}
        super().__init__(detail, headers=headers, lane=lane, depth=depth, limit=limit)


class Unavailable(ApiError):
    status, code, title = 503, "unavailable", "Not available now"

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class Internal(ApiError):
    """What nobody foresaw; the log has the rest."""


class StartupError(Exception):
    """The service cannot start. The message is for a person; no stack trace belongs beside it."""


OUTAGES = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,  # the driver's own words when a connection dies in the middle of an exchange
    ConnectionError,
)
"""What a database that is away, stopping or starting looks like from here; transient by nature."""
FULL = (asyncpg.DiskFullError, asyncpg.OutOfMemoryError, asyncpg.InsufficientResourcesError)
BUSY = (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, TimeoutError)
UNKEEPABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
"""Bodies are cleaned where they enter; in a path or a query such a character is a mistake."""
TRIED = ("function-", "literal[", "list[", "nullable[", "constrained-")
BY_STATUS: dict[int, Callable[[str], ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    413: TooLarge,
    415: UnsupportedMediaType,
}


def from_exception(error: BaseException) -> ApiError:
    """Any exception as the error that is answered; Internal for what is not known here."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, RequestValidationError):
        return Invalid("the request does not have the expected form", errors=_field_errors(error))
    if isinstance(error, HTTPException):
        # FastAPI wraps what goes wrong while a body is read: the cause is the better answer.
        return error.__cause__ if isinstance(error.__cause__, ApiError) else _from_http(error)
    if isinstance(error, InvalidScenario):
        return Invalid(
            "the scenario is not valid", errors=[FieldError(pointer=p, message=m) for p, m in error.problems]
        )
    if isinstance(error, InvalidValue):
        return Invalid(str(error), errors=[FieldError(pointer=error.pointer, message=str(error))])
    return _from_database(error) or Internal("an unexpected error; the service's log has it under this request's id")


def _from_database(error: BaseException) -> ApiError | None:
    if isinstance(error, FULL):
        return Unavailable("the database has no room left; nothing was changed", retry_after=30)
    if isinstance(error, OUTAGES) or _closed(error):
        return Unavailable("the database does not answer; nothing was lost, try again", retry_after=1)
    if isinstance(error, UNKEEPABLE):
        return Invalid("a text of the request has a character that cannot be kept (NUL)")
    if isinstance(error, BUSY):
        return Unavailable("the database is too busy, try again", retry_after=1)
    # SQLAlchemy wraps the driver's exception, asyncpg's own at the end of the chain.
    inner = getattr(error, "orig", None) or error.__cause__
    return _from_database(inner) if inner is not None and inner is not error else None


def _closed(error: BaseException) -> bool:
    """asyncpg reports a connection that died under its user with its general InterfaceError."""
    return isinstance(error, asyncpg.InterfaceError) and "clos" in str(error)


def _from_http(error: HTTPException) -> ApiError:
    known = BY_STATUS.get(error.status_code)
    answer = known(str(error.detail)) if known else ApiError(str(error.detail))
    answer.headers.update(error.headers or {})
    if known is None:
        answer.status, answer.title = error.status_code, HTTPStatus(error.status_code).phrase
        answer.code = "invalid" if error.status_code < 500 else "internal"
    return answer


def _field_errors(error: RequestValidationError) -> list[FieldError]:
    found = []
    for item in error.errors():
        place = item["loc"][1:] if item["loc"][:1] == ("body",) else item["loc"]
        # Where several forms are possible, pydantic adds which of them it tried; the request has no such place.
        found.append(field_error([part for part in place if not str(part).startswith(TRIED)], item))
    return found


def field_error(place: Iterable[str | int], item: Mapping[str, Any]) -> FieldError:
    """One of pydantic's findings, as a JSON Pointer and a sentence."""
    pointer = "".join(f"/{escape(str(part))}" for part in place)
    return FieldError(pointer=pointer, message=str(item["msg"]))


def moved(error: Invalid, places: Mapping[str, str]) -> Invalid:
    """The same error for a request of another form; `places`: the beginnings of pointers here → what stands there."""

    def there(pointer: str) -> str:
        known = (start for start in places if pointer == start or pointer.startswith(f"{start}/"))
        longest = max(known, key=len, default=None)
        return pointer if longest is None else places[longest] + pointer[len(longest) :]

    errors = [item.model_copy(update={"pointer": there(item.pointer)}) for item in error.errors]
    return Invalid(error.detail, errors=errors, **error.more)


def problem(error: ApiError) -> Response:
    """The answer: `application/problem+json`."""
    body = Problem(
        title=error.title,
        status=error.status,
        code=error.code,
        detail=clean_text(error.detail),
        errors=error.errors,
        **error.more,
    )
    return Response(
        body.model_dump_json(), status_code=error.status, headers=error.headers, media_type="application/problem+json"
    )

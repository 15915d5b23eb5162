"""What a call of the API can raise; the class follows from the `code` of the problem that the API answered.

PyScrAIError
└── ClientError
    ├── ApiUnreachable          no answer: refused, cut off, timed out
    ├── UnexpectedAnswer        an answer that is not in the protocol: something else answers there
    └── ApiError                an answer that says no (`status`, `code`, `detail`)
        ├── InvalidRequest          400 invalid; `errors` says where
        │   └── InvalidMove             422 invalid_move
        ├── Unauthorized            401 unauthorized
        ├── Forbidden               403 forbidden
        ├── NotFound                404 not_found
        ├── Conflict                409 conflict
        │   └── StaleLease              409 stale_lease
        ├── TooLarge                413 too_large
        ├── UnsupportedMediaType    415 unsupported_media_type
        ├── IdempotencyMismatch     422 idempotency_mismatch
        ├── LimitRequired           422 limit_required
        ├── UnpricedModel           422 unpriced_model
        ├── QueueFull               429 queue_full
        ├── Unavailable             503 unavailable, and gateways that answer in the API's place
        └── InternalError           500 internal
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from pyscrai.contract.problems import FieldError, Problem
from pyscrai.domain.errors import PyScrAIError


class ClientError(PyScrAIError):
    """Root of what the client raises."""


class ApiUnreachable(ClientError):
    """No answer came. Whether the request was carried out is unknown: repeat it only where that is safe."""


class UnexpectedAnswer(ClientError):
    """What came back is not what the API answers here: another server, or one of another version."""


class ApiError(ClientError):
    """The API answered with a problem. `retry_after` is in seconds, None where the API named none."""

    def __init__(self, problem: Problem, retry_after: float | None = None) -> None:
        super().__init__(problem.detail or problem.title)
        self.problem = problem
        self.status = problem.status
        self.code = problem.code
        self.detail = problem.detail or problem.title
        self.errors: list[FieldError] = problem.errors
        self.retry_after = retry_after


class InvalidRequest(ApiError):
    """The request or the document in it is wrong; `errors` names each place."""


class Unauthorized(ApiError):
    """No token, or a wrong one."""


class Forbidden(ApiError):
    """The token is not the one for this, or the host or origin is not allowed."""


class NotFound(ApiError):
    """There is nothing at that path."""


class Conflict(ApiError):
    """A duplicate name, or a state that does not allow this."""


class StaleLease(Conflict):
    """The lease is no longer this engine's."""


class TooLarge(ApiError):
    """The body is larger than the API takes."""


class UnsupportedMediaType(ApiError):
    """The API takes JSON here."""


class IdempotencyMismatch(ApiError):
    """The same Idempotency-Key came with another body."""


class InvalidMove(InvalidRequest):
    """A person's move does not fit its form; `errors` names each place."""


class LimitRequired(ApiError):
    """A priced model needs a limit."""


class UnpricedModel(ApiError):
    """No price is known for the model."""


class QueueFull(ApiError):
    """A lane has as much to do as may wait in it: nothing was done; try again after `retry_after` seconds."""


class Unavailable(ApiError):
    """The API stands, but cannot work now (its database does not answer, or is full)."""


class InternalError(ApiError):
    """The API failed in a way that it did not foresee."""


BY_CODE: Mapping[str, type[ApiError]] = {
    "invalid": InvalidRequest,
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
    "not_found": NotFound,
    "conflict": Conflict,
    "stale_lease": StaleLease,
    "too_large": TooLarge,
    "unsupported_media_type": UnsupportedMediaType,
    "idempotency_mismatch": IdempotencyMismatch,
    "invalid_move": InvalidMove,
    "limit_required": LimitRequired,
    "unpriced_model": UnpricedModel,
    "queue_full": QueueFull,
    "unavailable": Unavailable,
    "internal": InternalError,
}
_CODE_OF_STATUS: Mapping[int, str] = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    502: "unavailable",
    503: "unavailable",
    504: "unavailable",
}


def error_of(status: int, body: bytes, retry_after: str | None = None) -> ApiError:
    """The error that an answer stands for, also where it is not the API that answered (a proxy's page)."""
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        text = body[:200].decode("utf-8", "replace").strip()
        code = _CODE_OF_STATUS.get(status, "internal" if status >= 500 else "invalid")
        problem = Problem(
            title=f"HTTP {status}", status=status, code=code, detail=f"HTTP {status}: {text or 'no body'}"
        )
    kind = BY_CODE.get(problem.code) or BY_CODE.get(_CODE_OF_STATUS.get(status, ""), ApiError)
    return kind(problem, _seconds(retry_after))


def _seconds(retry_after: str | None) -> float | None:
    """Retry-After in seconds; its other form, a date, is left aside: clocks of two machines are not compared."""
    try:
        return None if retry_after is None else max(0.0, float(retry_after))
    except ValueError:
        return None

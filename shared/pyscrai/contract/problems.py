"""Errors on the wire: RFC 9457 problems, with a stable `code`."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict

from pyscrai.contract.wire import Wire

Code = Literal[
    "invalid",  # 400 the request or document is wrong; `errors` says where
    "unauthorized",  # 401 no token, or a wrong one
    "forbidden",  # 403 the token is not that engine's; a host or origin that is not allowed
    "not_found",  # 404
    "conflict",  # 409 a duplicate name, or a state that does not allow this
    "stale_lease",  # 409 the lease is no longer this engine's
    "too_large",  # 413
    "unsupported_media_type",  # 415
    "idempotency_mismatch",  # 422 the same Idempotency-Key with another body
    "limit_required",  # 422 a priced model without a limit
    "invalid_move",  # 422 a person's move does not fit its form; `errors` says where
    "unpriced_model",  # 422 no price is known for the model
    "queue_full",  # 429 a lane has as much to do as may wait in it; `lane`, `depth`, `limit`, and Retry-After
    "unavailable",  # 503 the database does not answer, or is full
    "internal",  # 500
]


class FieldError(Wire):
    """One thing that is wrong: `pointer` is a JSON Pointer into the document or request body."""

    pointer: str
    message: str
    hint: str | None = None


class Problem(Wire):
    """The body of every error answer (`application/problem+json`)."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str = ""
    errors: list[FieldError] = []

"""Log lines: JSON on stderr, one object a line, each with a stable event name and the request's id."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar

import structlog
from structlog.typing import EventDict

# No local variables: among them are tokens, passwords and what people wrote.
TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


REQUEST: ContextVar[str] = ContextVar("pyscrai_request")
"""The id of the request that is served. One variable of our own: binding through structlog takes 10 µs a request."""


def with_request(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Say in a line which request it belongs to."""
    request = REQUEST.get(None)
    if request is not None:
        event.setdefault("request", request)
    return event


def configure(level: str = "info") -> None:
    """Set up structlog, and send the libraries' own log lines the same way."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        with_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    structlog.configure(
        processors=[*shared, TRACEBACKS, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                TRACEBACKS,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)

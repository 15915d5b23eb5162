"""JSON lines on stderr: one object per line, a stable event name, ids; never a key."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import FilteringBoundLogger

from pyscrai.contract.events import Claimed
from pyscrai.engine.redaction import redact

_SECRET_KEYS = frozenset({"token", "api_key", "authorization", "password"})


def make_logger(level: str, *, stream: TextIO | None = None, **bound: Any) -> FilteringBoundLogger:
    """A logger that writes to `stream` (stderr by default) what is at least as urgent as `level`."""
    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream or sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(),
            _redacted,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        cache_logger_on_first_use=True,
    )
    return cast(FilteringBoundLogger, logger.bind(**bound))


def about(log: FilteringBoundLogger, event: Claimed) -> FilteringBoundLogger:
    """The logger of one event: where in which run it is, and under which lease it is worked on."""
    return cast(FilteringBoundLogger, _About(log, event))


class _About:
    """Binds what it is about when the first line is written: of most events there is none."""

    __slots__ = ("_bound", "_event", "_log")

    def __init__(self, log: FilteringBoundLogger, event: Claimed) -> None:
        self._log = log
        self._event = event
        self._bound: FilteringBoundLogger | None = None

    def is_enabled_for(self, level: int) -> bool:
        return self._log.is_enabled_for(level)

    def __getattr__(self, name: str) -> Any:
        if self._bound is None:
            self._bound = _bound(self._log, self._event)
        return getattr(self._bound, name)


def _bound(log: FilteringBoundLogger, event: Claimed) -> FilteringBoundLogger:
    place = {"run": event.run_id, "turn": event.turn, "phase": event.phase, "seat": event.seat}
    return log.bind(
        **{name: value for name, value in place.items() if value is not None},
        event_type=event.event_type,
        event_id=event.id,
        lease=event.lease_no,
        attempt=event.attempt,
    )


def capture_standard_logging(log: FilteringBoundLogger) -> None:
    """Let what libraries log through the standard module come out as the same kind of lines."""
    root = logging.getLogger()
    root.handlers = [_Forward(log)]
    root.setLevel(logging.WARNING)


class _Forward(logging.Handler):
    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.log(
            record.levelno,
            "library_message",
            logger=record.name,
            message=record.getMessage(),
            exc_info=record.exc_info or None,
        )


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _redacted(_: Any, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in line.items():
        if name in _SECRET_KEYS:
            line[name] = "***"
        elif isinstance(value, str):
            line[name] = redact(value)
    return line


_encode = json.JSONEncoder(ensure_ascii=False, default=str).encode


def _dumps(line: Any, **_: Any) -> str:
    return _encode(line)

"""What can end the work on an event before it has an outcome, and what can end an engine.

PyScrAIError
└── EngineError
    ├── CannotStart         the engine cannot register or serve; the message says what to do
    ├── LeaseGone           the lease cannot be believed in any more: no new call under it
    ├── TakenBack           the API has handed the event back itself (no money, the run stands still)
    └── CallForbidden       the model may never be called like this (no price, no limit)
"""

from __future__ import annotations

from pyscrai.domain.errors import PyScrAIError


class EngineError(PyScrAIError):
    """Root of what the engine runtime raises."""


class CannotStart(EngineError):
    """The engine cannot register or serve; the message is for the person who started it."""


class LeaseGone(EngineError):
    """The lease is lost, or (not `confirmed`) could not be renewed in time: the API may still count it as ours."""

    def __init__(self, message: str, *, confirmed: bool = True) -> None:
        super().__init__(message)
        self.confirmed = confirmed


class TakenBack(EngineError):
    """A reservation was refused and the API has handed the event back; there is nothing left to report."""


class CallForbidden(EngineError):
    """No price is known for the model, or it needs a limit; `code` is `unpriced_model` or `limit_required`."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code

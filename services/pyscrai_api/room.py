"""Whether the database has room to write. Reads go on without, so that only this tells why a run stands still."""

from __future__ import annotations

import time
from collections.abc import Callable

from pyscrai_api.errors import FULL

REMEMBERED_SECONDS = 15.0
"""Engines try their writes again at least that often, so what is older has been mended."""
NO_ROOM = "the database has no room left; what was accepted is kept, and work goes on when there is room again"


class Room:
    """Remembers when a write was last refused for want of room."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._refused: float | None = None

    def note(self, error: BaseException) -> None:
        """Look at an error that ended a request."""
        if _is_full(error):
            self._refused = self._clock()

    @property
    def trouble(self) -> str | None:
        """What is wrong, in words for a person; None where there is room."""
        if self._refused is None or self._clock() - self._refused > REMEMBERED_SECONDS:
            return None
        return NO_ROOM


def _is_full(error: BaseException | None) -> bool:
    """SQLAlchemy wraps the driver's exception, asyncpg's own at the end of the chain."""
    while error is not None:
        if isinstance(error, FULL):
            return True
        error = getattr(error, "orig", None) or error.__cause__
    return False

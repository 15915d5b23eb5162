"""Lines that somebody types, while the program goes on doing other things."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TextIO


class Leave(Exception):
    """The person leaves the table: `:quit`, or the end of the input."""


class Withdrawn(Exception):
    """What was asked is not asked any more; the message says why."""


class Lines:
    """Reads a terminal line by line. A thread does, which ends with the program: no answer must keep it alive."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdin
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._reading = False

    async def next(self) -> str:
        """The next line without its end. Raises Leave."""
        if not self._reading:
            self._reading = True
            loop = asyncio.get_running_loop()
            threading.Thread(target=self._read, args=(loop,), name="terminal", daemon=True).start()
        line = await self._lines.get()
        if line is None or line.strip() in (":quit", ":q"):
            raise Leave
        return line

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            for line in self._stream:
                loop.call_soon_threadsafe(self._lines.put_nowait, line.rstrip("\r\n"))
            loop.call_soon_threadsafe(self._lines.put_nowait, None)
        except RuntimeError:
            return  # the loop is closed: nobody waits for lines any more

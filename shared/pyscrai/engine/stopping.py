"""How an engine is asked to stop: the first request drains, the second one stops at once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """`drain` is set by the first request, `now` by the second."""

    def __init__(self) -> None:
        self.drain = asyncio.Event()
        self.now = asyncio.Event()
        self.signal: int | None = None

    def request(self, signum: int | None = None) -> None:
        """Ask once more."""
        self.signal = signum or self.signal
        if self.drain.is_set():
            self.now.set()
        self.drain.set()


@contextmanager
def stop_on_signals(stop: Stop) -> Iterator[None]:
    """SIGTERM and SIGINT go to `stop` while inside."""
    loop = asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, stop.request, number)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)

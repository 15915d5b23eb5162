"""The one bridge from blocking calls to async ones: an event loop in a thread of its own, for the whole process.

Being in another thread, it also serves callers that are inside a running loop, such as a notebook.
"""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from threading import Lock
from typing import TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

T = TypeVar("T")
_lock = Lock()
_portal: BlockingPortal | None = None
_open = weakref.WeakSet[ExitStack]()


def portal() -> BlockingPortal:
    """The process's portal; started at the first call, closed at exit."""
    global _portal
    with _lock:
        if _portal is None:
            stack = ExitStack()
            _portal = stack.enter_context(start_blocking_portal(name="pyscrai"))
            atexit.register(_close, stack)
        return _portal


def close_at_exit(held: ExitStack) -> None:
    """Close this before the portal closes; the contexts in it may live on the portal's loop."""
    _open.add(held)


def _close(stack: ExitStack) -> None:
    for held in list(_open):
        held.close()
    stack.close()


def call(function: Callable[[], Awaitable[T]]) -> T:
    """Run an async function there and wait. An interrupt (Ctrl-C) cancels it and waits until it has let go."""
    future = portal().start_task_soon(function)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise

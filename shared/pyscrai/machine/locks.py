"""Advisory locks on files. They go with their process, however it ends; a process id in a file does not."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def open_lock(path: Path) -> int:
    """Open a lock file, readable by its owner only. The handle is not inherited by child processes."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_exclusive(handle: int) -> bool:
    """Take the lock for oneself if nobody has it; False at once if somebody does."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def try_shared(handle: int) -> bool:
    """Take a share of the lock; False at once if somebody has it exclusively."""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_shared(handle: int) -> None:
    """Take a share of the lock, waiting as long as somebody has it exclusively."""
    fcntl.flock(handle, fcntl.LOCK_SH)


def release(handle: int) -> None:
    fcntl.flock(handle, fcntl.LOCK_UN)


def held_exclusively(path: Path) -> bool:
    """Whether a living process has this lock for itself."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not try_shared(handle)
    finally:
        os.close(handle)


@contextmanager
def lock_file(path: Path) -> Iterator[int]:
    """An open lock file; closing it gives back whatever was taken."""
    handle = open_lock(path)
    try:
        yield handle
    finally:
        os.close(handle)


def become_the_one(handle: int) -> bool:
    """Take the lock that says "I live". Somebody who only looks whether we do holds a share for an instant: so it is
    tried more than once."""
    for _ in range(20):
        if try_exclusive(handle):
            return True
        time.sleep(0.005)
    return False


def nobody_left(handle: int, *, keep: bool) -> bool:
    """Whether nobody has a share; `keep` holds on to the lock then, so that none can come either."""
    if not try_exclusive(handle):
        return False
    if not keep:
        release(handle)
    return True

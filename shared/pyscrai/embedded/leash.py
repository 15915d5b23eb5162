"""Ending a child when its parent dies, even by `kill -9` (Linux only; elsewhere a killed parent leaves its children).

As a program, `python -I -S leash.py PARENT SIGNAL PROGRAM ARGUMENTS…` puts itself on the leash and becomes PROGRAM.
That way a parent with threads need not run Python between fork and exec.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
CANNOT_START = 127
"""The exit code of shells for it."""


def die_with_parent(name: str) -> Callable[[], None]:
    """A `preexec_fn`: the child gets this signal when the *thread* that started it ends.

    For parents without other threads only. It runs after `subprocess` has changed the user, which is needed:
    changing the user takes the leash off.
    """
    number = signal.Signals[name].value
    parent = os.getpid()
    if sys.platform != "linux":
        return lambda: None
    libc = ctypes.CDLL(None, use_errno=True)

    def put_on() -> None:
        if libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
        if os.getppid() != parent:
            # The parent died before the leash was on: nobody would ever end us.
            os._exit(1)

    return put_on


def main() -> None:
    parent, name, *program = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.Signals[name].value, 0, 0, 0)
    if os.getppid() != int(parent):
        os._exit(1)
    try:
        os.execvp(program[0], program)
    except OSError as error:
        sys.stderr.write(f"{program[0]} does not start: {error.strerror}\n")
        sys.exit(CANNOT_START)


if __name__ == "__main__":
    main()

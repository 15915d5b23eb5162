"""How a process of ours goes about its memory: while it works, and when it ends."""

from __future__ import annotations

import atexit
import gc


def end_quickly() -> None:
    """Call first in a program: at its end nothing is searched for garbage, which the system takes back anyway.

    With a thousand modules imported those searches cost a tenth of a second of CPU or two, as much as a small play.
    """
    atexit.register(gc.freeze)


SERVICE_THRESHOLD = 50_000
"""New objects after which a service looks for garbage; Python's own 700 is for programs that hold little."""


def collect_rarely() -> None:
    """Call first in a service: what it imports lives as long as it does, and each request makes thousands of objects
    that die without a search. Searching at every seven hundred took a twentieth of the CPU of a play."""
    gc.set_threshold(SERVICE_THRESHOLD, 20, 50)

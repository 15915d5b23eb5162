"""How a process of ours ends."""

from __future__ import annotations

import atexit
import gc


def end_quickly() -> None:
    """Call first in a program: at its end nothing is searched for garbage, which the system takes back anyway.

    With a thousand modules imported those searches cost a tenth of a second of CPU or two, as much as a small play.
    """
    atexit.register(gc.freeze)

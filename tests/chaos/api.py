"""An API replica that can be told to stand still: `python -m tests.chaos.api`, otherwise `python -m pyscrai_api`.

At SIGUSR1 the thread of its event loop sleeps for as many seconds as stand in the file that CHAOS_BLOCK names, as if
a request kept the loop from going on. Its sockets stay open and take in what fits.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from pyscrai_api.__main__ import main

BLOCK = "CHAOS_BLOCK"


def stand_still(number: int, frame: FrameType | None) -> None:
    """In the main thread, between two steps of whatever it does. (`time.sleep` fails under libfaketime.)"""
    threading.Event().wait(float(Path(os.environ[BLOCK]).read_text("utf-8")))


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, stand_still)
    sys.exit(main())

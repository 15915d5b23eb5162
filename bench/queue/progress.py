"""How far the workers of one measurement are: a number per process, in memory that they share."""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from pathlib import Path

SLOTS = 64


class Progress:
    """One counter per worker process. The process that makes it removes its file on `close`."""

    def __init__(self, path: Path | None = None) -> None:
        self._owner = path is None
        if path is None:
            handle, name = tempfile.mkstemp(prefix="pyscrai-bench-")
            os.write(handle, bytes(8 * SLOTS))
            os.close(handle)
            path = Path(name)
        self.path = path
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8 * SLOTS)

    def set(self, slot: int, number: int) -> None:
        """What one process has done so far."""
        struct.pack_into("<q", self._map, 8 * slot, number)

    def total(self) -> int:
        """What all of them have done so far."""
        return sum(struct.unpack_from(f"<{SLOTS}q", self._map))

    def close(self) -> None:
        """Forget it."""
        self._map.close()
        if self._owner:
            self.path.unlink()

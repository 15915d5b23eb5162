"""A small disk of the world's own, which can be full from one moment to the next without harm to anybody else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Disk:
    """A folder; `own` says whether it is a disk of its own, which alone may be full."""

    def __init__(self, place: Path, megabytes: int, *, own: bool) -> None:
        self.place = place
        self.own = own
        self._room = megabytes * 2**20
        self._full = False

    def fill(self) -> None:
        """Leave no room. To be repeated while it shall stay full: what is given back in between is room again."""
        assert self.own, "only a disk of our own may be full"
        found = os.statvfs(self.place)
        self._full = True
        # It shrinks to what is used: nothing has to be written for that.
        self._resize(max(1, found.f_blocks - found.f_bfree) * found.f_frsize)

    def free(self) -> None:
        """As much room as at first."""
        if self._full:
            self._full = False
            self._resize(self._room)

    def _resize(self, size: int) -> None:
        # It refuses where more is used by now; then it is as full as before.
        subprocess.run(["mount", "-o", f"remount,size={size}", self.place], check=False, capture_output=True)


@contextmanager
def disk(place: Path, megabytes: int) -> Iterator[Disk]:
    """For root a mount of its own with so much room, unmounted at the end; else a plain folder."""
    place.mkdir(mode=0o711)
    if os.geteuid() != 0:
        yield Disk(place, megabytes, own=False)
        return
    options = f"size={megabytes}m,mode=0711"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "pyscrai-chaos", place], check=False, capture_output=True
    )
    try:
        yield Disk(place, megabytes, own=mounted.returncode == 0)
    finally:
        if mounted.returncode == 0:
            # Lazily: a backend that is just ending must not keep the mount alive.
            subprocess.run(["umount", "-l", place], check=True)

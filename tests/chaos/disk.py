"""A small disk of the world's own, which can be filled to the last byte without harm to anybody else."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHUNK = 1 << 20


class Disk:
    """A folder; `own` says whether it is a disk of its own, which alone may be filled."""

    def __init__(self, place: Path, own: bool) -> None:
        self.place = place
        self.own = own
        self._filler = place / "filler"

    def fill(self) -> int:
        """Take all room that is left; returns the bytes taken. To be repeated while it shall stay full: what the
        server gives back in between is taken too."""
        assert self.own, "only a disk of our own may be filled"
        taken = 0
        handle = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = CHUNK
            while size >= 4096:
                try:
                    taken += os.write(handle, bytes(size))
                except OSError as error:
                    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                        raise
                    size //= 4
        finally:
            os.close(handle)
        return taken

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def disk(place: Path, megabytes: int) -> Iterator[Disk]:
    """For root a mount of its own with so much room, unmounted at the end; else a plain folder."""
    place.mkdir(mode=0o711)
    if os.geteuid() != 0:
        yield Disk(place, own=False)
        return
    options = f"size={megabytes}m,mode=0711"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "pyscrai-chaos", place], check=False, capture_output=True
    )
    try:
        yield Disk(place, own=mounted.returncode == 0)
    finally:
        if mounted.returncode == 0:
            # Lazily: a backend that is just ending must not keep the mount alive.
            subprocess.run(["umount", "-l", place], check=True)

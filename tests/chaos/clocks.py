"""Wall clocks of engines that are off by hours, and that jump while the engine works."""

from __future__ import annotations

import random
from pathlib import Path

LIBRARY = "libfaketimeMT.so.1"
PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/lib64/faketime", "/usr/local/lib/faketime")
MOST_HOURS = 48


def library() -> Path | None:
    """libfaketime, where it is installed (Debian: `apt-get install libfaketime`)."""
    found = [path for place in PLACES for path in Path("/").glob(f"{place.removeprefix('/')}/{LIBRARY}")]
    return found[0] if found else None


class Clock:
    """The wall clock of one engine, in a file that it reads once a second. The monotonic clock stays right."""

    def __init__(self, file: Path, chance: random.Random) -> None:
        self._file = file
        self._chance = chance
        self.hours = 0.0
        self.jump()

    def jump(self) -> float:
        """Another time, somewhere in four days; returns by how many hours it is off now."""
        self.hours = round(self._chance.uniform(-MOST_HOURS, MOST_HOURS), 2)
        new = self._file.with_suffix(".new")
        new.write_text(f"{round(self.hours * 3600):+d}\n", "utf-8")
        new.replace(self._file)
        return self.hours

    def environment(self, faketime: Path) -> dict[str, str]:
        """What the engine must be started with."""
        return {
            "LD_PRELOAD": str(faketime),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

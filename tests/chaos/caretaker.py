"""Cleans up after a world whose harness was killed: `python -I -S caretaker.py FOLDER` (root also unmounts).

It waits until its standard input closes, which only the end of the harness does, however that came. Then everything
that still belongs to the folder goes: processes, mounts, and the folder itself unless it was told `keep` before.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

SECONDS = 20.0


def belongs(pid: str, folder: bytes) -> bool:
    """Whether a process works in the folder, was called with it, or has it in its environment."""
    proc = f"/proc/{pid}"
    try:
        here = os.fsencode(os.readlink(f"{proc}/cwd"))
        if here == folder or here.startswith(folder + b"/"):
            return True
        words = b""
        for name in ("cmdline", "environ"):
            with open(f"{proc}/{name}", "rb") as file:
                words += file.read()
    except OSError:
        return False  # it has ended, or is another user's
    return folder + b"/" in words


def left(folder: bytes) -> list[int]:
    found = [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid()]
    return [int(pid) for pid in found if belongs(pid, folder)]


def end_all(folder: Path) -> None:
    """Kill until nothing of the folder is left; what is killed may have been starting something."""
    until = time.monotonic() + SECONDS
    while (pids := left(os.fsencode(folder))) and time.monotonic() < until:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)


def unmount(folder: Path) -> None:
    with open("/proc/mounts", encoding="utf-8") as file:
        places = [line.split()[1] for line in file]
    for place in places:
        if place.startswith(f"{folder}/"):
            subprocess.run(["umount", "-l", place], check=False)


def main() -> None:
    folder = Path(sys.argv[1])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    said = sys.stdin.read()
    end_all(folder)
    unmount(folder)
    if "keep" not in said.split():
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

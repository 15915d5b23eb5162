"""Nothing of a world is left behind, however its harness ends; and its clocks are as wrong as they say."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.chaos.clocks import Clock, library
from tests.chaos.disk import disk
from tests.conftest import ROOT

HARNESS = """
import os, subprocess, sys, time
from tests.chaos.disk import disk
from tests.chaos.ground import ground
with ground(None) as folder, disk(folder / "disk", 8) as own:
    (folder / "disk" / "file").write_text("x")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env={"A": f"{folder}/x"})
    print(folder, child.pid, own.own, flush=True)
    if len(sys.argv) > 1:
        time.sleep(600)
    child.kill()
    child.wait()
"""


def begun(*args: str) -> tuple[subprocess.Popen[str], Path, int, bool]:
    harness = subprocess.Popen([sys.executable, "-c", HARNESS, *args], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert harness.stdout is not None
    folder, child, own = harness.stdout.readline().split()
    return harness, Path(folder), int(child), own == "True"


def gone(folder: Path, child: int) -> bool:
    return not folder.exists() and not lives(child) and str(folder) not in Path("/proc/mounts").read_text()


def lives(pid: int) -> bool:
    """A process that nobody reaps, as in some containers, does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(folder: Path, child: int) -> None:
    end = time.monotonic() + 60
    while not gone(folder, child):
        assert time.monotonic() < end, f"left behind: {folder}, or process {child}"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_harness_that_is_ended_leaves_nothing(number: signal.Signals) -> None:
    harness, folder, child, _ = begun("wait")
    with harness:
        harness.send_signal(number)
        assert harness.wait(60) != 0
        wait_until_gone(folder, child)


def test_a_harness_that_ends_leaves_nothing() -> None:
    harness, folder, child, _ = begun()
    with harness:
        assert harness.wait(60) == 0
        wait_until_gone(folder, child)


def test_a_clock_is_wrong_and_jumps(tmp_path: Path) -> None:
    faketime = library()
    if faketime is None:
        pytest.skip("libfaketime is not installed")
    clock = Clock(tmp_path / "clock", random.Random(1))
    look = "import sys, time\nfor line in sys.stdin: print(time.time(), flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", look],
        env=clock.environment(faketime),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            wait_until_off(process, clock.hours)
            wait_until_off(process, clock.jump())
        finally:
            process.kill()


def wait_until_off(process: subprocess.Popen[str], hours: float) -> None:
    """It reads its time anew once a second."""
    assert process.stdin is not None
    assert process.stdout is not None
    end = time.monotonic() + 60
    while True:
        process.stdin.write("\n")
        process.stdin.flush()
        off = float(process.stdout.readline()) - time.time()
        if abs(off - hours * 3600) < 60:
            return
        assert time.monotonic() < end, f"off by {off / 3600:.2f} hours, not by {hours}"
        time.sleep(0.02)


def test_a_full_disk_has_room_again(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", 64) as own:
        if not own.own:
            pytest.skip("only root can have a disk of its own")
        file = own.place / "file"
        file.write_bytes(bytes(1_000_000))
        own.fill()
        with pytest.raises(OSError, match="No space"), file.open("ab") as more:
            more.write(bytes(1_000_000))
        own.free()
        file.write_bytes(bytes(10_000_000))
        assert file.stat().st_size == 10_000_000

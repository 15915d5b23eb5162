"""The protocol of the queue as a model (docs/protocol.md): Spin finds nothing wrong with it, and something with each of
its broken variants. `make protocol` runs this; without Spin and a C compiler it is skipped."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[3] / "docs" / "protocol" / "queue.pml"
COMPILER = shutil.which("gcc") or shutil.which("cc")
BROKEN = {
    "NO_FENCE": r"assertion violated",
    "OWNER_FENCE": r"assertion violated",
    "NO_RUN_LOCK": r"assertion violated|invalid end state",
    "BLIND_SWEEP": r"assertion violated",
    "BLIND_CLAIM": r"assertion violated",
    "PAUSE_TAKES_LEASES": r"assertion violated",
    "COMMIT_WHILE_PAUSED": r"assertion violated \(status!=1\)",
    "RESUME_FORGETS": r"invalid end state",
    "HOLD_WITHOUT_LOCK": r"invalid end state",
    "COUNTED_HAND_BACK": r"assertion violated \(claims",
}
"""What is left out, and how Spin says that this shows."""

pytestmark = pytest.mark.skipif(
    shutil.which("spin") is None or COMPILER is None,
    reason="the protocol is checked with Spin and a C compiler (Debian: apt install spin gcc)",
)


def verify(folder: Path, *flags: str) -> str:
    """Spin's report on every interleaving of the model, up to the first error."""
    source = folder / MODEL.name
    source.write_text(MODEL.read_text("utf-8"), "utf-8")
    # -w: the generated C indexes arrays behind checks that the compiler does not see. What is broken is found at once.
    level = "-O0" if flags else "-O2"
    commands = (
        ["spin", *(f"-D{flag}" for flag in flags), "-a", source.name],
        [str(COMPILER), level, "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c"],
        ["./pan", "-m100000", "-w22"],
    )
    for command in commands:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def errors(report: str) -> int:
    found = re.search(r"errors: (\d+)", report)
    assert found, report
    return int(found[1])


def test_the_protocol_holds(tmp_path: Path) -> None:
    report = verify(tmp_path)
    assert errors(report) == 0, report
    assert "Search not completed" not in report, report
    assert "max search depth too small" not in report, report


@pytest.mark.parametrize("left_out", BROKEN)
def test_each_rule_is_needed(tmp_path: Path, left_out: str) -> None:
    report = verify(tmp_path, left_out)
    assert errors(report) == 1, report
    assert re.search(BROKEN[left_out], report), report


def test_every_rule_that_can_be_left_out_is() -> None:
    named = set(re.findall(r"(?:ifdef|ifndef|defined\()\s*([A-Z_]+)", MODEL.read_text("utf-8")))
    assert named - {"STEPS", "EVENTS", "PATIENCE"} == set(BROKEN)

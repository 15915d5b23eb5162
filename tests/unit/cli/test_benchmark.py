"""The figures of a benchmark: from logs and processes, and into a page."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import click
import pytest
from tests.unit.cli.conftest import Sheet
from tests.unit.cli.recorded import Recorder, run

from pyscrai.cli.benchmark import memory
from pyscrai.cli.benchmark.figures import Figures, cost_per_turn, machine, percentile, turn_seconds
from pyscrai.cli.benchmark.page import show, write_into
from pyscrai.sdk.result import result_of


def test_a_turn_lasts_from_its_start_to_its_end() -> None:
    log = Recorder().add("turn_started", turn=1).add("turn_complete", turn=1).add("turn_started", turn=2).entries
    times = ("09:30:00.000000Z", "09:30:01.250000+00:00", "09:30:01.250000Z")
    timed = [entry.model_copy(update={"at": f"2026-11-20T{at}"}) for entry, at in zip(log, times, strict=True)]
    assert turn_seconds(timed) == [1.25]


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (2, 2), (20, 19), (100, 95)])
def test_the_95th_percentile_is_a_value_that_was_measured(count: int, expected: int) -> None:
    assert percentile([float(value) for value in range(count, 0, -1)], 0.95) == expected


def test_the_cost_of_a_turn_is_over_all_runs() -> None:
    log = Recorder().add("turn_complete", turn=1).add("turn_complete", turn=2).entries
    results = [result_of(run(spent=Decimal(spent)), log) for spent in ("0.01", "0.03")]
    assert cost_per_turn(results) == Decimal("0.01")


def test_memory_is_that_of_this_process_and_what_it_started() -> None:
    script = "import sys; held = bytearray(50_000_000); print('ready', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", script, "pyscrai_actor"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        found = memory.sample(os.getpid(), None)
        assert set(found) == {"command", "actor"}
        assert found["actor"] > 50_000_000
        peaks = memory.Peaks()
        peaks.add(found)
        peaks.add({"command": 1, "actor": 2})
        assert (peaks.total, peaks.by_kind["actor"]) == (sum(found.values()), found["actor"])
    gone = memory.sample(os.getpid(), child.pid)
    assert gone["postgresql"] == 0


FIGURES = Figures(
    scenario="ferry", policy="turns@1", seats=4, metrics=3, checks=1, model="rehearsal", latency=1.0, runs=3, turns=5,
    turn_average=4.0312, turn_p95=4.1, turn_min=4.0, turn_max=4.2, calls_per_turn=9.0, cost_per_turn=Decimal("0.0021"),
    play=20.4, first_turn=7.0, start_command=0.15, start_api=3.2, memory=400.04, memory_of={"api": 90.0},
    log_digest="ab",
)  # fmt: skip


def test_figures_are_written_between_the_marks_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Before.\n<!-- benchmark -->\nold\n<!-- /benchmark -->\nAfter.\n")
    for _ in range(2):
        write_into(page, "benchmark", machine(), [FIGURES])
    text = page.read_text()
    assert text.startswith("Before.\n<!-- benchmark -->\nMachine: ")
    assert text.endswith("<!-- /benchmark -->\nAfter.\n")
    assert "old" not in text
    assert "| ferry (4 seats, 3 metrics, 1 check) | 3 × 5 turns | 1 s | 4.031 s |" in text
    page.write_text("no marks")
    with pytest.raises(click.ClickException, match="no <!-- benchmark -->"):
        write_into(page, "benchmark", machine(), [FIGURES])
    assert page.read_text() == "no marks"


def test_the_page_on_the_screen_fits_and_json_has_all() -> None:
    sheet = Sheet()
    show(sheet.paper, FIGURES)
    assert "4.031 s (4.000 to 4.200 s; 3 runs of 5 turns)" in sheet.text
    assert all(len(line) <= 80 for line in sheet.text.splitlines())
    told = FIGURES.as_json()
    assert told["turn_seconds"] == {"average": 4.031, "p95": 4.1, "min": 4.0, "max": 4.2}
    assert (told["memory_mb"], told["cost_per_turn"]) == ({"total": 400.0, "api": 90.0}, "0.0021")

"""`pyscrai benchmark`: real runs, real processes."""

from __future__ import annotations

import json

from tests.acceptance.terminal import Cli, Doors


def test_a_benchmark_says_how_long_and_how_much(cli: Cli, doors: Doors) -> None:
    scenario, _ = doors(0)
    done = cli("benchmark", scenario, "--turns", "2", "--runs", "1", "--latency", "0.1", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told["machine"]) == {"processor", "cores", "memory_gb", "system", "python", "load"}
    (one,) = told["results"]
    assert (one["scenario"], one["runs"], one["turns"], one["model_calls_per_turn"]) == ("two-doors", 1, 2, 3.0)
    # Two phases, each with one call after the other: no turn can be faster than that.
    assert one["turn_seconds"]["min"] >= 0.2
    assert one["turn_seconds"]["min"] <= one["turn_seconds"]["average"] <= one["turn_seconds"]["p95"]
    assert one["cost_per_turn"] == "0.000000"
    memory = one["memory_mb"]
    assert {"api", "actor", "narrator", "analyst", "command", "total"} <= set(memory)
    assert max(size for kind, size in memory.items() if kind != "total") < memory["total"]
    assert set(one["start_up_seconds"]) == {"command", "api", "first_turn"}


def test_what_cannot_be_measured_is_refused(cli: Cli) -> None:
    assert cli("benchmark", "no-such-example").returncode == 2
    assert cli("benchmark", "negotiation", "--latency", "1", "--model", "gpt-4o").returncode == 2

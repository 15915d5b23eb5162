"""Estimates against the bill of a provider whose answers are of log-normal length: calibrated on one scenario, held
against runs of others."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.fleet import Fleet, fleet
from tests.acceptance.terminal import Cli

from pyscrai.sdk.scenario import Scenario
from pyscrai.sdk.shipped import shipped_scenarios
from pyscrai_mock_provider import MockProvider, mock_provider_process

PRICE = {"input": "0.15", "output": "0.6"}
SEEDS = (1, 2, 3)
WITHIN = Decimal("0.25")


def content(name: str, **more: Any) -> dict[str, Any]:
    document = Scenario.load(shipped_scenarios()[name]).content()
    # How many turns are played is not what is estimated here.
    document["schedule"].pop("end_when", None)
    return document | more


def choices(provider: MockProvider, seed: int) -> dict[str, Any]:
    return {"model": provider.model, "prices": {provider.model: PRICE}, "limit": "5", "seed": seed}


def played(machines: Fleet, provider: MockProvider, document: dict[str, Any], seed: int) -> Decimal:
    """What the provider billed for a run, which is what we say that it cost."""
    before = Decimal(provider.bill()["totals"]["cost"])
    run = machines.ended(machines.play(document, **choices(provider, seed)))
    assert run["status"] == "completed", run["reason"]
    billed = Decimal(provider.bill()["totals"]["cost"]) - before
    assert Decimal(run["spent"]) == billed > 0
    return billed


def estimated(machines: Fleet, provider: MockProvider, document: dict[str, Any]) -> dict[str, Any]:
    body = {"content": document, "choices": choices(provider, 0)}
    found: dict[str, Any] = machines.post("/estimates", body)
    return found


@pytest.mark.timeout(300)
def test_an_estimate_is_near_the_bill_of_scenarios_that_it_was_not_calibrated_on(dsn: str, tmp_path: Path) -> None:
    lengths = ("--length-median=190", "--length-sigma=0.45", "--seed=5")
    with mock_provider_process(*lengths) as provider, fleet(dsn, tmp_path / "fleet") as machines:
        played(machines, provider, content("negotiation"), 7)
        held = []
        for name in ("crisis-cabinet", "first-read"):
            document = content(name)
            told = estimated(machines, provider, document)
            assert told["exact"], told["why"]
            assert {one["calls"] > 0 for one in told["calibration"]} == {True}
            cost = {end: Decimal(told["cost"][end]) for end in ("low", "expected", "high")}
            for seed in SEEDS:
                before = provider.bill()["totals"]["billed"]
                billed = played(machines, provider, document, seed)
                assert provider.bill()["totals"]["billed"] - before >= told["calls"]["expected"]
                assert abs(billed / cost["expected"] - 1) <= WITHIN, (name, seed, billed, told["cost"])
                held.append(cost["low"] <= billed <= cost["high"])
                assert billed < Decimal(told["at_most"])
        # Nine of ten are meant to lie in the range; of six one may not.
        assert sum(held) >= len(held) - 1, held


@pytest.mark.timeout(300)
def test_a_run_says_what_it_will_cost_and_does_not_wait_for_an_answer(cli: Cli) -> None:
    with mock_provider_process("--length-median=60") as provider:
        paid = ("--model", provider.model, "--price", f"{provider.model}=0.15,0.6")
        told = json.loads(cli("estimate", "first-read", *paid, "--json").stdout)
        assert told["exact"]
        assert provider.bill()["totals"]["billed"] == 0, "an estimate spends nothing"
        page = cli("estimate", "first-read", *paid)
        assert page.returncode == 0
        assert "No run was paid for here with these models yet" in page.stdout
        run = cli("run", "first-read", *paid, "--limit", "0.5", "--json")
        assert run.returncode == 0, run.stderr
        assert f"Estimate: {told['calls']['expected']} model calls" in run.stderr
        assert "limit $0.50" in run.stderr
        assert json.loads(run.stdout)["model_calls"] == told["calls"]["expected"]
        assert "paid calls of these models here" in " ".join(cli("estimate", "first-read", *paid).stdout.split())
    assert "Estimate" not in cli("run", "first-read", "--json").stderr, "what is free needs none"
    too_little = cli("estimate", "first-read", *paid, "--limit", "0.0001")
    assert "may not be enough" in " ".join(too_little.stdout.split())

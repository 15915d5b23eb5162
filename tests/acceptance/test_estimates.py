"""Estimates against the bill of a provider whose answers are of log-normal length: calibrated on one scenario, held
against runs of others."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.fleet import Fleet, fleet

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

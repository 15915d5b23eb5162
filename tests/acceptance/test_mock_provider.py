"""Runs at the mock provider: two accounts of the same calls, kept by two parties that share no code for it."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.acceptance.fleet import Fleet, fleet
from tests.acceptance.terminal import SCENARIO
from tests.acceptance.test_kills import query

from pyscrai_mock_provider import MockProvider, mock_provider, mock_provider_process
from pyscrai_mock_provider.faults import FAULTS, SETS

PRICE = {"input": "0.15", "output": "0.6"}
CALLS = """
SELECT count(*) FILTER (WHERE state = 1) AS open, count(*) FILTER (WHERE state = 3) AS assumed,
       coalesce(sum(cost) FILTER (WHERE state = 2), 0) AS settled, sum(cost) AS cost
FROM calls WHERE run_id = $1 AND state <> 4
"""
FAULTY: dict[str, dict[str, Any]] = {fault: {"fault": [f"{fault}=0.25"]} for fault in SETS["passing"]}
FAULTY["all at once"] = {"faults": "passing"}
FOR_A_PERSON = {"model_key_refused", "model_context_exceeded", "bound_exceeded"}


def play(machines: Fleet, provider: MockProvider) -> dict[str, Any]:
    """Begin a run of two seats at this provider."""
    return machines.play(
        yaml.safe_load(SCENARIO), model=provider.model, limit="1", prices={provider.model: PRICE}, seed=3
    )


@pytest.mark.timeout(300)
def test_without_faults_both_accounts_are_equal(dsn: str, tmp_path: Path) -> None:
    with (
        mock_provider_process("--length-median=90", "--latency=lognormal:0.05,0.5", "--key=sk-planted-01") as provider,
        fleet(dsn, tmp_path / "fleet", PYSCRAI_MODEL_API_KEY="sk-planted-01") as machines,
    ):
        run = machines.ended(play(machines, provider))
        bill = provider.bill()
    assert run["status"] == "completed", run
    assert bill["totals"]["billed"] == bill["totals"]["delivered"] >= 9
    assert Decimal(run["spent"]) == Decimal(bill["totals"]["cost"]) > 0


@pytest.mark.timeout(300)
def test_with_faults_ours_is_never_below_theirs(dsn: str, tmp_path: Path) -> None:
    """Each fault that passes, and all at once: runs end, and what is paid is what was billed and what was assumed.

    They are played at the same time, each at a provider of its own.
    """
    # As long as a call may take, since one fault never answers; a busy machine must not make others as slow.
    settings = {"PYSCRAI_RETRY_BASE": "0.1", "PYSCRAI_CALL_SECONDS": "12"}
    with fleet(dsn, tmp_path / "fleet", **settings) as machines, ExitStack() as stack:
        asked = {
            fault: stack.enter_context(mock_provider(**options, retry_after=0.1, seed=11))
            for fault, options in FAULTY.items()
        }
        begun = {fault: play(machines, provider) for fault, provider in asked.items()}
        for fault, provider in asked.items():
            check(dsn, fault, machines.ended(begun[fault]), provider.bill())


def check(dsn: str, fault: str, run: dict[str, Any], bill: dict[str, Any]) -> None:
    """Hold our account of a run that is over against the provider's."""
    assert run["status"] in ("completed", "blocked"), (fault, run)
    assert bill["endings"].keys() - {"answered"}, (fault, bill["endings"])
    (paid,) = query(dsn, CALLS, run["id"])
    assert paid["open"] == 0, fault
    assert Decimal(run["spent"]) == paid["cost"] >= Decimal(bill["totals"]["cost"]), fault
    told = [line for line in bill["lines"] if line["delivered"] and line["fault"] != "no_usage"]
    assert paid["settled"] == sum(Decimal(line["cost"]) for line in told), fault
    assert paid["assumed"] >= len(bill["lines"]) - len(told), fault


@pytest.mark.timeout(600)
def test_one_run_meets_every_fault_and_ends(dsn: str, tmp_path: Path) -> None:
    """Half of its requests go wrong, in every way there is; a person only says that it shall go on."""
    scenario = yaml.safe_load(SCENARIO) | {"schedule": {"turns": 8, "phases": ["decision", "world_update"]}}
    settings = {"PYSCRAI_RETRY_BASE": "0.1", "PYSCRAI_CALL_SECONDS": "2"}
    rates = [f"{fault}=0.035" for fault in FAULTS]
    with (
        mock_provider(fault=rates, retry_after=0.1, seed=5) as provider,
        fleet(dsn, tmp_path / "fleet", **settings) as machines,
    ):
        prices = {provider.model: PRICE}
        run = machines.play(scenario, model=provider.model, limit="5", prices=prices, seed=3, max_failures=50)
        for _ in range(60):
            found = machines.ended(run)
            if found["status"] == "completed":
                break
            assert found["reason"]["code"] in FOR_A_PERSON, found
            machines.post(f"/runs/{run['id']}/resume")
        bill = provider.bill()
    assert (found["status"], found["turn"]) == ("completed", 8), found
    assert len(bill["endings"].keys() & set(FAULTS)) >= 10, bill["endings"]
    (paid,) = query(dsn, CALLS, run["id"])
    assert paid["open"] == 0
    told = [line for line in bill["lines"] if line["delivered"] and line["fault"] != "no_usage"]
    assert paid["settled"] == sum(Decimal(line["cost"]) for line in told)
    assert Decimal(found["spent"]) == paid["cost"] >= Decimal(bill["totals"]["cost"])

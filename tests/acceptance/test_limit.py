"""A limit is held by real processes: fifty seats, two actor engines, and money for exactly five calls."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.fleet import Fleet, fleet, script, until
from tests.acceptance.terminal import Cli
from tests.acceptance.test_kills import query

from pyscrai.domain.scenario import Scenario

SEATS, PAID = 50, 5
CALLS = """
SELECT count(*) FILTER (WHERE state = 2 AND cost = reserved) AS at_bound, count(*) AS made, sum(cost) AS cost
FROM calls WHERE run_id = $1 AND state <> 4
"""
LIVE = "SELECT state, failures, losses, need FROM queue WHERE run_id = $1"
ATTEMPTS = """
SELECT a.kind, count(*) AS times, count(DISTINCT a.event_id) AS events
FROM attempts a JOIN events e ON e.id = a.event_id WHERE e.run_id = $1 GROUP BY a.kind
"""
HELD, HANDED_BACK = 5, 3


def crowd() -> dict[str, Any]:
    """Seats whose names are equally long and who have nothing else, so that all prompts, and with them all upper
    bounds, are equal: a bound is counted in bytes of the request."""
    seats: dict[str, Any] = {f"seat-{i:02d}": {} for i in range(SEATS)}
    schedule = {"turns": 1, "phases": ["decision"]}
    return Scenario.model_validate({"name": "crowd", "seats": seats, "schedule": schedule}).content()


def play(machines: Fleet, model: str, limit: Decimal) -> dict[str, Any]:
    prices = {model: {"input": "1", "output": "2"}}
    return machines.play(crowd(), model=model, limit=f"{limit:f}", prices=prices)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("raised_by", ["pyscrai runs resume --limit", "PATCH"])
def test_money_for_five_calls_buys_five(dsn: str, tmp_path: Path, cli: Cli, raised_by: str) -> None:
    answers = tmp_path / "script.yaml"
    model = script(answers, usage="upper_bound")
    with fleet(dsn, tmp_path / "fleet", engines=2) as machines:
        # The bound is what a run without want of money reserved; every call has used exactly that.
        rich = machines.ended(play(machines, model, Decimal(100)))
        bounds = query(dsn, "SELECT DISTINCT reserved AS bound FROM calls WHERE run_id = $1", rich["id"])
        assert len(bounds) == 1, "the prompts of these seats are not equally long"
        bound = bounds[0]["bound"]
        assert (rich["status"], Decimal(rich["spent"])) == ("completed", SEATS * bound)

        # So slow that every other event is refused while the five calls are open: nothing settles before.
        script(answers, usage="upper_bound", latency=4)
        poor = play(machines, model, PAID * bound)
        refused = "SELECT count(*) AS events FROM queue WHERE run_id = $1 AND need IS NOT NULL"
        until("the refusals", lambda: query(dsn, refused, poor["id"])[0]["events"] == SEATS - PAID)
        paused = machines.ended(poor)
        assert (paused["status"], paused["reason"]["code"]) == ("paused", "out_of_money")
        assert Decimal(paused["reason"]["needed"]) == (PAID + 1) * bound
        assert Decimal(paused["spent"]) == Decimal(paused["limit"]) == PAID * bound
        assert (Decimal(paused["reserved"]), paused["model_calls"], paused["open"]) == (0, PAID, SEATS - PAID)
        assert query(dsn, CALLS, poor["id"]) == [{"at_bound": PAID, "made": PAID, "cost": PAID * bound}]
        live = query(dsn, LIVE, poor["id"])
        assert live == [{"state": HELD, "failures": 0, "losses": 0, "need": bound}] * (SEATS - PAID)
        back = {"kind": HANDED_BACK, "times": SEATS - PAID, "events": SEATS - PAID}
        assert query(dsn, ATTEMPTS, poor["id"]) == [back]

        script(answers, usage="upper_bound")
        raise_limit(machines, cli, poor, SEATS * bound, raised_by)
        ended = machines.ended(poor)
        assert (ended["status"], ended["log_digest"]) == ("completed", rich["log_digest"])
        assert (Decimal(ended["spent"]), ended["model_calls"]) == (SEATS * bound, SEATS)
        assert query(dsn, CALLS, poor["id"]) == [{"at_bound": SEATS, "made": SEATS, "cost": SEATS * bound}]


def raise_limit(machines: Fleet, cli: Cli, run: dict[str, Any], limit: Decimal, how: str) -> None:
    if how == "PATCH":
        machines.http.patch(f"/runs/{run['id']}", json={"limit": f"{limit:f}"}).raise_for_status()
        return
    url = f"http://127.0.0.1:{machines.port}"
    done = cli("runs", "resume", f"crowd/{run['label']}", "--limit", f"{limit:f}", "--api-url", url)
    assert done.returncode == 0, done.stderr

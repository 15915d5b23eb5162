"""PostgreSQL killed with −9 in mid-run, and the API with it: nothing is lost, the story is the same."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from tests.acceptance.fleet import fleet, script, until
from tests.acceptance.test_kills import QUICK, council, query
from tests.conftest import broken_invariants, run_apart

from pyscrai.embedded.database import embedded_database, remove_database


def postmaster(data: Path) -> int:
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        if "pyscrai.embedded.supervisor" in command and str(data) in command:
            children: list[psutil.Process] = process.children()
            return children[0].pid if children else 0
    return 0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("also", ["the database alone", "the api too"])
def test_killed_in_mid_run(tmp_path: Path, also: str) -> None:
    data = tmp_path / "data"
    model = script(tmp_path / "script.yaml", latency=0.1)
    try:
        with embedded_database(data) as dsn, fleet(dsn, tmp_path / "fleet", engines=2, **QUICK) as machines:
            expected = machines.ended(machines.play(council(5, 8), model=model))
            run = machines.play(council(5, 8), model=model)
            until("turn 3", lambda: machines.get(f"/runs/{run['id']}")["turn"] >= 3)
            before = postmaster(data)
            os.kill(before, signal.SIGKILL)
            if also == "the api too":
                machines.kill("api")
                until("another server", lambda: postmaster(data) not in (0, before))
                machines.start("api")
            until("the API", machines.ready)
            ended = machines.ended(run)
            assert (ended["status"], ended["log_digest"]) == ("completed", expected["log_digest"])
            calls = "SELECT count(*) AS made, count(DISTINCT event_id) AS events FROM calls"
            paid = query(dsn, f"{calls} WHERE state <> 4 AND run_id = $1", run["id"])[0]
            assert paid["made"] - paid["events"] <= 5, "more was paid twice than was in flight"
            assert not run_apart(lambda: broken_invariants(dsn))
    finally:
        remove_database(data)

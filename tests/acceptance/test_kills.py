"""Engines, API and database die at any moment: nothing is lost, nothing is done twice, the story is the same."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from tests.acceptance.fleet import Fleet, fleet, script, until
from tests.conftest import run_apart

from pyscrai.domain.scenario import Scenario

QUICK = {"PYSCRAI_LEASE_SECONDS": "2", "PYSCRAI_HEARTBEAT_SECONDS": "0.5"}
KILLS = 30


def council(seats: int, turns: int) -> dict[str, Any]:
    return Scenario.model_validate(
        {
            "name": "council",
            "world": {"text": "The council meets."},
            "seats": {f"member-{i:02d}": {"goals": ["be heard"]} for i in range(seats)},
            "schedule": {"turns": turns, "phases": ["decision", "world_update"]},
        }
    ).content()


def query(dsn: str, text: str, *args: Any) -> list[dict[str, Any]]:
    async def work() -> list[dict[str, Any]]:
        connection = await asyncpg.connect(dsn)
        try:
            return [dict(row) for row in await connection.fetch(text, *args)]
        finally:
            await connection.close()

    return run_apart(work)


@pytest.mark.timeout(400)
def test_thirty_engines_killed_while_they_hold_leases(dsn: str, tmp_path: Path) -> None:
    model = script(tmp_path / "script.yaml", latency=0.2)
    chance = random.Random(7)
    with fleet(dsn, tmp_path / "fleet", engines=4, **QUICK) as machines:
        expected = machines.ended(machines.play(council(12, 10), model=model))
        assert expected["status"] == "completed"
        kills = 0
        while kills < KILLS:
            run = machines.play(council(12, 10), model=model, max_losses=1000)
            while kills < KILLS and machines.get(f"/runs/{run['id']}")["status"] == "running":
                kills += kill_a_holder(machines, chance)
            ended = machines.ended(run)
            assert (ended["status"], ended["log_digest"]) == ("completed", expected["log_digest"])
    lost = query(dsn, "SELECT count(DISTINCT engine_id) AS engines FROM attempts WHERE kind = 2")
    assert lost[0]["engines"] >= KILLS * 0.8


def kill_a_holder(machines: Fleet, chance: random.Random) -> int:
    """Ask the API who holds a lease, kill one of them with −9 and start another; returns how many were killed."""
    names = machines.pids()
    events = machines.get("/events", status="processing", limit=200)["items"]
    holders = sorted({names[event["engine_id"]] for event in events if event["engine_id"] in names})
    if not holders:
        return 0
    name = chance.choice(holders)
    machines.kill(name)
    machines.start(name)
    return 1


@pytest.mark.timeout(300)
def test_the_api_killed_in_mid_run(dsn: str, tmp_path: Path) -> None:
    model = script(tmp_path / "script.yaml", latency=0.1)
    with fleet(dsn, tmp_path / "fleet", engines=2, **QUICK) as machines:
        expected = machines.ended(machines.play(council(5, 8), model=model))
        run = machines.play(council(5, 8), model=model)
        for turn in (2, 5):
            until(f"turn {turn}", lambda turn=turn: machines.get(f"/runs/{run['id']}")["turn"] >= turn)
            machines.kill("api")
            machines.start("api")
            until("the API", machines.ready)
        ended = machines.ended(run)
        assert (ended["status"], ended["log_digest"]) == ("completed", expected["log_digest"])
    calls = "SELECT count(*) AS made, count(DISTINCT (event_id)) AS events FROM calls WHERE state <> 4 AND run_id = $1"
    paid = query(dsn, calls, run["id"])[0]
    in_flight = 2 * 5  # two kills, five seats
    assert paid["made"] - paid["events"] <= in_flight


@pytest.mark.timeout(300)
def test_a_claim_whose_answer_was_cut_off_comes_back(dsn: str, tmp_path: Path) -> None:
    """A client that claims and hangs up without reading: the events are back within three heartbeats, uncounted."""
    import socket

    with fleet(dsn, tmp_path / "fleet", engines=0, **QUICK) as machines:
        machines.play(council(3, 1), model="rehearsal")
        engine = machines.post(
            "/engine-instances", {"engine_type": "actor", "lease_seconds": 60, "heartbeat_seconds": 0.2}
        )
        body = f'{{"engine_id": "{engine["id"]}", "max": 3}}'
        head = f"POST /api/v1/events/claim HTTP/1.1\r\nHost: 127.0.0.1:{machines.port}\r\n"
        head += "Content-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", machines.port)) as raw:
            raw.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            claimed = "SELECT count(*) AS events FROM queue WHERE claims > 0"
            until("the claim", lambda: query(dsn, claimed)[0]["events"] == 3)
        until("the events", lambda: leased_or_back(machines, engine["id"]))
        states = {event["state"] for event in machines.get("/events", limit=200)["items"]}
        assert states == {"ready"}
        total = query(dsn, "SELECT sum(failures + losses) AS counted FROM queue")[0]["counted"]
        assert total == Decimal(0)


def leased_or_back(machines: Fleet, engine: str) -> bool:
    """Send the heartbeat that the client would have sent; true when nothing is leased any more."""
    machines.put(f"/engine-instances/{engine}/heartbeat", {"status": "active", "leases": []})
    events = machines.get("/events", limit=200)["items"]
    return len(events) == 3 and all(event["state"] == "ready" for event in events)

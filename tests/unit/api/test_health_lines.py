"""What figures mean, at their boundaries."""

from __future__ import annotations

from typing import Any

import pytest

from pyscrai.contract.operating import Depth, HealthLine, LaneState, Pause
from pyscrai_api.health import judging
from pyscrai_api.health.facts import Facts, Holder, Index, Server, Table, Transaction
from pyscrai_api.health.report import filled
from pyscrai_api.queue.filling import Fill

MB = 2**20


def lane(name: str = "actor", *, oldest: float | None = None, paused: bool = False, **more: Any) -> LaneState:
    engines = more.pop("engines", {"active": 1})
    depth = Depth(event_type="", **more)
    return LaneState(lane=name, depth=depth, oldest_ready=oldest, engines=engines, paused=paused)


def table(**more: Any) -> Table:
    given = {"name": "queue", "live": 0, "dead": 0, "bytes": 0, "vacuumed": 5.0, "expected": 0.0}
    return Table(**{**given, "autovacuum": True, "vacuuming": False, **more})


def server(**more: Any) -> Server:
    given = {"autovacuum": True, "connections": 10, "connections_most": 100, "oldest_xid": 0, "freeze_age": 200_000_000}
    return Server(**{**given, "sees_all": True, **more})


def transaction(seconds: float, xids: int | None = 3) -> Transaction:
    return Transaction(pid=7, application="report", role="ann", state="active", seconds=seconds, xids=xids)


def seen(line: HealthLine) -> str:
    assert bool(line.todo) == (line.state != "ok"), "what is not well says what to do"
    return line.state


@pytest.mark.parametrize(
    ("lanes", "state"),
    [
        ([lane(ready=5)], "ok"),
        ([lane(ready=5, engines={}, oldest=3)], "warn"),
        ([lane(ready=5, engines={"draining": 2}, oldest=61)], "bad"),
        ([lane(ready=5, engines={}, oldest=61, paused=True)], "ok"),
        ([lane(scheduled=5, engines={})], "ok"),
    ],
)
def test_lanes_that_nobody_serves(lanes: list[LaneState], state: str) -> None:
    assert seen(judging.served(lanes)) == state


@pytest.mark.parametrize(("oldest", "state"), [(None, "ok"), (59.0, "ok"), (60.0, "warn"), (600.0, "bad")])
def test_work_that_waits(oldest: float | None, state: str) -> None:
    assert seen(judging.waiting([lane(ready=1, oldest=oldest), lane("other", engines={}, oldest=9999)])) == state


def test_pauses_dead_letters_and_room() -> None:
    pause = Pause(lane="", event_type="decide", reason="", by="local", since="", leased=0, held=0, drained=True)
    assert seen(judging.paused([])) == "ok"
    assert judging.paused([pause]).detail == "decide in all lanes by local"
    assert seen(judging.paused([pause])) == "warn"
    assert [seen(judging.dead_letters([lane(dead=number)])) for number in (0, 1)] == ["ok", "warn"]
    assert [seen(judging.full({"actor": share})) for share in (0.79, 0.8, 1.0)] == ["ok", "warn", "bad"]
    assert seen(judging.full({})) == "ok"


@pytest.mark.parametrize(
    ("counted", "seen_when_posted_to", "share"),
    [
        ({"ready": 2, "scheduled": 1}, None, 0.3),
        ({"ready": 2}, 10, 0.2),  # it has been emptied since
        ({"ready": 2, "held": 5}, 10, 0.7),
        ({"ready": 2, "held": 5}, 4, 0.4),  # three of those that are held wait for a run, not for a pause
        ({"ready": 9}, 4, 0.9),  # another process was posted to
    ],
)
def test_room_is_what_the_lane_has_now(counted: dict[str, int], seen_when_posted_to: int | None, share: float) -> None:
    there = lane("actor", oldest=None, paused=False, **counted)
    known = {} if seen_when_posted_to is None else {"actor": Fill(seen_when_posted_to, 0.0, 0.0)}
    assert filled([there], known, 10) == {"actor": share}
    assert filled(None, known, 10) == {name: fill.counted / 10 for name, fill in known.items()}
    assert filled([there], known, None) == {}


def test_engines_that_are_paused_are_named() -> None:
    line = judging.served([lane(ready=5, engines={"paused": 2}, oldest=3)])
    assert (line.state, line.detail) == ("warn", "nobody serves actor (5 ready, 2 paused)")


@pytest.mark.parametrize(
    ("facts", "claims", "losses", "state"),
    [
        (Facts(), 0, 0, "ok"),
        (Facts(), 99, 50, "ok"),
        (Facts(), 100, 1, "warn"),
        (Facts(), 1000, 100, "bad"),
        (Facts(silent=1, engines=3), 0, 0, "warn"),
        (Facts(overdue=1), 0, 0, "warn"),
        (Facts(leased=20, near=5), 0, 0, "ok"),
        (Facts(leased=20, near=6), 0, 0, "warn"),
    ],
)
def test_pressure_on_leases(facts: Facts, claims: int, losses: int, state: str) -> None:
    assert seen(judging.leases(facts, claims, losses)) == state


def test_loops_that_stand_still() -> None:
    assert seen(judging.standing({"sweep": (60.0, 0.5), "retention": (599.0, 60.0)})) == "ok"
    late = judging.standing({"sweep": (61.0, 0.5), "retention": (599.0, 60.0)})
    assert (seen(late), "sweep for 61 s" in late.detail) == ("bad", True)


def test_dead_rows_and_vacuum() -> None:
    assert seen(judging.dead_rows([table(dead=50_000)])) == "ok"
    assert seen(judging.dead_rows([table(dead=50_001, live=60_000)])) == "ok"
    assert seen(judging.dead_rows([table(dead=50_001, live=50_000)])) == "warn"
    assert seen(judging.dead_rows([table(dead=1_000_001)])) == "bad"
    assert seen(judging.vacuum([table()], server())) == "ok"
    assert seen(judging.vacuum([table(autovacuum=False)], None)) == "bad"
    assert seen(judging.vacuum([table()], server(autovacuum=False))) == "bad"
    assert "now at queue" in judging.vacuum([table(vacuuming=True, vacuumed=None)], server()).detail


def test_waste() -> None:
    fine = [table(bytes=500 * MB, expected=101.0 * MB)]
    assert seen(judging.waste(fine, [Index(name="i", bytes=60 * MB, expected=8192)])) == "ok"
    fat = judging.waste(fine, [Index(name="ix_queue_ready", bytes=70 * MB, expected=8192)])
    assert (seen(fat), fat.detail) == ("warn", "ix_queue_ready 70 MB for 0")


def test_what_keeps_dead_rows() -> None:
    assert seen(judging.snapshots(Facts())) == "ok"
    assert seen(judging.snapshots(Facts(transactions=[transaction(59)]))) == "ok"
    assert seen(judging.snapshots(Facts(transactions=[transaction(9999, None)]))) == "ok", "it holds no snapshot"
    old = judging.snapshots(Facts(transactions=[transaction(601)]))
    assert (seen(old), "report (pid 7, ann, active)" in old.detail) == ("bad", True)
    slot = judging.snapshots(Facts(holders=[Holder(name="replication slot x", xids=100_000, seconds=None)]))
    assert (seen(slot), slot.detail) == ("warn", "replication slot x, 100,000 transactions ago")
    prepared = Holder(name="prepared transaction y", xids=1, seconds=61)
    assert seen(judging.snapshots(Facts(holders=[prepared]))) == "warn"


def test_transactions_locks_connections_wraparound() -> None:
    assert [seen(judging.long_transactions(Facts(transactions=[transaction(s, None)]))) for s in (59, 60, 600)] == [
        "ok", "warn", "bad",
    ]  # fmt: skip
    assert [seen(judging.locks(1, seconds)) for seconds in (4.9, 5, 60)] == ["ok", "warn", "bad"]
    assert [seen(judging.connections(server(connections=n))) for n in (79, 80, 95)] == ["ok", "warn", "bad"]
    assert [seen(judging.wraparound(server(oldest_xid=n))) for n in (10**8, 3 * 10**8, 10**9)] == ["ok", "warn", "bad"]


def test_what_cannot_be_read_is_left_out() -> None:
    names = {line.name for line in judging.of_database(Facts())}
    assert names == {"Oldest snapshot", "Long transactions", "Lock waits"}
    names = {line.name for line in judging.of_database(Facts(tables=[table()], indexes=[], server=server()))}
    assert len(names) == 8

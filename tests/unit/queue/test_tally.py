"""What a process counts of the queue, and how it is told."""

from __future__ import annotations

from uuid import UUID, uuid4

from prometheus_client import CollectorRegistry, generate_latest

from pyscrai.contract.events import Finish, Finished
from pyscrai_api.queue.depths import Counted
from pyscrai_api.queue.metrics import bounded, worst
from pyscrai_api.queue.ports import ClaimedRow
from pyscrai_api.queue.states import Live
from pyscrai_api.queue.tally import MOST_SERIES, REMEMBERED, Tally, lane_label

ENGINE = uuid4()
NOW = 1_795_000_000.0


def row(event_id: int, kind: str = "a", waited: float = 0.002) -> ClaimedRow:
    return ClaimedRow(event_id, None, kind, "local", None, None, "{}", 5, 1, NOW, 20.0, 1, 0, waited)


def said(event_id: int, status: str = "completed") -> Finish:
    return Finish.model_validate({"event_id": event_id, "lease_no": 1, "status": status})


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def page(tally: Tally) -> str:
    registry = CollectorRegistry()
    registry.register(tally)
    return generate_latest(registry).decode()


def lane_of(engine_id: UUID) -> str | None:
    return "actor:ann" if engine_id == ENGINE else None


def kind_of(event_id: int) -> str:
    return "a"


def test_claims_reports_and_times() -> None:
    clock = Clock()
    tally = Tally(lane_of, clock=clock)
    tally.claimed("actor", [row(1), row(2), row(3, "b", 7.0)])
    clock.now = 0.03
    stale = {2: Finished(event_id=2, state="stale")}
    tally.ended(ENGINE, [said(1), said(2), said(3, "failed")], stale, kind_of)
    clock.now = 2.0
    tally.ended(ENGINE, [said(2)], {}, kind_of)
    text = page(tally)
    a, b = '{event_type="a",lane="actor"', '{event_type="b",lane="actor"'
    for line in (
        f"pyscrai_queue_claims_total{a}}} 2.0",
        'pyscrai_queue_reports_total{event_type="a",how="completed",lane="actor"} 2.0',
        'pyscrai_queue_reports_total{event_type="a",how="stale",lane="actor"} 1.0',
        'pyscrai_queue_reports_total{event_type="b",how="failed",lane="actor"} 1.0',
        f'pyscrai_queue_wait_seconds_bucket{a},le="0.0025"}} 2.0',
        f'pyscrai_queue_wait_seconds_bucket{b},le="5.0"}} 0.0',
        f'pyscrai_queue_wait_seconds_bucket{b},le="10.0"}} 1.0',
        f"pyscrai_queue_wait_seconds_sum{b}}} 7.0",
        f'pyscrai_queue_work_seconds_bucket{a},le="0.05"}} 1.0',
        f"pyscrai_queue_work_seconds_count{a}}} 2.0",
        f"pyscrai_queue_work_seconds_sum{a}}} 2.03",
        f"pyscrai_queue_work_seconds_count{b}}} 0.0",
    ):
        assert line in text.splitlines(), line


def test_what_another_process_gave_out_is_counted_by_the_engines_lane() -> None:
    tally = Tally(lane_of)
    tally.ended(ENGINE, [said(9)], {}, kind_of)
    tally.ended(uuid4(), [said(9, "handed_back")], {}, kind_of)
    tally.ended(ENGINE, [said(10)], {10: Finished(event_id=10, state="unknown")}, kind_of)
    text = page(tally)
    assert 'pyscrai_queue_reports_total{event_type="a",how="completed",lane="actor:*"} 1.0' in text
    assert 'pyscrai_queue_reports_total{event_type="a",how="handed_back",lane="other"} 1.0' in text
    assert "ann" not in text, "pools are called by people's names"


def test_losses_deaths_and_refusals() -> None:
    tally = Tally(lane_of)
    tally.claimed("actor", [row(1)])
    tally.lost([1, 99])
    tally.died([1])
    for lane in ("actor", "actor:ann", "actor:bob"):
        tally.refused(lane)
    text = page(tally)
    assert 'pyscrai_queue_losses_total{event_type="a",lane="actor"} 1.0' in text
    assert 'pyscrai_queue_losses_total{event_type="other",lane="other"} 1.0' in text
    assert 'pyscrai_queue_deaths_total{event_type="a",lane="actor"} 1.0' in text
    assert 'pyscrai_queue_refused_total{lane="actor"} 1.0' in text
    assert 'pyscrai_queue_refused_total{lane="actor:*"} 2.0' in text
    assert (tally.claims, tally.losses) == (1, 2)


def test_numbers_are_bounded_whatever_authors_call_their_types() -> None:
    tally = Tally(lane_of)
    for n in range(5 * MOST_SERIES):
        tally.claimed(f"lane{n}", [row(n, f"type{n}")])
        tally.refused(f"lane{n}")
    text = page(tally)
    claims = [line for line in text.splitlines() if line.startswith("pyscrai_queue_claims_total")]
    assert MOST_SERIES < len(claims) <= 2 * MOST_SERIES + 1
    assert sum(float(line.rpartition(" ")[2]) for line in claims) == 5 * MOST_SERIES == tally.claims
    refused = [line for line in text.splitlines() if line.startswith("pyscrai_queue_refused_total")]
    assert len(refused) == MOST_SERIES + 1
    assert sum(float(line.rpartition(" ")[2]) for line in refused) == 5 * MOST_SERIES
    tally.claimed("actor", [row(n) for n in range(REMEMBERED + 10)])
    assert len(tally._open) == REMEMBERED


def test_depths_are_bounded_too_and_pools_are_one() -> None:
    events = {(f"lane{n}", "a"): {Live.READY: n} for n in range(1, 100)}
    events |= {("actor:ann", "a"): {Live.READY: 500}, ("actor:bob", "a"): {Live.READY: 600, Live.DEAD: 1}}
    counted = Counted(events=events, oldest={}, at=0, took=0, estimated=False)
    found = bounded(counted)
    assert found["actor:*", "a", "ready"] == 1100
    assert found["actor:*", "a", "dead"] == 1
    assert len({pair[:2] for pair in found}) == MOST_SERIES + 1
    assert sum(found.values()) == sum(range(1, 100)) + 1101
    assert worst({"actor:ann": 3.0, "actor:bob": 5.0, "x": 1.0}) == {"actor:*": 5.0, "x": 1.0}
    assert (lane_label("actor"), lane_label("actor:ann")) == ("actor", "actor:*")

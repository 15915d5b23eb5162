"""The life of events in an engine: claimed, asked, reported, lost, handed back."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import httpx
import pytest
from tests.unit.engine.harness import Bench, TestApi, event, record, reserve

from pyscrai.contract.events import Claimed
from pyscrai.engine.errors import CannotStart
from pyscrai.engine.outcomes import Done, Fail, Outcome
from pyscrai.llm import Meter, Question

REFUSED = httpx.ConnectError("refused")


def problem(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"title": code, "status": status, "code": code, "detail": code})


def reported(api: TestApi) -> list[dict[str, Any]]:
    return [finish for body in api.bodies("report") for finish in body["events"]]


def settled(api: TestApi) -> list[dict[str, Any]]:
    return [call for body in api.bodies("report") for call in body["calls"]]


async def test_an_event_is_asked_and_reported_with_its_usage(bench: Bench, api: TestApi) -> None:
    async with bench.running():
        await api.put(event(7, run_id="r", turn=2, phase="decision", seat="regulator"))
        await api.until(lambda: bool(api.bodies("report")))
    (report,) = api.bodies("report")
    assert report["engine_id"] == "engine-1"
    assert report["events"] == [
        {
            "event_id": 7,
            "lease_no": 1,
            "status": "completed",
            "result": {"content": "answer 7", "error": None},
            "permanent": False,
        }
    ]
    assert report["calls"][0]["usage"]["input_tokens"] == 10
    (line,) = bench.logged("event_finished")
    assert {
        "run": "r",
        "turn": 2,
        "phase": "decision",
        "seat": "regulator",
        "event_id": 7,
        "lease": 1,
    }.items() <= line.items()
    assert line["engine"] == "engine-1"
    assert line["outcome"] == "done"
    assert api.asked[-1][0] == "deregister"


async def test_eight_events_take_three_requests(bench: Bench, api: TestApi) -> None:
    async with bench.running():
        await api.put(*[event(number) for number in range(1, 9)])
        await api.until(lambda: len(reported(api)) == 8)
    assert len(api.bodies("reserve")) == 1
    assert len(api.bodies("report")) == 1
    assert [len(body["calls"]) for body in api.bodies("reserve")] == [8]


async def test_never_more_events_than_slots(bench: Bench, api: TestApi) -> None:
    bench.model.hold = "calling"
    async with bench.running(concurrency=3):
        await api.put(*[event(number) for number in range(1, 6)])
        await api.until(lambda: sum(place == "calling" for place, _ in bench.model.at) == 3)
        assert len(api.queue) == 2
        assert [body["max"] for body in api.bodies("claim")] == [3]
        bench.model.let_go.set()
        await api.until(lambda: len(reported(api)) == 5)


async def test_registration_waits_for_the_api(bench: Bench, api: TestApi) -> None:
    api.trouble["register"] = deque([REFUSED, problem(503, "unavailable"), REFUSED])
    async with bench.running():
        await api.until(lambda: bool(api.bodies("claim")))
    assert len(api.bodies("register")) == 4
    assert len(bench.logged("api_awaited")) == 1


async def test_a_refused_registration_says_what_to_do(bench: Bench, api: TestApi) -> None:
    api.trouble["register"] = deque([problem(401, "unauthorized")])
    async with bench.running() as (_, task):
        with pytest.raises(CannotStart, match="PYSCRAI_TOKEN"):
            await task


async def test_an_unanswered_claim_is_repeated_under_its_id(bench: Bench, api: TestApi) -> None:
    api.trouble["claim"] = deque([httpx.ReadError("cut off"), problem(503, "unavailable")])
    async with bench.running():
        await api.put(event(1))
        await api.until(lambda: len(reported(api)) == 1)
    first, second, third, *later = [body["claim_id"] for body in api.bodies("claim")]
    assert first == second == third
    assert later
    assert first not in later
    # It counts them: only a repeat has to be looked for.
    assert [body["repeat"] for body in api.bodies("claim")][:4] == [0, 1, 2, 0]


async def test_the_next_events_do_not_wait_for_the_last_report(bench: Bench, api: TestApi) -> None:
    really, held = api._report, asyncio.Event()

    async def slow(body: dict[str, Any]) -> Any:
        await held.wait()
        return await really(body)

    api._report = slow  # type: ignore[method-assign]
    async with bench.running(concurrency=2) as (engine, _):
        await api.put(*[event(number) for number in range(1, 7)])
        # Two are out as reports, two more are handled; for more there is no answer yet.
        await api.until(lambda: len(bench.model.at) == 8)
        await api.until(lambda: len(api.bodies("beat")) >= 2)
        assert len(engine.leases) == 4
        assert engine.leases.free == 0
        assert len(api.queue) == 2
        await api.until(lambda: len(api.bodies("beat")[-1]["leases"]) == 4)
        assert api.bodies("beat")[-1]["current_workload"] == 0
        held.set()
        await api.until(lambda: len(reported(api)) == 6)
    assert sorted(finish["event_id"] for finish in reported(api)) == [1, 2, 3, 4, 5, 6]


async def test_what_asks_no_model_leaves_a_line_only_for_who_looks_closely(bench: Bench, api: TestApi) -> None:
    class Counting:
        async def handle(self, event: Claimed, meter: Meter, log: Any) -> Outcome:
            if event.id == 2:
                await reserve(meter)
            return Done(result={}) if event.id < 3 else Fail(reason="no", code="no")

    async with bench.running(handler=Counting()):
        await api.put(event(1), event(2), event(3))
        await api.until(lambda: len(reported(api)) == 3)
        await api.until(lambda: len(bench.logged("event_finished")) == 3)
    levels = {line["event_id"]: line["level"] for line in bench.logged("event_finished")}
    assert levels == {1: "debug", 2: "info", 3: "error"}


async def test_a_forgotten_engine_registers_again_and_drops_its_work(bench: Bench, api: TestApi) -> None:
    bench.model.hold = "calling"
    async with bench.running():
        await api.put(event(1))
        await api.until(lambda: ("calling", 1) in bench.model.at)
        api.trouble["beat"] = deque([problem(404, "not_found")])
        await api.until(lambda: api.registrations == 2)
        bench.model.let_go.set()
        await api.until(lambda: bool(api.bodies("report")))
    (report,) = api.bodies("report")
    assert report["events"] == []
    assert report["calls"][0]["usage"]["output_tokens"] == 5
    assert report["engine_id"] == "engine-2"


async def test_a_lost_lease_stops_the_work_before_its_call(bench: Bench, api: TestApi) -> None:
    bench.model.hold = "before"
    async with bench.running() as (engine, _):
        await api.put(event(1))
        await api.until(lambda: ("before", 1) in bench.model.at)
        api.heartbeat = {"lost": [1]}
        await api.until(lambda: bool(bench.logged("event_finished")))
        assert len(engine.leases) == 0
    assert api.bodies("reserve") == []
    assert api.bodies("report") == []
    assert bench.logged("event_finished")[0]["outcome"] == "dropped"


async def test_a_call_whose_lease_was_lost_is_still_settled(bench: Bench, api: TestApi) -> None:
    bench.model.hold = "calling"
    async with bench.running(concurrency=1):
        await api.put(event(1), event(2))
        await api.until(lambda: ("calling", 1) in bench.model.at)
        api.heartbeat = {"lost": [1], "cancel": [1]}
        # The slot is free at once: the next event does not wait for the provider of the lost one.
        await api.until(lambda: ("calling", 2) in bench.model.at)
        bench.model.let_go.set()
        await api.until(lambda: len(settled(api)) == 2)
    assert [finish["event_id"] for finish in reported(api)] == [2]
    assert {call["event_id"] for call in settled(api)} == {1, 2}
    assert all(call["usage"] for call in settled(api))


async def test_a_call_whose_lease_was_lost_is_cut_off_after_the_grace_and_charged(bench: Bench, api: TestApi) -> None:
    bench.model.hold = "calling"
    async with bench.running(grace_seconds=0) as (engine, task):
        await api.put(event(1))
        await api.until(lambda: ("calling", 1) in bench.model.at)
        api.heartbeat = {"lost": [1]}
        await api.until(lambda: bool(bench.logged("lease_lost")))
        engine.stop.request()
        assert await task == 0
    assert reported(api) == []
    (call,) = settled(api)
    assert call["sent"] is True


async def test_no_second_call_under_a_lost_lease(bench: Bench, api: TestApi) -> None:
    async def repairs(question: Question, meter: Meter, *, timeout: float) -> dict[str, Any]:
        await bench.model.ask(question, meter, timeout=timeout)
        await reserve(meter, 2)
        raise AssertionError("a call was granted under a lost lease")

    bench.model.hold = "calling"
    async with bench.running(repairs):
        await api.put(event(1))
        await api.until(lambda: ("calling", 1) in bench.model.at)
        api.heartbeat = {"lost": [1]}
        await api.until(lambda: bool(bench.logged("lease_lost")))
        bench.model.let_go.set()
        await api.until(lambda: len(settled(api)) == 1)
    assert len(api.bodies("reserve")) == 1
    assert reported(api) == []


@pytest.mark.parametrize("state", ["refused", "not_running", "stale"])
async def test_what_the_api_took_back_is_dropped_without_a_word(bench: Bench, api: TestApi, state: str) -> None:
    api.grant = lambda call: {"state": state}
    async with bench.running():
        await api.put(event(1))
        await api.until(lambda: bool(bench.logged("event_finished")))
    assert api.bodies("report") == []


@pytest.mark.parametrize(("state", "code"), [("unpriced", "unpriced_model"), ("limit_required", "limit_required")])
async def test_what_may_never_be_called_fails_for_good(bench: Bench, api: TestApi, state: str, code: str) -> None:
    api.grant = lambda call: {"state": state, "detail": "set a price"}
    async with bench.running():
        await api.put(event(1))
        await api.until(lambda: bool(reported(api)))
    (finish,) = reported(api)
    assert (finish["status"], finish["code"], finish["permanent"], finish["error"]) == (
        "failed",
        code,
        True,
        "set a price",
    )


async def test_reports_are_repeated_until_answered(bench: Bench, api: TestApi) -> None:
    api.trouble["report"] = deque([httpx.ReadError("cut"), problem(503, "unavailable"), REFUSED])
    async with bench.running():
        await api.put(event(1))
        await api.until(lambda: bool(bench.logged("event_finished")))
    assert len(api.bodies("report")) == 4
    assert bench.logged("event_finished")[0]["answer"] == "done"


async def test_a_report_whose_lease_went_settles_only(bench: Bench, api: TestApi) -> None:
    api.trouble["report"] = deque([httpx.ReadError("cut")] * 2)
    api.finish = lambda finish: pytest.fail("a finish under a lost lease")
    async with bench.running():
        api.heartbeat = {"lost": [1]}
        api.trouble["beat"] = deque([REFUSED] * 2)
        await api.put(event(1))
        await api.until(lambda: bool(bench.logged("event_finished")))
    *_, last = api.bodies("report")
    assert last["events"] == []
    assert [call["event_id"] for call in last["calls"]] == [1]


async def test_a_result_that_is_too_large_becomes_a_failure_and_harms_no_other(bench: Bench, api: TestApi) -> None:
    api.trouble["report"] = deque([problem(413, "too_large"), problem(413, "too_large")])
    async with bench.running():
        await api.put(event(1), event(2))
        await api.until(lambda: len(bench.logged("event_finished")) == 2)
    answers = {finish["event_id"]: finish for body in api.bodies("report")[2:] for finish in body["events"]}
    assert (answers[1]["status"], answers[1]["code"]) == ("failed", "too_large")
    assert answers[2]["status"] == "completed"


async def test_draining_hands_back_what_has_not_asked_a_model(bench: Bench, api: TestApi) -> None:
    bench.model.hold = "before"
    async with bench.running() as (engine, task):
        await api.put(event(1))
        await api.until(lambda: ("before", 1) in bench.model.at)
        engine.stop.request()
        assert await task == 0
    assert [finish["status"] for finish in reported(api)] == ["handed_back"]
    assert api.asked[-1][0] == "deregister"


async def test_draining_lets_a_call_end(bench: Bench, api: TestApi) -> None:
    bench.model.hold = "calling"
    async with bench.running() as (engine, task):
        await api.put(event(1))
        await api.until(lambda: ("calling", 1) in bench.model.at)
        engine.stop.request()
        await api.until(lambda: any(body["status"] == "draining" for body in api.bodies("beat")))
        claims = len(api.bodies("claim"))
        bench.model.let_go.set()
        assert await task == 0
    assert [finish["status"] for finish in reported(api)] == ["completed"]
    assert len(api.bodies("claim")) == claims


async def test_a_call_that_outlasts_the_grace_is_handed_back_and_charged(bench: Bench, api: TestApi) -> None:
    bench.model.hold = "calling"
    async with bench.running(grace_seconds=0) as (engine, task):
        await api.put(event(1))
        await api.until(lambda: ("calling", 1) in bench.model.at)
        engine.stop.request()
        assert await task == 0
    assert [finish["status"] for finish in reported(api)] == ["handed_back"]
    (call,) = settled(api)
    assert call["sent"] is True
    assert "usage" not in call


async def test_a_reservation_that_was_not_used_is_released(bench: Bench, api: TestApi) -> None:
    unanswered = asyncio.Event()
    really = api._reserve

    async def slow(body: dict[str, Any]) -> Any:
        unanswered.set()
        await bench.model.let_go.wait()
        return await really(body)

    api._reserve = slow  # type: ignore[method-assign]
    async with bench.running() as (engine, task):
        await api.put(event(1))
        await unanswered.wait()
        engine.stop.request()
        assert await task == 0
    assert [finish["status"] for finish in reported(api)] == ["handed_back"]
    assert [call["sent"] for call in settled(api)] == [False]


async def test_the_second_request_stops_at_once(bench: Bench, api: TestApi) -> None:
    bench.model.hold = "calling"
    async with bench.running() as (engine, task):
        await api.put(event(1))
        await api.until(lambda: ("calling", 1) in bench.model.at)
        engine.stop.request(15)
        engine.stop.request(15)
        assert await task == 143
    assert api.bodies("report") == []
    assert api.bodies("deregister") == []


async def test_the_api_may_ask_for_a_drain(bench: Bench, api: TestApi) -> None:
    async with bench.running() as (_, task):
        await api.until(lambda: bool(api.bodies("claim")))
        api.heartbeat = {"drain": True}
        assert await task == 0
    assert api.asked[-1][0] == "deregister"


async def test_a_stop_before_the_registration_ends_the_engine(bench: Bench, api: TestApi) -> None:
    api.trouble["register"] = deque([REFUSED] * 1000)
    async with bench.running() as (engine, task):
        await api.until(lambda: bool(api.bodies("register")))
        engine.stop.request()
        assert await task == 0


async def test_model_libraries_that_cannot_be_loaded_end_the_engine(bench: Bench, api: TestApi) -> None:
    async def broken() -> None:
        raise ImportError("No module named 'agno'")

    async with bench.running() as (engine, task):
        engine._warm_up = broken
        with pytest.raises(CannotStart, match=r"agno.*pyscrai\[engine\]"):
            await task
    assert api.asked[-1][0] == "deregister"


async def test_a_defect_in_the_handling_is_a_failure_that_is_shown(bench: Bench, api: TestApi) -> None:
    async def wrong(question: Question, meter: Meter, *, timeout: float) -> dict[str, Any]:
        await reserve(meter)
        meter.record(record(question, 1))
        raise KeyError("oops")

    async with bench.running(wrong):
        await api.put(event(1))
        await api.until(lambda: bool(reported(api)))
    (finish,) = reported(api)
    assert (finish["status"], finish["code"], finish["permanent"]) == ("failed", "internal", False)
    assert len(settled(api)) == 1
    assert "KeyError" in bench.logged("handler_failed")[0]["exception"]

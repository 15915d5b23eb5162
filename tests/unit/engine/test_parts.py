"""The parts of the runtime by themselves: leases on a clock, outcomes, batches, redaction, log lines, settings."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Awaitable
from typing import Any

import pytest
from tests.unit.engine.harness import event, plain, reserve

from pyscrai.contract.events import CallRecord, Claimed, Finish
from pyscrai.engine.backoff import Backoff
from pyscrai.engine.batching import Batcher
from pyscrai.engine.errors import LeaseGone
from pyscrai.engine.handler import Asks, Handler
from pyscrai.engine.leases import Lease, Leases
from pyscrai.engine.logging import capture_standard_logging, make_logger
from pyscrai.engine.metering import EventMeter
from pyscrai.engine.metrics import Metrics
from pyscrai.engine.outcomes import Done, Dropped, Fail, HandBack, Retry, finish_of
from pyscrai.engine.redaction import redact
from pyscrai.engine.settings import EngineSettings
from pyscrai.engine.worker import Worker
from pyscrai.llm import Meter, MissingKey, Overloaded, Question, RateLimited
from pyscrai_actor.handlers import plain as actor
from pyscrai_analyst.handlers import plain as analyst
from pyscrai_narrator.handlers import plain as narrator

LOG = make_logger("error", stream=io.StringIO())


def claimed(**more: Any) -> Claimed:
    return Claimed.model_validate(event(1, **more))


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_lease_is_believed_until_it_should_have_been_renewed() -> None:
    clock = Time()
    leases = Leases(2, clock=clock)
    lease = leases.take(claimed(lease_for=20))
    assert lease is not None
    assert leases.take(claimed()) is None
    clock.now += 19
    lease.require(clock())
    leases.renewed([lease.key], clock() + 20)
    leases.renewed([(99, 1)], clock() + 20)
    clock.now += 19
    lease.require(clock())
    clock.now += 1
    with pytest.raises(LeaseGone, match="could not be renewed") as caught:
        lease.require(clock())
    assert not caught.value.confirmed


async def test_no_call_without_a_lease_that_can_be_believed() -> None:
    class Never:
        async def reserve(self, lease: object, call: object) -> Any:
            raise AssertionError("asked for money under a lease that is over")

    clock = Time()
    lease = Leases(1, clock=clock).take(claimed(lease_for=20))
    assert lease is not None
    meter = EventMeter(lease, Never(), clock=clock, metrics=Metrics("actor"), log=LOG)
    clock.now += 20
    with pytest.raises(LeaseGone):
        await reserve(meter)
    assert meter.settlement() == []


async def test_a_free_slot_is_waited_for() -> None:
    leases = Leases(1)
    lease = leases.take(claimed())
    assert lease is not None
    waiting = asyncio.create_task(leases.some_free())
    await asyncio.sleep(0)
    assert not waiting.done()
    leases.lost([lease.key], "gone")
    assert await waiting == 1


def answers(value: Any) -> Asks:
    async def ask(question: Question, meter: Meter, *, timeout: float) -> dict[str, Any]:
        if isinstance(value, Exception):
            raise value
        return {"asked": question.user, "system": question.system}

    return ask


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (
            RateLimited("slow down", retry_after=3, unbilled=True),
            HandBack(reason="slow down", code="model_rate_limited", retry_after=3),
        ),
        (Overloaded("full", unbilled=True), HandBack(reason="full", code="model_overloaded")),
        (Overloaded("broken", retry_after=2), Retry(reason="broken", code="model_overloaded", retry_after=2)),
        (MissingKey("set OPENAI_API_KEY"), Fail(reason="set OPENAI_API_KEY", code="model_key_missing")),
        (LeaseGone("lost"), Dropped(reason="lost")),
        (LeaseGone("late", confirmed=False), HandBack(reason="late")),
        (ValueError("bug"), Retry(reason="ValueError: bug", code="internal")),
        (None, Done(result={"asked": "question 1", "system": ""})),
    ],
)
async def test_what_a_model_did_becomes_a_typed_outcome(value: Any, outcome: object) -> None:
    handler = Handler(plain=plain, ask=answers(value), call_seconds=1)
    assert await handler.handle(claimed(), None, LOG) == outcome  # type: ignore[arg-type]


async def test_prompts_are_rendered_over_view_and_data() -> None:
    handler = Handler(plain=plain, ask=answers(None), call_seconds=1)
    prompt = {"system": "You are {{ you.title }}.", "user": "Turn {{ turn }}: {{ data.check }} {{ nobody }}"}
    more = {"view": {"you": {"title": "the mayor"}, "turn": 3}, "data": {"check": "sums"}, "prompt": prompt}
    outcome = await handler.handle(claimed(**more), None, LOG)  # type: ignore[arg-type]
    assert outcome == Done(result={"asked": "Turn 3: sums", "system": "You are the mayor."})


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"prompt": {"user": "{% if %}"}}, "prompt"),
        ({"prompt": {"user": "x", "renderer": "liquid@9"}}, "prompt"),
        ({"data": {}}, "invalid_payload"),
        ({"model": None}, "invalid_payload"),
    ],
)
async def test_what_can_never_be_asked_fails_for_good(more: dict[str, Any], code: str) -> None:
    handler = Handler(plain=plain, ask=answers(None), call_seconds=1)
    outcome = await handler.handle(claimed(**more), None, LOG)  # type: ignore[arg-type]
    assert isinstance(outcome, Fail)
    assert outcome.code == code


def test_outcomes_are_reported_as_the_contract_says() -> None:
    retry = finish_of(Retry(reason="key sk-abcdefgh1 refused", code="c", retry_after=2), 5, 3)
    assert retry is not None
    assert (retry.status, retry.error, retry.retry_after, retry.permanent) == ("failed", "key *** refused", 2, False)
    back = finish_of(HandBack(reason="stopping"), 5, 3)
    assert back is not None
    assert (back.event_id, back.lease_no, back.status) == (5, 3, "handed_back")
    assert finish_of(Dropped(reason="x"), 5, 3) is None


@pytest.mark.parametrize(
    ("reads", "data", "text"),
    [
        (actor, {"prompt": "Hello"}, "Hello"),
        (narrator, {"prompt": "Hello"}, "Hello"),
        (analyst, {"data_to_analyze": "some text"}, "some text"),
        (analyst, {"data_to_analyze": {"b": 1, "a": [2]}}, '{"a":[2],"b":1}'),
        (analyst, {"data_to_analyze": [1], "prompt": "Find the sum."}, "Find the sum.\n\n[1]"),
    ],
)
def test_plain_payloads_are_read(reads: Any, data: dict[str, Any], text: str) -> None:
    assert reads(data) == text


@pytest.mark.parametrize(
    ("reads", "data"), [(actor, {}), (actor, {"prompt": 3}), (narrator, {"prompt": " "}), (analyst, {"prompt": "x"})]
)
def test_other_payloads_are_refused_with_the_form_that_is_wanted(reads: Any, data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs data like"):
        reads(data)


class Reports:
    """What a worker reports, without an API."""

    def __init__(self) -> None:
        self.finishes: list[Finish | None] = []
        self.told = asyncio.Event()
        self.held: asyncio.Future[str] | None = None

    def report(self, lease: Lease, finish: Finish | None, calls: list[CallRecord]) -> Awaitable[str]:
        self.finishes.append(finish)
        self.told.set()
        answer = self.held or asyncio.get_running_loop().create_future()
        if self.held is None:
            answer.set_result("done")
        return answer


class Handling:
    """A handler that never ends by itself."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()

    async def handle(self, event: Claimed, meter: object, log: object) -> Any:
        self.begun.set()
        await asyncio.Event().wait()


def a_worker(handler: Handling, reports: Reports, leases: Leases) -> Worker:
    async def warm() -> None:
        return None

    parts: Any = (handler, None, reports, leases)
    return Worker(*parts, warm=warm, metrics=Metrics("actor"), log=LOG)


async def test_work_that_is_stopped_before_it_began_is_handed_back() -> None:
    handler, reports, leases = Handling(), Reports(), Leases(1)
    worker = a_worker(handler, reports, leases)
    lease = leases.take(claimed())
    assert lease is not None
    worker.begin(lease)
    worker.give_back()
    assert await worker.over(60)
    assert not handler.begun.is_set()
    assert [finish and finish.status for finish in reports.finishes] == ["handed_back"]
    assert (len(leases), leases.free) == (0, 1)


@pytest.mark.parametrize("reporting", [False, True])
async def test_what_is_abandoned_says_nothing_more(reporting: bool) -> None:
    handler, reports, leases = Handling(), Reports(), Leases(1)
    reports.held = asyncio.get_running_loop().create_future()
    worker = a_worker(handler, reports, leases)
    lease = leases.take(claimed())
    assert lease is not None
    worker.begin(lease)
    await handler.begun.wait()
    if reporting:
        worker.cut_off()
        await reports.told.wait()
    said = len(reports.finishes)
    assert said == int(reporting)
    await worker.abandon()
    assert len(reports.finishes) == said
    assert len(leases) == 0


async def test_slots_that_come_free_together_are_one_claim() -> None:
    leases = Leases(8)
    held = [leases.take(claimed(id=number)) for number in range(1, 9)]
    waiting = asyncio.create_task(leases.some_free(2))
    for lease in held[:2]:
        assert lease is not None
        await asyncio.sleep(0)
        assert not waiting.done()
        leases.handled(lease)
        leases.handled(lease)
    assert await waiting == 2
    assert len(leases) == 8


async def test_while_one_request_is_under_way_the_next_gathers() -> None:
    sent: list[list[int]] = []
    under_way, go_on = asyncio.Event(), asyncio.Event()

    async def send(batch: list[int]) -> list[int]:
        sent.append(batch)
        under_way.set()
        await go_on.wait()
        return []

    batches: Batcher[int] = Batcher(send, failed=lambda batch, error: None, expecting=lambda: False, most=3)
    batches.add(1)
    await under_way.wait()
    for number in range(2, 7):
        batches.add(number)
    go_on.set()
    await batches.idle()
    assert sent == [[1], [2, 3, 4], [5, 6]]


async def test_what_cannot_be_sent_is_not_left_waiting() -> None:
    failed: list[tuple[list[int], str]] = []

    async def send(batch: list[int]) -> list[int]:
        raise RuntimeError("bug")

    batches: Batcher[int] = Batcher(
        send, failed=lambda batch, error: failed.append((batch, str(error))), expecting=lambda: False
    )
    batches.add(1)
    await batches.idle()
    assert failed == [([1], "bug")]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Incorrect API key provided: sk-proj-1234567890abcdef.", "Incorrect API key provided: ***."),
        ("Authorization: Bearer abc.def.ghi", "Authorization: Bearer ***"),
        ('{"api_key": "abcdef"}', '{"api_key": "***"}'),
        ("http://user:secret@host/v1", "http://user:***@host/v1"),
        ("Invalid key gsk_1234567890abcdef.", "Invalid key ***."),
        ("key=AIzaSyA-1234567890_abcdefghijklmn", "key=***"),
        ("the task-force asks for-ever", "the task-force asks for-ever"),
        ("sent as bearer abc.def.ghi", "sent as bearer ***"),
        ("the bearer of news", "the bearer of news"),
        ("a risk-benefit analysis", "a risk-benefit analysis"),
    ],
)
def test_keys_are_taken_out(text: str, clean: str) -> None:
    assert redact(text) == clean


def test_log_lines_are_json_with_stable_names_and_no_keys() -> None:
    stream = io.StringIO()
    log = make_logger("info", stream=stream, service="pyscrai_actor")
    log.debug("not_shown")
    log.info("shown", token="abc", error="Bearer abcdefgh", number=3)
    capture_standard_logging(log)
    try:
        logging.getLogger("somebody").warning("key sk-abcdefgh is %s", "wrong")
    finally:
        logging.getLogger().handlers = []
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["event"], first["token"], first["error"], first["number"]) == ("shown", "***", "Bearer ***", 3)
    assert (second["event"], second["logger"], second["message"]) == ("library_message", "somebody", "key *** is wrong")


def test_pauses_grow_and_differ() -> None:
    backoff = Backoff(0.1, 1.0)
    pauses = [backoff.next() for _ in range(20)]
    assert all(0.05 <= pause <= 1.0 for pause in pauses)
    assert pauses[0] <= 0.1
    assert len(set(pauses[10:])) > 1
    backoff.reset()
    assert backoff.next() <= 0.1


def test_a_heartbeat_must_fit_into_the_lease_twice() -> None:
    with pytest.raises(ValueError, match="1 s at most"):
        EngineSettings(engine_type="actor", api_url="", lease_seconds=2, heartbeat_seconds=1.5)

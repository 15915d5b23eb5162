"""The service's log names each call that was charged, once its transaction has committed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import structlog
from tests.integration.runs.desk import Desk, back, call, crowd, done, money, settled

PRICED = {"model": "openai:test", "prices": {"openai:test": {"input": "1", "output": "2"}}, "limit": "1"}


def bills(lines: Any, name: str = "call_settled") -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == name]


async def test_each_settled_call_is_one_line_with_its_cost(desk: Desk) -> None:
    run = await desk.start(crowd(2), **PRICED)
    events = await desk.claim("actor")
    await desk.reserve("actor", *events)
    with structlog.testing.capture_logs() as lines:
        await desk.finish("actor", *[done(e) for e in events], calls=[settled(e) for e in events])
        await desk.finish("actor", *[done(e) for e in events], calls=[settled(e) for e in events])
    engine = await desk.engine("actor")
    assert bills(lines) == [
        {
            "event": "call_settled",
            "log_level": "info",
            "run": run["id"],
            "engine_id": engine["id"],
            "event_id": event["id"],
            "lease": 1,
            "call": 1,
            "model": "openai:test",
            "cost": "0.0002000000",
            "input_tokens": 100,
            "output_tokens": 50,
        }
        for event in events
    ]
    assert sum(Decimal(line["cost"]) for line in bills(lines)) == money((await desk.run(run))["spent"])


async def test_what_is_charged_at_its_bound_is_said_so_until_the_usage_comes(desk: Desk) -> None:
    await desk.start(crowd(2), **PRICED)
    told, untold = await desk.claim("actor")
    await desk.reserve("actor", told, untold)
    with structlog.testing.capture_logs() as lines:
        await desk.finish("actor", back(untold), done(told), calls=[settled(told, usage=None)])
        await desk.finish("actor", calls=[settled(untold)])
    assumed = {line["event_id"]: line["cost"] for line in bills(lines, "call_assumed")}
    assert assumed == {told["id"]: "0.0012000000", untold["id"]: "0.0012000000"}
    assert [(line["event_id"], line["cost"]) for line in bills(lines)] == [(untold["id"], "0.0002000000")]


async def test_a_call_that_was_not_sent_is_no_bill(desk: Desk) -> None:
    await desk.start(crowd(1), **PRICED)
    (event,) = await desk.claim("actor")
    await desk.reserve("actor", event)
    with structlog.testing.capture_logs() as lines:
        await desk.finish("actor", back(event), calls=[settled(event, sent=False, usage=None)])
    assert not bills(lines) + bills(lines, "call_assumed")


async def test_calls_without_a_run_are_billed_too(desk: Desk) -> None:
    await desk.ok("POST", "/events", {"event_type": "decide", "data": {"prompt": "Hello"}})
    (event,) = await desk.claim("actor")
    engine = await desk.engine("actor")
    await desk.ok("POST", "/events/reserve", {"engine_id": engine["id"], "calls": [call(event)]})
    with structlog.testing.capture_logs() as lines:
        result = {"content": "Hello", "error": None}
        await desk.finish("actor", done(event, result), calls=[settled(event)])
    (line,) = bills(lines)
    assert "run" not in line
    assert (line["event_id"], line["engine_id"], Decimal(line["cost"])) == (event["id"], engine["id"], 0)

"""A provider that counts otherwise than assumed: a person looks before more is spent."""

from __future__ import annotations

from tests.integration.runs.desk import Desk, crowd, settled

MODEL = {"model": "openai:test"}
TWICE = {"input_tokens": 2000, "output_tokens": 200}
"""Of a call whose bound is half of it."""


async def test_a_late_alarm_stops_a_run_that_waits_for_money(desk: Desk) -> None:
    """Else it would go on by itself as soon as there is some, with the broken assumption."""
    run = await desk.start(crowd(2), limit="0.0012", **MODEL)
    engine = await desk.engine("actor")
    first, second = await desk.claim("actor")
    grants = await desk.reserve("actor", first, second)
    assert [grant["state"] for grant in grants] == ["granted", "refused"]
    await desk.finish("actor", calls=[settled(first, usage=None)])
    stopped = await desk.run(run)
    assert (stopped["status"], stopped["reason"]["code"]) == ("paused", "out_of_money")
    await desk.finish("actor", calls=[settled(first, usage=TWICE)])
    alarmed = await desk.run(run)
    assert (alarmed["status"], alarmed["reason"]["code"]) == ("paused", "bound_exceeded")
    assert alarmed["spent"] == "0.0024000000"
    await desk.ok("PATCH", f"/runs/{run['id']}", {"limit": "1"})
    assert (await desk.run(run))["status"] == "paused", "money alone is no answer to an alarm"
    await desk.ok("POST", f"/runs/{run['id']}/resume")
    assert [event["id"] for event in await desk.claim("actor", engine=engine)] == [second["id"]]


async def test_a_count_that_cannot_be_is_booked_and_adds_up(desk: Desk) -> None:
    """Else nobody could read what anything has cost any more."""
    run = await desk.start(crowd(1), limit="1", **MODEL)
    (event,) = await desk.claim("actor")
    await desk.reserve("actor", event)
    await desk.finish("actor", calls=[settled(event, usage={"input_tokens": 10**30, "output_tokens": 10**40})])
    found = await desk.run(run)
    assert (found["status"], found["reason"]["code"], found["spent"]) == ("paused", "bound_exceeded", "3000.0000000000")
    for path in (f"/runs/{run['id']}/costs", "/costs"):
        told = await desk.ok("GET", path)
        assert (told["total"]["cost"], told["total"]["input_tokens"]) == ("3000.0000000000", 10**9)

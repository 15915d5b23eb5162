"""The SDK as programs use it, against an API behind a mock transport."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from tests.unit.cli.recorded import NEGOTIATION, Recorder, negotiation, run
from tests.unit.sdk.fake_api import FakeApi

from pyscrai import Event, RunBlocked, Runner, RunResult, Scenario, ScenarioError
from pyscrai.client.errors import ApiUnreachable
from pyscrai.contract.runs import Trouble
from pyscrai.sdk.errors import NoSuchRun, ScenarioNotFound


@pytest.fixture
def api() -> FakeApi:
    return FakeApi(run(), negotiation(), NEGOTIATION)


@pytest.fixture
def scenario() -> Scenario:
    return Scenario.from_dict(NEGOTIATION)


def runner(api: FakeApi) -> Runner:
    return Runner("http://api.test", transport=api.transport)


def test_a_blocking_run_gives_the_whole_result(api: FakeApi, scenario: Scenario) -> None:
    result = runner(api).run(scenario, end_turn=2, credit_limit=5.0)
    assert isinstance(result, RunResult)
    assert (result.turns, result.outcome, result.status, result.completed) == (2, "agreement", "completed", True)
    assert f"${result.total_cost:.2f}" == "$0.00"
    assert result.total_cost == Decimal("0.0042")
    assert result.name == "frontier-rules/run-003"
    assert result.metrics["trust"] == 0.71
    assert result.metrics["resolve"] == {"regulator": 5, "tech-company": 6}
    assert result.series("trust") == [(1, 0.42), (2, 0.71)]
    assert result.series("resolve", "regulator") == [(1, 8), (2, 5)]
    assert [entry.seq for entry in result.entries()] == list(range(1, len(api.log) + 1))
    assert len(result.entries("decision")) == 4
    (posted,) = api.called("POST", "/runs")
    assert posted["choices"]["limit"] == "5.0"
    assert posted["choices"]["turns"] == 2


async def test_it_also_blocks_inside_a_running_loop_as_in_a_notebook(api: FakeApi, scenario: Scenario) -> None:
    assert runner(api).run(scenario).completed


async def test_handlers_get_events_in_order_with_money(api: FakeApi, scenario: Scenario) -> None:
    seen: list[Event] = []
    order: list[str] = []
    playing = runner(api)

    @playing.on("turn_complete")
    async def turn(event: Event) -> None:
        seen.append(event)

    @playing.on("turn_complete")
    def turn_again(event: Event) -> None:
        seen.append(event)

    @playing.on("*")
    def everything(event: Event) -> None:
        order.append(event.type)

    await playing.run_async(scenario)
    assert [event.data["turn"] for event in seen] == [1, 1, 2, 2]
    assert seen[-1].data["cost"] == Decimal("0.0042")
    assert seen[-1].data["remaining"] == Decimal("0.9958")
    assert seen[0].timestamp.utcoffset() is not None
    assert order == [entry.kind for entry in api.log]


def test_a_handler_for_nothing_is_refused(api: FakeApi) -> None:
    with pytest.raises(ValueError, match="turn_complete"):
        runner(api).on("turn_completed")


def test_an_error_in_a_handler_is_raised_and_pauses_the_run(api: FakeApi, scenario: Scenario) -> None:
    playing = runner(api)

    @playing.on("decision")
    def broken(event: Event) -> None:
        raise RuntimeError(f"no {event.type}")

    with pytest.raises(RuntimeError, match="no decision"):
        playing.run(scenario)
    assert len(api.called("POST", "/runs/.*/pause")) == 1


async def test_a_cancelled_call_pauses_its_run(api: FakeApi, scenario: Scenario) -> None:
    playing, begun = runner(api), asyncio.Event()

    @playing.on("run_started")
    async def wait(event: Event) -> None:
        begun.set()
        await asyncio.Event().wait()

    call = asyncio.create_task(playing.run_async(scenario))
    await begun.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert len(api.called("POST", "/runs/.*/pause")) == 1


def test_a_broken_stream_is_taken_up_where_it_broke(api: FakeApi, scenario: Scenario) -> None:
    api.cut_after = [3, 0, 5]
    result = runner(api).run(scenario)
    assert [entry.seq for entry in result.entries()] == list(range(1, len(api.log) + 1))


def test_the_same_document_is_published_once(api: FakeApi, scenario: Scenario) -> None:
    with runner(api) as playing:
        playing.run(scenario)
        api.delivered = 0
        playing.run(scenario)
    assert [body["version"] for body in api.called("POST", "/runs")] == [1, 1]


def test_a_run_that_pauses_for_money_comes_back_and_can_be_resumed(scenario: Scenario) -> None:
    log = Recorder().add("run_started", {}).add("run_paused", {"code": "out_of_money", "message": "spent"}).entries
    paused = run(status="paused", outcome=None, reason=Trouble(code="out_of_money", message="spent"))
    api = FakeApi(paused, log, NEGOTIATION)
    api.after_resume = Recorder().add("run_resumed").add("run_complete", {"turns": 2, "outcome": "agreement"}).entries
    playing, seen = runner(api), []

    @playing.on("*")
    def everything(event: Event) -> None:
        seen.append(event.type)

    result = playing.run(scenario, credit_limit="0.01")
    assert (result.status, result.completed) == ("paused", False)
    seen.clear()
    again = playing.resume(result.id, credit_limit=2)
    assert again.completed
    assert seen == ["run_resumed", "run_complete"]
    assert api.called("POST", "/runs/.*/resume") == [{"limit": "2", "move": True}]


def test_a_blocked_run_is_an_error_that_carries_the_result(scenario: Scenario) -> None:
    log = (
        Recorder().add("run_started", {}).add("run_blocked", {"code": "model_key_missing", "message": "no key"}).entries
    )
    trouble = Trouble(code="model_key_missing", message="OPENAI_API_KEY is not set")
    api = FakeApi(run(status="blocked", outcome=None, reason=trouble), log, NEGOTIATION)
    with pytest.raises(RunBlocked, match="OPENAI_API_KEY is not set") as caught:
        runner(api).run(scenario)
    assert caught.value.result.status == "blocked"


def test_objections_of_the_api_get_file_and_line(tmp_path: Path, api: FakeApi) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text("format: pyscrai/scenario@1\nname: small\nseats:\n  one:\n    title: One\n    model: gpt-9000\n")
    api.objections = [{"pointer": "/seats/one/model", "message": "no model is called gpt-9000", "hint": "gpt-4o?"}]
    with pytest.raises(ScenarioError, match=r"scenario\.yaml:6:\d+: error: no model is called gpt-9000") as caught:
        runner(api).run(Scenario.load(file))
    assert caught.value.findings[0].hint == "gpt-4o?"


def test_loading_says_everything_that_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text("format: pyscrai/scenario@1\nname: small\nseats:\n  one: {goals: {a: 1}, title: [1]}\n")
    with pytest.raises(ScenarioError) as caught:
        Scenario.load(file)
    assert str(caught.value).count("scenario.yaml:4:") == 2
    with pytest.raises(ScenarioNotFound, match="nowhere"):
        Scenario.load(tmp_path / "nowhere")


def test_a_scenario_of_the_catalog_by_name(api: FakeApi) -> None:
    api.catalog["frontier-rules"] = NEGOTIATION
    assert runner(api).run("frontier-rules").completed
    with pytest.raises(ScenarioNotFound, match="it has: frontier-rules"):
        runner(api).run("frontier")


def test_no_answer_is_an_error_that_names_the_address(scenario: Scenario) -> None:
    with pytest.raises(ApiUnreachable, match=r"http://127\.0\.0\.1:9"):
        Runner("http://127.0.0.1:9").run(scenario)


def test_runs_are_found_by_every_name_that_people_use(api: FakeApi) -> None:
    other = run(id="019aa3f0-2222-7abc-8def-000000000002", serial=13, number=4, label="run-004", status="running")
    api.more_runs = [other.model_copy(update={"scenario": other.scenario.model_copy(update={"name": "bridge"})})]
    api.delivered = len(api.log)
    playing = runner(api)
    api.final = api.final.model_copy(update={"status": "completed"})
    for name in ("last", "run-003", "frontier-rules/run-003", "12", "019aa3f0-1", api.final.id):
        assert playing.resume(name).number == 3, name
    for name, words in {"run-009": "no run", "019aa3f0": "fits 2 runs", "x y": "names no run"}.items():
        with pytest.raises(NoSuchRun, match=words):
            playing.resume(name)


def test_bad_amounts_are_refused_before_anything_is_sent(api: FakeApi, scenario: Scenario) -> None:
    for amount in ("many", -1, float("nan")):
        with pytest.raises(ValueError, match="US dollars"):
            runner(api).run(scenario, credit_limit=amount)
    assert api.requests == []

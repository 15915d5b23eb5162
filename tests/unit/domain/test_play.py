"""Whole runs without any queue: what policies make of results."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.domain.plans import TALKS, answer, digest, make_plan, play

from pyscrai.domain.digest import first_link
from pyscrai.domain.errors import PolicyError
from pyscrai.domain.play import advance, begin
from pyscrai.domain.policies import policy
from pyscrai.domain.policies.base import Next
from pyscrai.domain.state import State, fold, initial, window
from pyscrai.domain.work import Result, Work


def kinds(log: list[Any]) -> list[str]:
    return [entry.kind for entry in log]


def test_a_turn_goes_through_its_phases_in_order() -> None:
    log, last = play(make_plan())
    assert [entry.seq for entry in log] == list(range(1, len(log) + 1))
    first_turn = kinds([entry for entry in log if entry.turn == 1])
    assert first_turn == [
        *("turn_started", "thought", "decision", "thought", "decision", "phase_complete"),
        *("world_update", "phase_complete", "metric", "check", "metric", "phase_complete", "phase_complete"),
        "turn_complete",
    ]
    assert kinds(log)[-2:] == ["outcome", "run_complete"]
    assert last.state.end is not None
    assert last.state.end.outcome == "turn_limit"
    assert last.state.turn == 2


def test_moves_of_a_phase_are_one_step() -> None:
    move = begin(make_plan())
    assert [(work.phase, work.seat) for work in move.work] == [("decision", "union"), ("decision", "board")]


def test_checks_and_metrics_run_side_by_side() -> None:
    plan = make_plan()
    move = begin(plan)
    for step in (1, 2):
        results = [Result(work=work, value=answer(work)) for work in move.work]
        move = advance(plan, move.state, results, seq=100 * step, step=step)
    assert {work.phase for work in move.work} == {"validation", "metrics"}


def test_it_ends_by_a_condition_on_a_metric() -> None:
    schedule = {"turns": 9, "end_when": [{"when": "trust >= 0.5 and hours > 5", "outcome": "agreement"}]}
    log, last = play(make_plan(TALKS | {"schedule": schedule}))
    assert last.state.turn == 2
    assert log[-2].body == {"outcome": "agreement", "reason": "trust >= 0.5 and hours > 5"}


def test_it_ends_by_a_limit_of_results() -> None:
    schedule = {"turns": 9, "limits": {"model_calls": 6}}
    _, last = play(make_plan(TALKS | {"schedule": schedule}))
    assert last.state.end is not None
    assert last.state.end.outcome == "call_limit"
    assert last.state.turn == 2


def test_the_choice_of_turns_wins() -> None:
    assert play(make_plan(turns=1))[1].state.turn == 1


def test_pattern_metrics_take_the_last_match() -> None:
    log, _ = play(make_plan())
    hours = [entry.body["value"] for entry in log if entry.kind == "metric" and entry.body["metric"] == "hours"]
    assert hours == [10, 20]


def test_a_discarded_event_says_nothing_and_the_turn_goes_on() -> None:
    def without_the_board(work: Work) -> dict[str, Any] | None:
        return None if work.seat == "board" else answer(work)

    log, last = play(make_plan(), without_the_board)
    assert {entry.seat for entry in log if entry.kind == "decision"} == {"union"}
    assert last.state.turn == 2


def test_a_scenario_without_analysis_asks_no_analyst() -> None:
    plain = {key: value for key, value in TALKS.items() if key not in ("metrics", "checks")}
    log, _ = play(make_plan(plain))
    assert not {"check", "metric"} & set(kinds(log))


def test_only_text_metrics_need_no_work() -> None:
    only = {**TALKS, "metrics": {"hours": TALKS["metrics"]["hours"]}, "checks": {}}
    log, _ = play(make_plan(only))
    assert kinds(log).count("metric") == 2


def test_analysis_every_other_turn_and_at_the_end() -> None:
    document = {**TALKS, "analyst": {"every": 2}, "schedule": {"turns": 3}}
    log, _ = play(make_plan(document))
    assert [entry.turn for entry in log if entry.kind == "check"] == [2, 3]


def test_the_fold_of_the_log_is_the_state() -> None:
    plan = make_plan()
    log, last = play(plan)
    assert fold(initial(plan), log, window(plan)) == last.state


def test_the_digest_depends_on_the_story_alone() -> None:
    plan = make_plan()
    log, _ = play(plan)
    moved = [entry.model_copy(update={"seq": entry.seq + 7, "step": 99, "n": 3, "at": "later"}) for entry in log]
    assert digest(plan, moved) == digest(plan, log)
    changed = [*log[:-1], log[-1].model_copy(update={"body": {"turns": 2, "outcome": "other"}})]
    assert digest(plan, changed) != digest(plan, log)


@pytest.mark.parametrize(
    "choices", [{"seed": 1}, {"turns": 3}, {"seats": {"union": {"instructions": "be kind"}}}], ids=str
)
def test_the_first_link_covers_seed_turns_and_instructions(choices: dict[str, Any]) -> None:
    assert first_link(make_plan(**choices)) != first_link(make_plan())


def test_the_first_link_leaves_out_who_plays_and_what_it_costs() -> None:
    assert first_link(make_plan(model="openai:x", limit="3", title="t")) == first_link(make_plan())


def test_an_unknown_policy_is_named_with_those_there_are() -> None:
    with pytest.raises(PolicyError, match=r"no policy chess@1; there are dialogue@1, flow@1, turns@1"):
        policy("chess@1")


def test_a_policy_that_goes_in_circles_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyscrai.domain import policies

    def idle(plan: object, state: State) -> Next:
        return Next()

    monkeypatch.setitem(policies.POLICIES, "turns@1", idle)
    with pytest.raises(PolicyError, match="1000 moves without any work"):
        begin(make_plan())


def test_facts_are_merged_and_null_takes_one_away() -> None:
    def reply(work: Work) -> dict[str, Any]:
        if work.phase == "world_update":
            return {"narrative": "n", "facts": {"window": None, "new": 1} if work.turn == 1 else {}, "changes": []}
        return answer(work)

    _, last = play(make_plan(), reply)
    assert last.state.facts == {"new": 1}


def test_the_state_does_not_grow_with_turns() -> None:
    def size(turns: int) -> int:
        _, last = play(make_plan(turns=turns))
        assert len(last.state.marks) == 4
        return len(last.state.model_dump_json(exclude_defaults=True))

    assert size(120) < 1.05 * size(60) < 6000

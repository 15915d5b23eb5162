"""The flow policy: waves, triggers, repeats, conditions, endings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.domain.plans import answer, digest, make_plan, play

from pyscrai.domain.entry import Entry
from pyscrai.domain.plan import needed_event_types
from pyscrai.domain.play import begin
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.state import State, fold, initial, window
from pyscrai.domain.view import result_schema, view
from pyscrai.domain.work import Result, Work

SEATS = {"ann": {"role": "a"}, "bo": {"role": "b"}, "cy": {"role": "c"}}
VOTE: dict[str, Any] = {"vote": {"type": "string", "enum": ["yes", "no"], "description": "how you vote"}}


def flow(_turns: int = 20, _schedule: dict[str, Any] | None = None, **steps: dict[str, Any]) -> dict[str, Any]:
    schedule = {"policy": "flow@1", "turns": _turns, **(_schedule or {})}
    return {"name": "flow", "seats": SEATS, "schedule": schedule, "flow": steps}


def waves(log: list[Entry]) -> list[list[str]]:
    return [entry.body["wave"] for entry in log if entry.kind == "turn_started"]  # type: ignore[misc]


def spoke(log: list[Entry]) -> list[str | None]:
    return [entry.seat for entry in log if entry.kind == "message"]


def outcome(log: list[Entry]) -> tuple[Any, Any]:
    body = log[-2].body
    return body["outcome"], body["reason"]


def test_steps_follow_each_other_and_what_fires_together_is_one_wave() -> None:
    document = flow(
        open={"by": "narrator"},
        ask={"by": "ann", "on": "open"},
        left={"by": "bo", "on": "ask"},
        right={"by": "cy", "on": "ask"},
        sum={"by": "analyst", "on": "left"},
    )
    log, last = play(make_plan(document))
    assert waves(log) == [["open"], ["ask"], ["left", "right"], ["sum"]]
    assert outcome(log) == ("flow_complete", "nothing is left to play")
    assert [entry.body["wave"] for entry in log if entry.kind == "turn_complete"] == waves(log)
    assert [entry.body["turns"] for entry in log if entry.kind == "turn_started"] == [20] * 4
    assert last.state.played["left"].turn == 3
    assert last.state.played["left"].times == 1


def test_a_wave_is_one_step_of_the_queue_and_nobody_in_it_sees_the_others() -> None:
    plan = make_plan(flow(a={"by": "all_seats", "prompt": "Vote."}, b={"by": "ann"}, c={"by": "narrator"}))
    move = begin(plan)
    asked = [(work.phase, work.seat, work.payload["step"], work.event_type) for work in move.work]
    assert asked == [
        *[("message", seat, "a", "flow_step") for seat in SEATS],
        ("message", "ann", "b", "flow_step"),
        ("world_update", None, "c", "scene"),
    ]
    seen = [view(plan, move.state, move.entries, work) for work in move.work]
    assert all(one["history"] == [] for one in seen)
    assert seen[0]["step"] == {"name": "A", "prompt": "Vote.", "to": "", "fields": []}


def test_what_came_back_makes_lines_of_the_story() -> None:
    document = flow(
        vote={"by": "ann", "to": "bo", "result": VOTE},
        scene={"by": "narrator", "on": "vote", "result": {"mood": {"type": "string"}}},
        end={"by": "analyst", "on": "scene"},
    )

    def reply(work: Work) -> dict[str, Any]:
        return answer(work) | {"message": {"vote": "yes"}, "world_update": {"mood": "calm"}}.get(work.phase, {})

    log, _ = play(make_plan(document), reply)
    told = {entry.kind: entry for entry in log}
    assert told["thought"].visible_to == ["ann"]
    assert told["message"].visible_to == ["ann", "bo"]
    assert told["message"].body == {
        "text": "ann does vote",
        "to": "bo",
        "closing": False,
        "step": "vote",
        "fields": {"vote": "yes"},
    }
    assert told["world_update"].body["fields"] == {"mood": "calm"}
    assert told["report"].visible_to == "none"
    assert told["report"].body == {
        "summary": "so far, 3 turns",
        "findings": ["one"],
        "step": "end",
        "fields": {},
    }


def test_the_system_says_its_prompt_and_asks_nobody() -> None:
    log, last = play(make_plan(flow(bell={"by": "system", "prompt": "A bell."}, up={"by": "ann", "on": "bell"})))
    said = next(entry for entry in log if entry.kind == "exogenous")
    assert (said.body, said.visible_to) == ({"text": "A bell.", "step": "bell"}, "all")
    assert waves(log) == [["bell"], ["up"]]
    assert last.state.results == 1


def test_in_a_wave_the_system_speaks_first_and_is_heard() -> None:
    plan = make_plan(flow(up={"by": "ann"}, bell={"by": "system", "prompt": "A bell."}))
    move = begin(plan)
    assert [line["text"] for line in view(plan, move.state, move.entries, move.work[0])["history"]] == ["A bell."]
    assert move.state.phases_done == ["system"]


def test_any_seat_is_the_one_that_has_waited_longest() -> None:
    document = flow(first={"by": "bo"}, talk={"by": "any_seat", "on": "turn_complete", "repeat": 5})
    log, _ = play(make_plan(document))
    assert spoke(log) == ["bo", "ann", "cy", "bo", "ann", "cy"]


def test_any_seat_of_one_wave_are_different_seats() -> None:
    steps = {name: {"by": "any_seat"} for name in ("a", "b", "c", "d")}
    log, _ = play(make_plan(flow(z={"by": "bo"}, **steps)))  # type: ignore[arg-type]
    assert spoke(log) == ["bo", "ann", "cy", "ann", "ann"]


def test_who_is_spoken_to_does_not_speak_to_themselves() -> None:
    log, _ = play(make_plan(flow(a={"by": "all_seats", "to": "bo"}, b={"by": "any_seat", "to": "ann", "on": "a"})))
    assert spoke(log) == ["ann", "cy", "bo"]


def test_repeat_bounds_a_step_that_is_triggered_again_and_again() -> None:
    log, _ = play(make_plan(flow(a={"by": "ann"}, b={"by": "bo", "on": "turn_complete", "repeat": 4})))
    assert waves(log) == [["a"], ["b"], ["b"], ["b"], ["b"]]


def test_rounds_by_a_step_that_waits_for_a_repeated_one() -> None:
    document = flow(
        a={"by": "ann"},
        bell={"by": "system", "prompt": "!", "on": "turn_complete", "repeat": 2},
        talk={"by": "all_seats", "on": "bell", "repeat": 2},
    )
    assert waves(play(make_plan(document))[0]) == [["a"], ["bell"], ["bell", "talk"], ["talk"]]


def test_every_n_turns_counts_turns() -> None:
    document = flow(
        a={"by": "ann"},
        talk={"by": "any_seat", "on": "turn_complete", "repeat": 7},
        look={"by": "analyst", "on": "every_n_turns", "n": 3, "repeat": 9},
    )
    log, _ = play(make_plan(document))
    assert [entry.turn for entry in log if entry.kind == "report"] == [4, 7]
    assert waves(log)[3] == ["talk", "look"]


def test_a_condition_on_a_metric_decides_whether_a_step_plays() -> None:
    steps: dict[str, Any] = {
        "a": {"by": "ann"},
        "calm": {"by": "bo", "on": "a", "when": "heat < 2"},
        "hot": {"by": "cy", "on": "a", "when": "heat >= 2"},
    }
    heat = {"heat": {"type": "integer", "by": "keyword", "keywords": ["fire"]}}

    def reply(work: Work) -> dict[str, Any]:
        return answer(work) | {"text": "fire, fire"}

    log, _ = play(make_plan(flow(**steps) | {"metrics": heat}), reply)
    assert waves(log) == [["a"], ["hot"]]
    assert outcome(log)[1] == "nothing is left to play; never played: calm"
    log, _ = play(make_plan(flow(**steps) | {"metrics": heat}))
    assert waves(log) == [["a"], ["calm"]]


def test_it_ends_by_a_condition_and_the_last_steps_play_once() -> None:
    document = flow(
        _schedule={"end_when": [{"when": "heat > 0", "outcome": "burnt"}]},
        talk={"by": "all_seats"},
        more={"by": "ann", "on": "talk"},
        last={"by": "narrator", "on": "end", "repeat": 5},
        word={"by": "system", "prompt": "Over.", "on": "end"},
    ) | {"metrics": {"heat": {"type": "integer", "by": "keyword", "keywords": ["does talk"]}}}
    log, last = play(make_plan(document))
    assert waves(log) == [["talk"], ["last", "word"]]
    assert outcome(log) == ("burnt", "heat > 0")
    assert last.state.turn == 2
    started = [entry.body.get("ends") for entry in log if entry.kind == "turn_started"]
    assert started == [None, {"outcome": "burnt", "reason": "heat > 0"}]


def test_the_turns_are_a_bound_for_the_last_steps_too() -> None:
    steps: dict[str, Any] = {"a": {"by": "ann"}, "b": {"by": "bo", "on": "turn_complete", "repeat": 99}}
    log, _ = play(make_plan(flow(4, **steps)))
    assert waves(log) == [["a"], ["b"], ["b"], ["b"]]
    assert outcome(log) == ("turn_limit", "all 4 turns were played")
    log, _ = play(make_plan(flow(4, **steps, z={"by": "cy", "on": "end"})))
    assert waves(log) == [["a"], ["b"], ["b"], ["z"]]
    assert outcome(log)[0] == "turn_limit"
    log, _ = play(make_plan(flow(1, **steps, z={"by": "cy", "on": "end"})))
    assert waves(log) == [["a"]]


def test_a_flow_that_is_complete_with_its_last_turn_was_not_cut_off() -> None:
    log, _ = play(make_plan(flow(2, a={"by": "ann"}, b={"by": "bo", "on": "a"})))
    assert outcome(log) == ("flow_complete", "nothing is left to play")
    log, _ = play(make_plan(flow(1, a={"by": "ann"}, b={"by": "bo", "on": "a"})))
    assert outcome(log) == ("turn_limit", "all 1 turns were played")


def test_a_last_step_whose_condition_does_not_hold_costs_no_turn() -> None:
    steps: dict[str, Any] = {"a": {"by": "ann"}, "b": {"by": "bo", "on": "turn_complete", "repeat": 99}}
    log, _ = play(make_plan(flow(3, **steps, z={"by": "cy", "on": "end", "when": "none > 1"})))
    assert waves(log) == [["a"], ["b"], ["b"]]


def test_it_ends_by_a_limit_of_results() -> None:
    steps: dict[str, Any] = {"a": {"by": "all_seats"}, "b": {"by": "all_seats", "on": "turn_complete", "repeat": 9}}
    log, last = play(make_plan(flow(_schedule={"limits": {"model_calls": 5}}, **steps)))
    assert outcome(log)[0] == "call_limit"
    assert last.state.turn == 2


def test_a_step_that_nothing_triggers_is_named_at_the_end_unless_it_is_not_required() -> None:
    log, _ = play(make_plan(flow(a={"by": "ann"}, b={"by": "bo", "on": "c"}, c={"by": "cy", "on": "b"})))
    assert outcome(log) == ("flow_complete", "nothing is left to play; never played: b, c")
    optional = {"required": False}
    log, _ = play(make_plan(flow(a={"by": "ann"}, b={"by": "bo", "on": "b", **optional})))
    assert outcome(log)[1] == "nothing is left to play"


def test_a_flow_that_nothing_starts_is_over_at_once() -> None:
    log, last = play(make_plan(flow(a={"by": "ann", "on": "turn_complete"}, z={"by": "bo", "on": "end"})))
    assert waves(log) == [["z"]]
    assert last.state.turn == 1


def test_a_clock_that_nobody_hears_any_more_stops() -> None:
    tick: dict[str, Any] = {"by": "system", "prompt": "Tick.", "on": "turn_complete", "repeat": 5000}
    late: dict[str, Any] = {"by": "bo", "on": "tick", "repeat": 2}
    log, last = play(make_plan(flow(5000, a={"by": "ann"}, tick=tick)))
    assert waves(log) == [["a"]]
    assert last.state.end is not None
    assert last.state.end.outcome == "flow_complete"
    log, _ = play(make_plan(flow(5000, a={"by": "ann"}, tick=tick, late=late)))
    assert waves(log) == [["a"], ["tick"], ["tick", "late"], ["tick", "late"]]
    log, _ = play(make_plan(flow(5000, a={"by": "system", "prompt": "Once."}, tick=tick)))
    assert waves(log) == [["a"]]


def test_a_discarded_event_is_silence_and_the_flow_goes_on() -> None:
    steps: dict[str, Any] = {"a": {"by": "all_seats"}, "b": {"by": "bo", "on": "a"}, "c": {"by": "cy", "on": "b"}}
    log, _ = play(make_plan(flow(**steps)), lambda work: None if work.seat == "bo" else answer(work))
    assert waves(log) == [["a"], ["b"], ["c"]]
    assert spoke(log) == ["ann", "cy", "cy"]


def test_checks_and_metrics_follow_each_wave_whatever_the_phases_say() -> None:
    document = flow(_schedule={"phases": ["decision"]}, a={"by": "ann"}, b={"by": "bo", "on": "a"}) | {
        "metrics": {"trust": {"by": "model", "description": "how much"}},
        "checks": {"sense": {"description": "does it"}},
    }
    log, _ = play(make_plan(document))
    assert [(entry.kind, entry.turn) for entry in log if entry.kind in ("check", "metric")] == [
        ("check", 1),
        ("metric", 1),
        ("check", 2),
        ("metric", 2),
    ]


def test_a_step_may_have_an_event_type_of_its_own() -> None:
    document = flow(a={"by": "ann", "event": "verdict@2"}, b={"by": "bo", "on": "a"}, s={"by": "system", "prompt": "."})
    needed = needed_event_types(Scenario.model_validate(document))
    assert needed == {"flow.a": "verdict@2", "message": "flow_step", "validation": "check", "metrics": "measure"}
    plan = make_plan(document)
    work = begin(plan).work[0]
    assert plan.event_type(work) is plan.event_types["flow.a"]
    needed = needed_event_types(Scenario.model_validate(document | {"events": {"message": "verse"}}))
    assert needed["message"] == "verse"


@pytest.mark.parametrize(
    ("value", "text", "fields"),
    [
        ({"action": "I go", "reasoning": "why", "goals": ["g"]}, "I go", {}),
        ({"verdict": "guilty", "years": 3}, "Verdict: guilty\nYears: 3", {"verdict": "guilty", "years": 3}),
        ({"message": "Hi", "mood": {"a": 1}, "thought": "hm"}, "Hi", {"mood": {"a": 1}}),
        ({}, "", {}),
    ],
)
def test_answers_of_any_shape_are_a_line_and_fields(value: dict[str, Any], text: str, fields: dict[str, Any]) -> None:
    log, _ = play(make_plan(flow(a={"by": "ann"})), lambda _work: value)
    said = next(entry for entry in log if entry.kind == "message")
    assert (said.body["text"], said.body["fields"]) == (text, fields)
    assert not ({"why", "hm"} & set(str(said.body).split()))


def test_the_schema_of_a_step_asks_for_its_own_fields() -> None:
    plan = make_plan(flow(a={"by": "ann", "result": VOTE}))
    base = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    kind = plan.event_types["message"].model_copy(update={"result_schema": base | {"additionalProperties": False}})
    plan = plan.model_copy(update={"event_types": plan.event_types | {"message": kind}})
    schema = result_schema(plan, begin(plan).work[0])
    assert schema["required"] == ["text", "vote"]
    assert schema["properties"]["vote"] == VOTE["vote"]
    assert schema["additionalProperties"] is False
    seen = view(plan, begin(plan).state, begin(plan).entries, begin(plan).work[0])
    assert seen["step"]["fields"] == [
        {"name": "vote", "description": "how you vote", "type": "string", "options": ["yes", "no"]}
    ]


def test_narrator_and_analyst_see_what_was_said_since_the_last_scene() -> None:
    document = flow(
        a={"by": "ann"},
        tell={"by": "narrator", "on": "a"},
        whisper={"by": "bo", "to": "cy", "on": "tell"},
        aloud={"by": "cy", "on": "tell"},
        again={"by": "narrator", "on": "aloud"},
        note={"by": "analyst", "on": "aloud"},
    )
    plan = make_plan(document)
    seen: dict[str, list[str]] = {}
    move, log, step = begin(plan), list(begin(plan).entries), 0
    from pyscrai.domain.play import advance

    while move.work:
        recent = [entry for entry in log if entry.seq >= move.state.marks[0]]
        for work in move.work:
            if work.seat is None:
                told = view(plan, move.state, recent, work)["moves"]
                seen[str(work.payload["step"])] = [line["action"] for line in told]
        step += 1
        results = [Result(work=work, value=answer(work)) for work in move.work]
        move = advance(plan, move.state, results, seq=log[-1].seq, step=step)
        log += move.entries
    assert seen == {
        "tell": ["ann does a"],
        "again": ["cy does aloud"],
        "note": ["bo does whisper", "cy does aloud"],
    }


def test_the_fold_of_the_log_is_the_state_and_stays_small() -> None:
    steps: dict[str, Any] = {"a": {"by": "ann"}, "b": {"by": "all_seats", "on": "turn_complete", "repeat": 99}}
    plan = make_plan(flow(60, **steps, z={"by": "narrator", "on": "end"}))
    log, last = play(plan)
    assert fold(initial(plan), log, window(plan)) == last.state
    assert State.model_validate_json(last.state.model_dump_json()) == last.state
    assert len(last.state.model_dump_json()) < 2500


ON = st.sampled_from(["start", "turn_complete", "every_n_turns", "end", "s0", "s1", "s2", "s3"])
BY = st.sampled_from(["ann", "bo", "narrator", "analyst", "system", "all_seats", "any_seat"])
STEP = st.fixed_dictionaries({"by": BY, "on": ON, "n": st.integers(1, 4), "repeat": st.integers(1, 5)})


@given(st.lists(STEP, min_size=4, max_size=4), st.integers(1, 12))
def test_any_flow_ends_in_time_and_is_the_same_each_time(steps: list[dict[str, Any]], turns: int) -> None:
    document = flow(turns, **{f"s{number}": step | {"prompt": "."} for number, step in enumerate(steps)})
    plan = make_plan(document)
    log, last = play(plan)
    assert last.state.end is not None
    assert last.state.turn <= turns
    assert all(last.state.times(name) <= step.repeat for name, step in plan.scenario.flow.items())
    assert fold(initial(plan), log, window(plan)) == last.state
    assert digest(plan, play(plan)[0]) == digest(plan, log)

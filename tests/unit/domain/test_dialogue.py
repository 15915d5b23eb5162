"""The dialogue policy: fair with any number of seats, ends by closing or limits."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.domain.plans import make_plan, play

from pyscrai.domain.work import Work

SEATS = {"ann": {}, "bo": {}, "cy": {}}


def dialogue(**schedule: Any) -> dict[str, Any]:
    return {"name": "chat", "seats": SEATS, "schedule": {"policy": "dialogue@1", "turns": 9, **schedule}}


def speakers(log: list[Any]) -> list[str]:
    return [entry.seat for entry in log if entry.kind == "message"]


def say(work: Work, **more: Any) -> dict[str, Any]:
    return {"text": "…", "to": None, "closing": False, "thought": "", **more}


def test_without_addressing_the_seats_speak_in_turn() -> None:
    log, last = play(make_plan(dialogue()), lambda work: say(work))
    assert speakers(log) == ["ann", "bo", "cy"] * 3
    assert last.state.end is not None
    assert last.state.end.outcome == "turn_limit"


def test_the_first_speaker_is_the_authors_choice() -> None:
    log, _ = play(make_plan(dialogue(first="cy")), lambda work: say(work))
    assert speakers(log)[:3] == ["cy", "ann", "bo"]


def test_two_that_address_each_other_cannot_shut_out_the_third() -> None:
    def reply(work: Work) -> dict[str, Any]:
        return say(work, to={"ann": "bo", "bo": "Ann", "cy": "ann"}[str(work.seat)])

    log, _ = play(make_plan(dialogue(turns=30)), reply)
    spoken = speakers(log)
    gaps = [i for i, seat in enumerate(spoken) if seat == "cy"]
    assert gaps
    assert gaps[0] <= 7
    assert all(b - a <= 8 for a, b in pairwise(gaps))
    assert spoken[:2] == ["ann", "bo"]


def test_addressing_by_title_in_any_case_or_nobody() -> None:
    replies = {1: "CY", 2: "someone else", 3: "bo"}

    def reply(work: Work) -> dict[str, Any]:
        return say(work, to=replies.get(work.turn))

    log, _ = play(make_plan(dialogue(turns=4)), reply)
    assert speakers(log) == ["ann", "cy", "bo", "ann"]
    assert [e.body["to"] for e in log if e.kind == "message"] == ["cy", None, None, None]


def test_it_ends_when_every_latest_message_is_closing() -> None:
    def reply(work: Work) -> dict[str, Any]:
        return say(work, closing=work.turn >= 4 and work.turn != 5)

    log, last = play(make_plan(dialogue(turns=20)), reply)
    assert last.state.end is not None
    assert last.state.end.outcome == "closed"
    assert len(speakers(log)) == 8


def test_a_limit_of_messages() -> None:
    log, _ = play(make_plan(dialogue(limits={"messages": 5})), lambda work: say(work))
    assert len(speakers(log)) == 5


def test_an_opening_is_said_word_for_word_and_costs_no_call() -> None:
    document = dialogue(turns=2) | {"seats": {"ann": {"opening": "Good morning."}, "bo": {"opening": "never used"}}}
    asked: list[str] = []

    def reply(work: Work) -> dict[str, Any]:
        asked.append(str(work.seat))
        return say(work)

    log, _ = play(make_plan(document), reply)
    assert next(e.body["text"] for e in log if e.kind == "message") == "Good morning."
    assert asked == ["bo"]


def test_a_dialogue_can_be_measured() -> None:
    document = dialogue(turns=2) | {"metrics": {"dots": {"by": "keyword", "keywords": ["…"], "type": "integer"}}}
    log, _ = play(make_plan(document), lambda work: say(work))
    assert [e.body["value"] for e in log if e.kind == "metric"] == [1, 1]


def test_the_last_report_comes_also_where_everybody_says_goodbye() -> None:
    document = dialogue() | {"reports": {"at_end": True, "every": 2}}

    def reply(work: Work) -> dict[str, Any]:
        if work.phase == "report":
            return {"summary": "…", "findings": []}
        return say(work, closing=work.turn > 2)

    log, last = play(make_plan(document), reply)
    assert last.state.end is not None
    assert last.state.end.outcome == "closed"
    assert [(e.turn, e.body["at_end"]) for e in log if e.kind == "report"] == [(2, False), (4, False), (5, True)]


@given(st.lists(st.sampled_from(["ann", "bo", "cy", None]), min_size=40, max_size=40))
def test_nobody_waits_longer_than_the_bound(addressed: list[str | None]) -> None:
    log, _ = play(make_plan(dialogue(turns=40)), lambda work: say(work, to=addressed[work.turn - 1]))
    last = dict.fromkeys(SEATS, 0)
    for number, seat in enumerate(speakers(log), 1):
        last[seat] = number
        assert max(number - at for at in last.values()) <= 2 * len(SEATS) + len(SEATS)

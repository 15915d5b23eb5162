"""Letters, coalitions, happenings and reports with the rehearsal model: to the point, and without a leak."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
import yaml
from tests.unit.llm import offline

from pyscrai.domain.entry import Entry
from pyscrai.domain.plan import Plan
from pyscrai.domain.scenario import Scenario
from pyscrai.llm.rehearsal.compose import compose

SEEDS = range(4)
VILLAGE = """
name: village
title: The well
world:
  text: The well of the village is half empty. The rain is late.
  facts: {level: 40, mood: wary}
  variables:
    level: {type: integer, unit: "%", range: [0, 100], description: how full the well is}
    mood: {type: category, categories: [wary, calm, glad]}
seats:
  baker:
    title: Berta Moos
    role: bakes for the village
    goals: [Keep the oven running, Get water before noon, Bring the village to share the well]
    constraints: [Cannot bake without water]
    private: "Berta has a second well under the cellar floor. The canary sings in yellow."
  smith:
    title: Carl Ohm
    role: runs the forge
    goals: [Keep the forge hot, Share the well by the hour, Protect the old pump]
    constraints: [Must not run the pump dry]
    private: "Carl has sold the old pump already. The heron stands in the grey reeds."
  teacher:
    title: Dora Lind
    role: teaches the children
    goals: [Have clean water for the school, Bring the village to share the well]
    constraints: [Cannot close the school again]
    private: "Dora will leave the village in spring. The magpie hides a silver spoon."
communication: {bilateral: true, statements: true, coalitions: true, rounds: 3}
happenings:
  - {name: drought, type: scheduled, turns: [2], text: The spring above the village has run dry., facts: {spring: dry}}
reports: {every: 3, at_end: true}
schedule: {turns: 5, phases: [decision, world_update]}
"""
Log = list[Entry]


@pytest.fixture(scope="module")
def plays() -> list[tuple[Plan, Log]]:
    async def all_of_them() -> list[tuple[Plan, Log]]:
        found = []
        for seed in SEEDS:
            plan = offline.plan_of(Scenario.model_validate(yaml.safe_load(VILLAGE)), seed)
            found.append((plan, [entry async for entry in offline.play(plan)]))
        return found

    return asyncio.run(all_of_them())


def of(log: Log, kind: str) -> Log:
    return [entry for entry in log if entry.kind == kind]


def told(entry: Entry) -> str:
    return str(entry.body.get("text") or entry.body.get("reason") or entry.body.get("purpose") or "")


def test_letters_go_to_the_point(plays: list[tuple[Plan, Log]]) -> None:
    for plan, log in plays:
        letters = [entry for entry in of(log, "message") if entry.body["channel"] == "bilateral"]
        assert {entry.body["channel"] for entry in of(log, "message")} == {"bilateral", "public", "coalition"}
        for letter in letters:
            receiver = plan.scenario.seat_title(str(letter.body["to"]))
            assert receiver.split()[0] in told(letter)
            assert "`" not in told(letter)
            assert "Give:" not in told(letter)
        answers = [entry for entry in letters if re.match(r".*[“”]", told(entry)) and entry.body["closing"]]
        assert answers
        wishes = "Keep|Get|Share|Protect|Have|Bring"
        assert any(re.search(wishes, told(one), re.I) for one in letters)


def test_an_answer_quotes_the_letter_that_it_answers(plays: list[tuple[Plan, Log]]) -> None:
    found = 0
    for _, log in plays:
        letters = [entry for entry in of(log, "message") if entry.body["channel"] == "bilateral"]
        for n, answer in enumerate(letters):
            before = [one for one in letters[:n] if one.turn == answer.turn and one.seat == answer.body["to"]]
            to_me = [told(one) for one in before if one.body["to"] == answer.seat]
            quotes = re.findall(r"“([^”]{10,})”", told(answer))
            found += any(quote.rstrip(".…") in text for quote in quotes for text in to_me)
    assert found >= 3 * len(plays)


def test_some_proposals_are_accepted_some_rejected_and_some_leave(plays: list[tuple[Plan, Log]]) -> None:
    acts = [entry.body["act"] for _, log in plays for entry in of(log, "proposal")]
    assert {"propose", "accept", "reject", "formed", "leave"} <= set(acts)
    for _, log in plays:
        reasons = [told(entry) for entry in of(log, "proposal") if entry.body["act"] in ("accept", "reject")]
        assert all(reason.endswith(".") for reason in reasons)
        names = [str(entry.body["name"]) for entry in of(log, "proposal")]
        assert all(len(name) > 8 and "…" not in name for name in names)


def test_no_secret_is_told_to_anybody_else(plays: list[tuple[Plan, Log]]) -> None:
    secrets = {
        "baker": ("canary", "second well"),
        "smith": ("heron", "sold the old"),
        "teacher": ("magpie", "in spring"),
    }
    for _, log in plays:
        for seat, words in secrets.items():
            heard = [str(entry.body) for entry in log if entry.visible_to not in ("none", [seat])]
            assert not [text for text in heard for word in words if word in text]


def test_what_is_quoted_in_public_was_said_in_public(plays: list[tuple[Plan, Log]]) -> None:
    for _, log in plays:
        heard = ""
        for entry in log:
            if entry.visible_to == "all":
                text = str(entry.body.get("action") or entry.body.get("text") or "")
                quotes = [quote.rstrip(".…") for quote in re.findall(r"“([^”]{25,})”", text)]
                assert all(quote in heard for quote in quotes if entry.seat), text
                heard += str(entry.body)


def test_news_is_taken_up_and_variables_move(plays: list[tuple[Plan, Log]]) -> None:
    for _, log in plays:
        second = [entry for entry in log if entry.turn == 2]
        assert any("spring above the village" in str(entry.body["action"]) for entry in of(second, "decision"))
        assert "run dry" in str(of(second, "world_update")[0].body["narrative"])
        facts: list[Any] = [entry.body["facts"] for entry in of(log, "world_update")]
        levels = [told["level"] for told in facts if "level" in told]
        assert levels
        assert all(0 <= level <= 100 and level != 40 for level in levels)
        assert not any(entry.body["check"] == "facts" for entry in of(log, "check"))


def test_the_report_points_to_turns_and_people(plays: list[tuple[Plan, Log]]) -> None:
    for plan, log in plays:
        reports: list[Any] = [entry.body for entry in of(log, "report")]
        assert [report["at_end"] for report in reports] == [False, True]
        last = reports[-1]
        assert {one["seat"] for one in last["positions"]} == set(plan.seats)
        assert any(point["turn"] == 2 and "News" in point["what"] for point in reports[0]["turning_points"])
        assert all(one["from"] in plan.seats and one["to"] in plan.seats for one in last["influence"])
        assert last["influence"]


def test_asked_again_the_narrator_leaves_out_what_was_wrong() -> None:
    prompt = """# W

## Facts

- gap in litres: 4

## What everybody did this turn

- Ada: I offer 12 litres.
- Bo: I ask for 20 litres.

## What was wrong with your first answer

- gap in litres cannot be 8: it never changes

## Now

This is turn 1 of 3."""
    schema = offline.event_type("world_update").result_schema
    first = compose("", prompt.partition("## What was wrong")[0] + "## Now\n\nThis is turn 1 of 3.", schema, 3)
    again = compose("", prompt, schema, 3)
    assert isinstance(first, dict)
    assert isinstance(again, dict)
    assert first["facts"]
    assert again["facts"] == {}
    assert again["narrative"] != first["narrative"]

"""What a small model really wrote, and what good answers look like that must not be taken for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyscrai.llm import answers
from pyscrai.llm.unruly import loop

TEXT = {"type": "string", "minLength": 1, "maxLength": 6000}
DECISION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reasoning": TEXT,
        "goals": {"type": "array", "items": TEXT, "maxItems": 8},
        "action": TEXT,
    },
    "required": ["reasoning", "goals", "action"],
}
ASKED = """Decide what you do in this turn. Give:

- `reasoning`: why, in two to four sentences, in your own voice. Nobody else will read it.
- `goals`: what you are after right now, one to three short phrases, the most important first.
- `action`: what you do and say, in one to four sentences in the first person. Everybody will read it, so keep to
  yourself what only you should know. Name numbers, dates and people where you can.
"""
# Word for word from SmolLM2-135M at the shipped examples; a longer tail of the same is cut.
COLONS = "1: a room is opened. 1: 2: the door is opened. 2: 3: the room is opened. 2: 5: 5:" + " 5:" * 30
TOKYO = "Tokyo, Japan, 2021-01-01: New year, " + "2021-10-21: Tokyo, Japan, " * 9 + "2021-10-21: To"
FOURS = "2: 1: the door is opened. 3: 2: a room is opened." + " 4:" * 40


def decision(**parts: Any) -> str:
    return json.dumps({"reasoning": "It is late.", "goals": ["the van"], "action": "I take the piano."} | parts)


@pytest.mark.parametrize("text", [COLONS, TOKYO, FOURS])
def test_a_loop_is_found_wherever_it_is_cut(text: str) -> None:
    for end in range(len(text) - 5, len(text) + 1):
        with pytest.raises(answers.Unusable, match="At /action: it goes round in circles"):
            answers.read(decision(action=text[:end]), DECISION, ASKED)


def test_a_loop_in_free_text_is_found() -> None:
    with pytest.raises(answers.Unusable, match="round in circles"):
        answers.read(FOURS, None)


def test_a_list_of_the_same_is_refused() -> None:
    with pytest.raises(answers.Unusable, match="At /goals: all 8 entries are the same"):
        answers.read(decision(goals=["Tokyo"] * 8), DECISION)


def test_white_space_where_something_is_required_is_refused() -> None:
    with pytest.raises(answers.Unusable, match="At /reasoning: there is nothing but white space"):
        answers.read(decision(reasoning=" \n\t "), DECISION)


def test_an_answer_that_only_repeats_its_instructions_is_refused() -> None:
    echo = decision(
        reasoning="why, in two to four sentences, in your own voice",
        goals=["what you are after right now", "decide"],
        action="What you do and say, in one to four sentences in the first person.",
    )
    with pytest.raises(answers.Unusable, match="repeats what it was asked for"):
        answers.read(echo, DECISION, ASKED)


@pytest.mark.parametrize(
    "parts",
    [
        {"action": "…"},
        {"action": "No, no, no, no. I said no, and no it is."},
        {"action": "Ha ha ha ha ha ha ha!"},
        {"action": "Here is the plan:\n\n" + "-" * 120},
        {"action": "Signed: " + "_" * 200},
        {"action": "| a | b |\n" + "|---|---|\n" * 12},
        {"action": " ".join(f"On day {day} I bring {day * 3} litres." for day in range(1, 40))},
        {"goals": ["the van", "the van"]},
        # Quoting what one was told about oneself is no echo of the instructions.
        {"goals": ["Take the piano home today"], "action": "I take the piano home today, before noon."},
        # Neither is one text that is, beside others that are not.
        {"reasoning": "what you are after right now, one to three short phrases", "action": "I carry the piano down."},
    ],
)
def test_a_good_answer_is_taken(parts: dict[str, Any]) -> None:
    text = decision(**parts)
    assert answers.read(text, DECISION, ASKED) == json.loads(text)


def test_an_empty_text_is_fine_where_nothing_is_required() -> None:
    schema = {"type": "object", "properties": {"note": {"type": "string"}}, "required": ["note"]}
    assert answers.read('{"note": " "}', schema) == {"note": " "}


def test_long_prose_is_no_loop() -> None:
    prose = " ".join(f"word{number % 977}" for number in range(40_000))
    assert loop(prose) is None

"""What a seat asks of its systems, as a person reads it: quiet lines, the answer set in, documents listed."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len
from tests.unit.cli.conftest import Sheet
from tests.unit.cli.recorded import DIALOGUE, Recorder

from pyscrai.cli.play import Play
from pyscrai.cli.playbill import playbill

DOCUMENT = {"id": "0" * 64, "title": "Report on the piers", "content_type": "text/markdown", "size": 2048}


def shown(width: int = 80, thoughts: bool = True, **result: Any) -> str:
    sheet = Sheet(width)
    play = Play(sheet.paper, playbill(DIALOGUE, {}, "rehearsal"), thoughts=thoughts)
    log = Recorder()
    log.add("thought", {"thought": "Better look first."}, turn=2, seat="engineer")
    log.add("tool_call", {"tool": "survey", "input": {"pier": 3, "since": "May"}}, turn=2, seat="engineer")
    body = {"tool": "survey", "content": "**Pier 3**\n\n- settled by 4 mm", "ends": None, "documents": []} | result
    log.add("tool_result", body, turn=2, seat="engineer")
    for entry in log.entries:
        play.show(entry)
    return sheet.text


def test_question_and_answer_stand_below_the_thought() -> None:
    lines = [line.strip() for line in shown().splitlines() if line.strip()]
    assert lines == [
        "Engineer    thinks: Better look first.",
        "asks survey (pier: 3; since: May)",
        "Pier 3",
        "• settled by 4 mm",
    ]


def test_without_thoughts_the_question_stays() -> None:
    text = shown(thoughts=False)
    assert "Better look first" not in text
    assert "asks survey" in text


def test_documents_are_listed_with_kind_and_size() -> None:
    text = " ".join(shown(documents=[DOCUMENT, DOCUMENT | {"left_out": True}]).split())
    assert "document: Report on the piers (text/markdown, 2,048 bytes)" in text
    assert "(text/markdown, 2,048 bytes, too large to be kept)" in text


def test_a_decision_says_that_it_is_one() -> None:
    assert "This ends the conversation: failure" in shown(ends="failure")


def test_a_long_answer_is_cut_and_says_by_how_much() -> None:
    text = shown(content="\n".join(f"- entry {number}" for number in range(40)))
    assert "entry 14" in text
    assert "entry 20" not in text
    assert "25 more lines" in text


def test_escape_sequences_and_width() -> None:
    text = shown(width=40, content="\x1b[2J" + "wide " * 30, documents=[DOCUMENT])
    assert "\x1b" not in text
    assert all(cell_len(line) <= 40 for line in text.splitlines())

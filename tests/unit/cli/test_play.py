"""A log as a play: what a person reads, at two widths, in colour or not, whatever is in the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from rich.cells import cell_len
from tests.unit.cli.conftest import Sheet
from tests.unit.cli.recorded import DIALOGUE, NEGOTIATION, Recorder, dialogue, negotiation, run

from pyscrai.cli import pages, trouble
from pyscrai.cli.glyphs import ASCII, for_encoding
from pyscrai.cli.play import Play
from pyscrai.cli.playbill import playbill
from pyscrai.contract.runs import Delivered, Trouble
from pyscrai.domain.choices import Choices

Compare = Callable[[str, str], None]


def played(sheet: Sheet, document: dict[str, Any], log: Iterable[Delivered], **options: Any) -> Play:
    play = Play(sheet.paper, playbill(document, {}, "rehearsal"), **options)
    for entry in log:
        play.show(entry)
    return play


@pytest.mark.parametrize("width", [80, 120])
def test_a_negotiation_from_heading_to_end(same_as: Compare, width: int) -> None:
    sheet, bill = Sheet(width), playbill(NEGOTIATION, {}, "rehearsal")
    pages.heading(sheet.paper, run(), bill, {"actor": 1, "narrator": 1, "analyst": 1}, "0.1.0")
    play = played(sheet, NEGOTIATION, negotiation())
    times = pages.Times(start_up=1.26, play=2.1)
    pages.spending(sheet.paper, negotiation())
    pages.ending(sheet.paper, run(), play.measures, play.reason, times, again=pages.next_steps(run(), "negotiation"))
    same_as(f"negotiation-{width}.txt", sheet.text)


def test_what_is_said_to_play_it_again_plays() -> None:
    """With the price and the limit, without which a model that nobody knows is refused."""
    prices = {"http://127.0.0.1:1/v1#*": {"input": "0.1500000000", "output": "0.60"}}
    choices = {"model": "http://127.0.0.1:1/v1#m", "prices": prices, "limit": "0.50", "group": "pilot"}
    paid = run().model_copy(update={"choices": Choices.model_validate(choices)})
    command = dict(pages.next_steps(paid, "negotiation"))["Play again"]
    assert command == (
        "pyscrai run negotiation --model 'http://127.0.0.1:1/v1#m' --group pilot "
        "--price 'http://127.0.0.1:1/v1#*=0.15,0.6' --limit 0.5 --seed 8"
    )


@pytest.mark.parametrize("width", [80, 120])
def test_a_dialogue_reads_like_a_script(same_as: Compare, width: int) -> None:
    sheet = Sheet(width)
    played(sheet, DIALOGUE, dialogue())
    same_as(f"dialogue-{width}.txt", sheet.text)


@pytest.mark.parametrize("width", [40, 80, 120, 200])
@pytest.mark.parametrize(("document", "log"), [(NEGOTIATION, negotiation()), (DIALOGUE, dialogue())])
def test_no_line_is_wider_than_the_paper_or_ends_in_spaces(
    width: int, document: dict[str, Any], log: list[Delivered]
) -> None:
    sheet = Sheet(width)
    played(sheet, document, log)
    for line in sheet.text.splitlines():
        assert cell_len(line) <= width
        assert line == line.rstrip()


def test_plain_output_has_no_control_codes_and_a_terminal_gets_the_same_words() -> None:
    plain, coloured = Sheet(), Sheet(terminal=True)
    played(plain, NEGOTIATION, negotiation())
    played(coloured, NEGOTIATION, negotiation())
    assert "\x1b" not in plain.text
    assert "\x1b[" in coloured.text


def test_what_models_write_never_reaches_the_terminal_as_commands() -> None:
    log = Recorder()
    evil = "\x1b]0;owned\x07\x1b[2J[bold red]boo[/] \x9b1m\r\u202egnirts"
    log.add("decision", {"action": evil}, turn=1, phase="decision", seat=evil)
    log.add("run_blocked", {"code": "x", "message": evil})
    new = log.entries[0].model_copy(update={"kind": "of_a_newer_version", "body": {"text": evil}})
    sheet = Sheet(terminal=True)
    played(sheet, NEGOTIATION, [*log.entries, new])
    assert "of_a_newer" in sheet.text
    for sign in ("\x1b]", "\x1b[2J", "\x07", "\x9b", "\r", "\u202e"):
        assert sign not in sheet.text
    assert "[bold red]boo[/]" in sheet.text


def test_output_without_utf8_gets_plain_signs() -> None:
    assert for_encoding("ascii") is ASCII
    sheet = Sheet(glyphs=ASCII)
    played(sheet, NEGOTIATION, negotiation())
    pages.ending(sheet.paper, run(), played(Sheet(), NEGOTIATION, []).measures, "", None)
    sheet.text.encode("ascii")
    assert "24 h -> 72 h" in sheet.text


def test_thoughts_can_be_left_out_and_are_kept_beside_the_action() -> None:
    with_thoughts, without = Sheet(), Sheet()
    played(with_thoughts, NEGOTIATION, negotiation())
    played(without, NEGOTIATION, negotiation(), thoughts=False)
    assert "thinks: Audits we can bear." in with_thoughts.text
    assert "thinks" not in without.text
    lines = with_thoughts.text.splitlines()
    at = next(n for n, line in enumerate(lines) if "Accepts annual audits" in line)
    assert "thinks: Audits we can bear." in lines[at + 1]


def test_a_thought_whose_action_never_came_is_still_shown() -> None:
    log = Recorder()
    log.add("thought", {"reasoning": "alone", "goals": []}, turn=1, phase="decision", seat="regulator")
    log.add("world_update", {"narrative": "Night falls.", "facts": {}, "changes": []}, turn=1)
    sheet = Sheet()
    played(sheet, NEGOTIATION, log.entries)
    assert sheet.text.index("thinks: alone") < sheet.text.index("Night falls.")


def test_it_says_what_the_run_is_waiting_for() -> None:
    sheet = Sheet()
    play = Play(sheet.paper, playbill(NEGOTIATION, {}, "rehearsal"))
    doing = {}
    for entry in negotiation():
        play.show(entry)
        doing[entry.kind, entry.turn, entry.phase] = play.doing
    assert doing["turn_started", 1, None] == "Regulator and Tech company are deciding"
    assert doing["phase_complete", 1, "decision"] == "the narrator is writing what happens"
    assert doing["phase_complete", 1, "world_update"] == "the analyst is checking and measuring"
    assert play.doing == ""


def test_tools_reports_and_fields_are_scenes_of_their_own() -> None:
    log = Recorder()
    log.add("tool_call", {"tool": "search_laws", "input": {"words": "audit \x1b[31m"}}, turn=1, seat="regulator")
    document = {"id": "ab", "title": "The law", "content_type": "text/plain", "size": 12}
    answer = {"tool": "search_laws", "content": "One law.", "ends": None, "documents": [document]}
    log.add("tool_result", answer, turn=1, seat="regulator")
    message = {"text": "See this.", "to": None, "closing": False, "documents": [document], "fields": {"my_offer": 3}}
    log.add("message", message, turn=2, seat="regulator")
    log.add("report", {"summary": "They talk.", "findings": ["audits came up"], "fields": {}}, turn=2)
    last = {"tool": "sign", "content": "Signed.", "ends": "success", "documents": []}
    log.add("tool_call", {"tool": "sign", "input": {}}, turn=3, seat="regulator")
    log.add("tool_result", last, turn=3, seat="regulator")
    sheet = Sheet()
    play = played(sheet, NEGOTIATION, log.entries)
    for text in (
        "asks search_laws",
        "words: audit [31m",
        "The law (text/plain, 12 bytes)",
        "My offer: 3",
        "Report",
        "audits came up",
        "This ends the conversation: success",
    ):
        assert text in sheet.text
    assert "\x1b" not in sheet.text
    assert "{" not in sheet.text
    assert play.doing


def test_notices_are_sentences() -> None:
    log = Recorder()
    log.add("run_paused", {"code": "out_of_money", "message": "the limit of 1.00 USD is reached"})
    log.add("limit_changed", {"limit": "2.00"}).add("run_resumed")
    log.add("event_dead", {"event_id": 7, "event_type": "decide", "seat": "regulator", "error": "no key"})
    log.add("credit_limit_warning", {"scope": "run", "share": "0.82", "limit": "1.0000000000", "spent": "0.8234"})
    log.add("credit_limit_warning", {"scope": "group", "name": "pilot", "share": "0.8", "limit": "5", "spent": "4"})
    log.add("credit_limit_warning", {"scope": "day", "share": "0.91", "limit": "2", "spent": "1.82"})
    log.add("credit_limit_warning", {})
    sheet = Sheet()
    played(sheet, NEGOTIATION, log.entries)
    for text in (
        "! Paused: the limit of 1.00 USD is reached",
        "! The limit is now $2.00",
        "! Resumed",
        "! decide of Regulator failed for good: no key",
        "! 82% of the run's limit is used: $0.82 of $1.00",
        "! 80% of the limit of the group pilot is used: $4.00 of $5.00",
        "! 91% of today's limit is used: $1.82 of $2.00",
        "! Much of the run's limit is used",
    ):
        assert text in sheet.text


def test_a_run_that_stands_still_says_why_and_what_to_do(same_as: Compare) -> None:
    stopped = Trouble(
        code="model_key_missing",
        message="openai:gpt-4o-mini: OPENAI_API_KEY is not set.",
        event_id=12,
        seat="regulator",
    )
    sheet = Sheet()
    play = played(sheet, NEGOTIATION, [])
    blocked = run(status="blocked", outcome=None, reason=stopped, spent="0", model_calls=0)
    pages.ending(sheet.paper, blocked, play.measures, "", None)
    broke = Trouble(code="out_of_money", message="the limit is reached", needed="0.0314")
    pages.ending(sheet.paper, run(status="paused", outcome=None, reason=broke), play.measures, "", None)
    same_as("standing-still-80.txt", sheet.text)


def test_a_run_that_waits_for_people_says_for_whom_and_how_to_answer() -> None:
    asked = {"event_id": 1, "lease_no": 0, "run_id": "x", "run": "talks/run-003", "seat": "union", "title": "The union"}
    asked |= {"kind": "move", "what": "Decide", "turn": 1, "turns": 2, "phase": "decision", "status": "waiting"}
    waiting = run(status="waiting", outcome=None, asks=[{**asked, "asked_at": "2026-01-01T00:00:00Z"}])
    assert trouble.why(waiting) == "The run waits for The union: pyscrai play talks/run-003 --seat union"


def test_who_plays_is_said_plainly() -> None:
    def line(choices: dict[str, Any], default: str = "rehearsal") -> str:
        return playbill(NEGOTIATION, choices, default).played_by()

    assert "no key, no cost" in line({})
    assert line({"model": "gpt-4o-mini"}) == "model gpt-4o-mini"
    one = {"model": "gpt-4o-mini", "seats": {"regulator": {"model": "gpt-4o"}}}
    assert line(one) == "models gpt-4o-mini (all others); gpt-4o (Regulator)"


def test_a_list_of_runs(same_as: Compare) -> None:
    sheet = Sheet()
    long_name = run().scenario.model_copy(update={"name": "a-very-long-name-of-a-scenario-that-goes-on-and-on"})
    pages.run_list(sheet.paper, [run(), run(status="blocked", outcome=None, scenario=long_name)])
    same_as("list-80.txt", sheet.text)
    assert all(cell_len(line) <= 80 for line in sheet.text.splitlines())

"""Letters, coalitions, happenings, alerts and reports in a play: sentences to read, never raw JSON."""

from __future__ import annotations

from typing import Any

from tests.unit.cli.conftest import Sheet
from tests.unit.cli.recorded import NEGOTIATION, Recorder

from pyscrai.cli.findings import disclosures
from pyscrai.cli.play import Play
from pyscrai.cli.playbill import playbill

DOCUMENT = NEGOTIATION | {"communication": {"bilateral": True, "coalitions": True}}
TALK: dict[str, Any] = {"turn": 1, "phase": "communication"}
PACT: dict[str, Any] = {"turn": 1, "phase": "coalition", "parties": ["regulator", "tech-company"]}
TOLD = {"check": "disclosure", "consistent": False, "issues": ["Regulator told everybody (goal 1)"], "severity": "low"}
TOLD["heard"] = {"regulator/goal 1": "all", "regulator/constraint 2": "all"}


def page(log: Recorder) -> str:
    sheet = Sheet(100)
    play = Play(sheet.paper, playbill(DOCUMENT, {}, "rehearsal"))
    for entry in log.entries:
        play.show(entry)
    disclosures(sheet.paper, playbill(DOCUMENT, {}, "rehearsal"), log.entries)
    return " ".join(sheet.text.split())


def message(text: str, to: str | None, channel: str) -> dict[str, Any]:
    return {"text": text, "to": to, "closing": False, "channel": channel}


def test_who_hears_what() -> None:
    log, both = Recorder(), ["regulator", "tech-company"]
    log.add("message", message("Audits?", "tech-company", "bilateral"), seat="regulator", parties=both, **TALK)
    log.add("message", message("Hear me.", None, "public"), seat="regulator", **TALK)
    offer = {"act": "propose", "coalition": "t1-regulator", "name": "Pact", "purpose": "Win.", "with": ["tech-company"]}
    log.add("proposal", offer, seat="regulator", **PACT)
    said = {"act": "accept", "coalition": "t1-regulator", "name": "Pact", "reason": "It serves us."}
    log.add("proposal", said, seat="tech-company", **PACT)
    made = {"act": "formed", "coalition": "t1-regulator", "name": "Pact", "purpose": "Win.", "members": both}
    log.add("proposal", made, **PACT)
    log.add("message", message("Now.", "t1-regulator", "coalition"), seat="regulator", parties=both, **TALK)
    text = page(log)
    assert "Regulator (only to Tech company) Audits?" in text
    assert "Regulator (to everybody) Hear me." in text
    assert "(only Tech company knows) proposes the coalition “Pact” to Tech company: Win." in text
    assert "Tech company (only Regulator knows) accepts the coalition “Pact”: It serves us." in text
    assert "The coalition “Pact” is formed: Regulator and Tech company stand together. Win." in text
    assert "Regulator (in “Pact”, only to Tech company) Now." in text
    assert "{" not in text


def test_happenings_and_alerts() -> None:
    log = Recorder()
    happened = {"text": "The ministry falls.", "happening": "fall", "type": "random", "facts": {"window": "48 h"}}
    log.add("exogenous", happened, turn=1, phase="happenings")
    crossed = {"metric": "trust", "threshold": "low", "level": 0.3, "before": 0.4, "value": 0.28, "direction": "down"}
    log.add("metric", {"metric": "trust", "value": 0.28}, turn=1, phase="metrics")
    log.add("alert", crossed, turn=1, phase="metrics")
    log.add("turn_complete", {"metrics": {"trust": 0.28}}, turn=1)
    text = page(log)
    assert "Meanwhile The ministry falls. window: 24 h → 48 h" in text
    assert "Alert • Trust falls to 0.28: low (0.3)" in text


def test_what_is_told_in_any_good_talk_is_listed_and_is_no_failed_check() -> None:
    log = Recorder()
    log.add("check", TOLD, turn=1, phase="decision")
    log.add("check", {"check": "sense", "consistent": True, "issues": [], "severity": "none"}, turn=1)
    log.add("turn_complete", {"metrics": {}}, turn=1)
    text = page(log)
    assert "1 of 1 check consistent" in text
    assert "What was told that only its speaker had known" in text
    assert "• Turn 1: Regulator spoke of goal 1 and constraint 2" in text


def test_what_was_done_about_a_check() -> None:
    log = Recorder()
    found = {"check": "facts", "consistent": False, "issues": ["x cannot be 9"], "severity": "medium"}
    log.add("check", found | {"action": "reask"}, turn=1)
    log.add("check", TOLD | {"severity": "medium"}, turn=1)
    log.add("turn_complete", {"metrics": {}}, turn=1)
    text = page(log)
    assert "0 of 2 checks consistent" in text
    assert "facts (medium, asked again): x cannot be 9" in text
    assert "• Turn 1: Regulator told everybody (goal 1)" in text


def test_a_report_says_where_it_turned_and_who_moved_whom() -> None:
    log = Recorder()
    body = {
        "summary": "They met.",
        "findings": ["It held."],
        "turning_points": [{"turn": 1, "what": "a letter came"}],
        "influence": [{"from": "regulator", "to": "tech-company", "how": "by asking twice"}],
        "positions": [{"seat": "tech-company", "position": "closer"}],
    }
    log.add("report", body, turn=1, phase="report")
    text = page(log)
    assert "Turning points • turn 1: a letter came" in text
    assert "Who moved whom • Regulator → Tech company: by asking twice" in text
    assert "Where they stand • Tech company: closer" in text


def test_it_says_that_letters_are_being_written() -> None:
    sheet = Sheet()
    play = Play(sheet.paper, playbill(DOCUMENT, {}, "rehearsal"))
    log = Recorder().add("turn_started", {"turns": 2}, turn=1)
    log.add("phase_complete", {"phase": "communication", "events": 2, "round": 1}, **TALK)
    seen = []
    for entry in log.done("communication", 1).done("coalition", 1).entries:
        play.show(entry)
        seen.append(play.doing)
    assert seen[:2] == ["letters are being written"] * 2
    assert seen[2:] == ["coalitions are being made", "Regulator and Tech company are deciding"]

"""The picture of a timeline, and pages on what could be known and what moved whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.cli.conftest import Sheet
from tests.unit.cli.recorded import NEGOTIATION, Recorder

from pyscrai.cli import foretold, knowing, patterns
from pyscrai.cli.main import run_command
from pyscrai.cli.playbill import playbill
from pyscrai.cli.talk import Talk
from pyscrai.contract.insights import Knowledge, Known
from pyscrai.domain.knowledge import Secret, Since
from pyscrai.domain.patterns import patterns as counted
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.timeline import timeline

BILL = playbill(NEGOTIATION, {}, "rehearsal")
WEATHER: dict[str, Any] = {
    "format": "pyscrai/scenario@1",
    "name": "weather",
    "world": {"text": "A town by the sea."},
    "seats": {"ada": {"goals": ["Stay dry"]}},
    "schedule": {"turns": 6},
    "metrics": {"mood": {"description": "how they feel"}},
    "happenings": [
        {"name": "vote", "type": "scheduled", "turns": [2], "text": "A vote.", "seats": ["ada"]},
        {"name": "tide", "type": "trend", "every": 3, "text": "The tide.", "adds": {"level": 1}},
        {"name": "storm", "type": "random", "probability": 0.5, "once": False, "text": "A storm."},
        {"name": "strike", "type": "conditional", "when": "mood < 3", "first": 4, "text": "A strike."},
    ],
}


def test_a_timeline_is_a_picture_and_a_list() -> None:
    found = timeline(Scenario.model_validate(WEATHER), seed=4)
    sheet = Sheet(80)
    foretold.show(sheet.paper, found)
    lines = sheet.text.splitlines()
    drawn = next(one for one in found.happenings if one.name == "storm").turns
    storm = "".join("o" if turn in drawn else "·" for turn in range(1, 7))
    assert [line.strip() for line in lines[2:7]] == [
        "turn   123456",
        "vote   ·#····",
        "tide   #··#··",
        f"storm  {storm}",
        "strike ···???",
    ]
    text = " ".join(sheet.text.split())
    assert "certain; turn 2; only to ada" in text
    assert "level +1" in text
    assert "conditional; when mood < 3, from turn 4 on" in text
    assert "drawn by the seed; chance 50% a turn" in text


def test_the_command_needs_no_api_for_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "weather.yaml"
    file.write_text(yaml.safe_dump(WEATHER))
    assert run_command(["scenarios", "timeline", str(file), "--turns", "3", "--json"], Talk()) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["turns"], [one["turns"] for one in told["happenings"]][:2]) == (3, [[2], [1]])
    assert run_command(["runs", "knows", "last"], Talk()) == 2


def recorded() -> Recorder:
    log = Recorder()
    letter = {"text": "Audits?", "to": "tech-company", "closing": False, "channel": "bilateral"}
    log.add("message", letter, seat="regulator", turn=1, phase="communication", parties=["regulator", "tech-company"])
    log.add("exogenous", {"text": "A storm.", "happening": "storm", "type": "random", "facts": {}}, turn=2)
    for turn, value in ((1, 2), (2, 9)):
        log.add("metric", {"metric": "resolve", "value": value}, turn=turn, seat="regulator", phase="metrics")
    return log


def test_who_could_know_of_a_line() -> None:
    sheet, entry = Sheet(80), recorded().entries[0]
    seats = [Since(seat=seat, since=1, turn=1) for seat in ("regulator", "tech-company")]
    knowing.show_known(sheet.paper, BILL, Known(entry=entry, everybody=False, seats=seats))
    text = " ".join(sheet.text.split())
    assert "(only to Tech company) Audits?" in text
    assert "Only Regulator, Tech company could know of it, from turn 1 on (line 1 of the log)." in text


def test_a_thought_is_shown_with_who_could_know_of_it() -> None:
    log = Recorder().add("thought", {"reasoning": "Audits we can bear."}, turn=1, seat="regulator")
    sheet = Sheet(80)
    known = Known(entry=log.entries[0], everybody=False, seats=[Since(seat="regulator", since=1, turn=1)])
    knowing.show_known(sheet.paper, BILL, known)
    assert "thinks: Audits we can bear." in sheet.text


def test_what_a_seat_could_know() -> None:
    sheet = Sheet(80)
    secrets = [Secret(of="regulator", name="goal 1", since=3, turn=1)]
    told = Knowledge(seat="tech-company", at=4, turn=1, entries=recorded().entries[:1], secrets=secrets)
    knowing.show_knowledge(sheet.paper, BILL, told)
    assert "What Tech company could know after turn 1 (line 4 of the log)" in sheet.text
    assert "Turn 1: Regulator, goal 1 (since line 3)" in sheet.text


def test_patterns_as_a_page() -> None:
    sheet = Sheet(80)
    patterns.show(sheet.paper, BILL, counted(recorded().entries, {"resolve": (1, 10)}))
    text = " ".join(sheet.text.split())
    assert "turn 2: storm" in text
    assert "turn 2: resolve moves from 2 to 9 (Regulator)" in text
    assert "Regulator → Tech company: 1 letter, 0 answered" in text
    assert "Resolve, by seat" in text
    empty = Sheet(80)
    patterns.show(empty.paper, BILL, counted([]))
    assert "There are no patterns yet" in empty.text

"""Every playable Scenario Lab sample through separate processes: each phase of the original's turn really played.

Each is played as it is, and once more with events from outside, checks and metrics of every kind added to it, since
the samples have none of some. What is counted is also looked at: who wrote it, who could see it, what it says.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.acceptance.fleet import Fleet, fleet
from tests.conftest import fresh_database, hold_invariants

from pyscrai.domain import pacts
from pyscrai.domain.alerts import crossed
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.timeline import timeline
from pyscrai.formats.load import load

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "scenariolab"
NAMES = ("example-minimal-template", "test-regulation-negotiation", "ai-summit-4actors")
TURNS = 4
SEED = 5
ADDED: dict[str, Any] = {
    "exogenous-events.yaml": {
        "events": [
            {"name": "hearing", "type": "scheduled", "turn": 2, "description": "A public hearing is announced."},
            {"name": "prices", "type": "trend", "frequency": 2, "description": "Prices rise.", "facts": {"prices": 1}},
            {"name": "leak", "type": "random", "probability": 0.6, "description": "A memo has leaked to the press."},
            {"name": "protest", "type": "conditional", "conditions": {"words": ">= 0"}, "description": "A protest."},
        ]
    },
    "metrics.yaml": {
        "metrics": [
            {"id": "trust", "type": "continuous", "range": [0, 1], "description": "How far they trust each other",
             "extraction": {"type": "llm"}, "thresholds": {"some": 0.5, "much": ">= 0.6"}},
            {"id": "resolve", "type": "integer", "range": [1, 10], "description": "How firm each is",
             "per_actor": True, "extraction": {"type": "llm"}},
            {"id": "words", "type": "integer", "extraction": {"type": "keyword", "keywords": ["want", "need"]}},
            {"id": "quoted", "type": "boolean", "extraction": {"type": "regex", "patterns": ["“[^”]+”"]}},
            {"id": "by-hand", "type": "integer", "extraction": {"type": "manual"}},
        ]
    },
    "validation-rules.yaml": {
        "checks": {
            "sense": {"description": "Does it make sense?", "severity": "high"},
            "coherence": {"description": "Does it follow?"},
        },
        "severity_thresholds": {"high": "warn"},
        "generate_turn_reports": True,
        "generate_summary_report": True,
    },
}  # fmt: skip
Entry = dict[str, Any]


@dataclass(frozen=True)
class Played:
    """A run that is over: its scenario, its log, and what each of its model calls was asked."""

    name: str
    scenario: Scenario
    run: dict[str, Any]
    log: list[Entry]
    calls: list[dict[str, Any]]
    seen: dict[str, list[int]]

    def of(self, *kinds: str) -> list[Entry]:
        return [entry for entry in self.log if entry["kind"] in kinds]


@pytest.fixture(scope="module")
def plays(server_dsn: str, template_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Played]]:
    """All of them, side by side in one fleet."""
    if not SAMPLES.is_dir():
        pytest.skip("the samples are not at hand")
    folder = tmp_path_factory.mktemp("samples")
    with fresh_database(server_dsn, template_dsn) as dsn, fleet(dsn, folder / "fleet") as machines:
        begun = [begin(machines, scenario) for scenario in scenarios(folder)]
        yield [ended(machines, *one) for one in begun]
        hold_invariants(dsn)


def scenarios(folder: Path) -> Iterator[Scenario]:
    for name in NAMES:
        yield loaded(SAMPLES / name)
        fuller = folder / f"{name}-fuller"
        shutil.copytree(SAMPLES / name, fuller)
        # One of them switches off what is added here.
        told = yaml.safe_load((fuller / "scenario.yaml").read_text())
        told.pop("features", None)
        (fuller / "scenario.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
        for file, content in ADDED.items():
            (fuller / file).write_text(yaml.safe_dump(content, sort_keys=False))
        yield loaded(fuller)


def loaded(place: Path) -> Scenario:
    found = load(place)
    assert found.scenario is not None, [str(finding) for finding in found.findings]
    return found.scenario


def begin(machines: Fleet, scenario: Scenario) -> tuple[Scenario, dict[str, Any]]:
    return scenario, machines.play(scenario.content(), model="rehearsal", turns=TURNS, seed=SEED)


def ended(machines: Fleet, scenario: Scenario, started: dict[str, Any]) -> Played:
    run = machines.ended(started)
    assert run["status"] == "completed", run["reason"]
    place = f"/runs/{run['id']}"
    calls: list[dict[str, Any]] = []
    page = machines.get(f"{place}/calls")
    calls += page["items"]
    while page["next"] is not None:
        page = machines.get(f"{place}/calls", after=page["next"])
        calls += page["items"]
    log = machines.get(f"{place}/log")["items"]
    seen = {seat: [e["seq"] for e in machines.get(f"{place}/log", seat=seat)["items"]] for seat in scenario.seats}
    return Played(name=scenario.name, scenario=scenario, run=run, log=log, calls=calls, seen=seen)


@pytest.mark.timeout(300)
def test_every_phase_was_played(plays: list[Played]) -> None:
    for play in plays:
        turns = play.run["turn"]
        done = [e["body"]["phase"] for e in play.of("phase_complete") if "round" not in e["body"]]
        for phase in ("communication", "coalition", "decision", "world_update"):
            assert done.count(phase) >= turns, (play.name, phase)
        assert len(play.of("decision")) == turns * len(play.scenario.seats)
        assert len(play.of("world_update")) == turns
        checks = [e for e in play.of("check") if e["body"]["check"] in play.scenario.checks]
        assert len(checks) == turns * len(play.scenario.checks)
        reports = play.scenario.reports
        assert len(play.of("report")) == (turns if reports.every else int(reports.at_end))
        assert play.of("turn_complete")[-1]["turn"] == turns


def test_letters_are_written_answered_and_seen_by_their_parties_only(plays: list[Played]) -> None:
    for play in plays:
        letters = [e for e in play.of("message") if e["body"]["channel"] == "bilateral"]
        assert len(letters) >= 2, play.name
        for letter in letters:
            assert sorted(letter["visible_to"]) == sorted([letter["seat"], letter["body"]["to"]])
            assert len(letter["body"]["text"]) > 40
        answers = [
            answer
            for answer in letters
            for letter in letters
            if (letter["turn"], letter["seat"], letter["body"]["to"])
            == (answer["turn"], answer["body"]["to"], answer["seat"])
            and letter["step"] < answer["step"]
        ]
        assert answers, play.name
        said = [e for e in play.of("message") if e["body"]["channel"] == "public"]
        assert said
        assert all(e["visible_to"] == "all" for e in said)


def test_coalitions_are_proposed_answered_and_kept(plays: list[Played]) -> None:
    acts = [e["body"]["act"] for play in plays for e in play.of("proposal")]
    assert {"propose", "accept", "reject", "formed", "failed", "leave"} <= set(acts)
    for play in plays:
        offers = {e["body"]["coalition"]: e for e in play.of("proposal") if e["body"]["act"] == "propose"}
        for name, offer in offers.items():
            about = [e for e in play.of("proposal") if e["body"]["coalition"] == name]
            answered = [e["seat"] for e in about if e["body"]["act"] in ("accept", "reject")]
            assert sorted(answered) == sorted(offer["body"]["with"]), (play.name, name)
            assert sum(e["body"]["act"] in ("formed", "failed") for e in about) == 1
            parties = sorted([offer["seat"], *offer["body"]["with"]])
            assert all(set(e["visible_to"]) <= set(parties) for e in about)
            assert pacts.sentence(offer["body"], play.scenario.seat_title).startswith("proposes the coalition “")
        members = {
            e["body"]["coalition"]: set(e["body"]["members"])
            for e in play.of("proposal")
            if e["body"]["act"] == "formed"
        }
        inside = [e for e in play.of("message") if e["body"]["channel"] == "coalition"]
        assert all(set(e["visible_to"]) <= members[e["body"]["to"]] for e in inside)


def test_what_happens_from_outside_is_what_the_timeline_told(plays: list[Played]) -> None:
    fuller = [play for play in plays if play.scenario.happenings]
    assert len(fuller) == len(NAMES)
    for play in fuller:
        told = timeline(play.scenario, SEED, play.run["turn"]).happenings
        happened: dict[str, list[int]] = {one.name: [] for one in told}
        for entry in play.of("exogenous"):
            happened[entry["body"]["happening"]].append(entry["turn"])
        for one in told:
            if one.sureness == "possible":
                # Once measured, there are never fewer than no words; before the first turn nothing is measured.
                assert happened[one.name] == [2]
            else:
                assert happened[one.name] == one.turns
        assert play.of("exogenous")[0]["visible_to"] == "all"
        assert {e["body"]["type"] for e in play.of("exogenous")} >= {"scheduled", "trend", "conditional"}
        narrated = " ".join(str(e["body"]["narrative"]) for e in play.of("world_update"))
        assert "hearing" in narrated or "protest" in narrated or "memo" in narrated


def test_metrics_of_every_kind_and_their_alerts(plays: list[Played]) -> None:
    for play in plays:
        before: dict[tuple[str, str | None], Any] = {}
        alerts = iter(play.of("alert"))
        for entry in play.of("metric"):
            body, metric = entry["body"], play.scenario.metrics[entry["body"]["metric"]]
            assert body["by"] == metric.by != "manual"
            if metric.range and metric.type in ("number", "integer"):
                assert metric.range[0] <= body["value"] <= metric.range[1]
            key = (body["metric"], entry["seat"])
            old = before.get(key)
            for wanted in crossed(body["metric"], metric, old, body["value"], turn=entry["turn"], seat=entry["seat"]):
                raised = next(alerts)
                assert (raised["turn"], raised["seat"], raised["body"]) == (wanted.turn, wanted.seat, wanted.body)
            before[key] = body["value"]
        assert next(alerts, None) is None
        if "resolve" in play.scenario.metrics:
            turns, seats = play.run["turn"], play.scenario.seats
            assert sum(e["body"]["metric"] == "resolve" for e in play.of("metric")) == turns * len(seats)
            assert {e["body"]["by"] for e in play.of("metric")} == {"model", "keyword", "pattern"}
    assert any(play.of("alert") for play in plays)


def test_reports_say_where_it_turned_and_where_everybody_stands(plays: list[Played]) -> None:
    for play in plays:
        for entry in play.of("report"):
            body = entry["body"]
            assert entry["visible_to"] == "none"
            assert {one["seat"] for one in body["positions"]} == set(play.scenario.seats)
            assert all(1 <= one["turn"] <= entry["turn"] for one in body["turning_points"])
            assert body["summary"]
        if play.of("report"):
            assert play.of("report")[-1]["body"]["at_end"] is True


def test_nothing_private_is_read_or_asked_by_anybody_else(plays: list[Played]) -> None:
    """Neither in the log as a seat reads it, nor in any request that a model answered for it."""
    for play in plays:
        for seat, numbers in play.seen.items():
            visible = [e["seq"] for e in play.log if e["visible_to"] == "all" or seat in e["visible_to"]]
            assert numbers == visible, (play.name, seat)
            asked = "\n".join(
                part["text"] for call in play.calls if call["seat"] == seat for part in call["request"] if part["text"]
            )
            hidden = [
                e["body"]["text"]
                for e in play.of("message")
                if e["visible_to"] != "all" and seat not in e["visible_to"]
            ]
            assert not [text for text in hidden if text in asked], (play.name, seat)
        narrated = [part["text"] for call in play.calls if call["phase"] == "world_update" for part in call["request"]]
        private = [e["body"]["text"] for e in play.of("message") if e["visible_to"] != "all"]
        assert not [text for text in private if any(text in (asked or "") for asked in narrated)], play.name

"""A run as a folder: what is in it, and that it comes whole or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.unit.cli.recorded import NEGOTIATION, Recorder, run
from tests.unit.sdk.fake_api import FakeApi

from pyscrai.client.api import Api
from pyscrai.client.http import Http
from pyscrai.sdk.export.folder import FolderTaken, export_run, free_place, write_folder
from pyscrai.sdk.export.gather import gather
from pyscrai.sdk.export.markdown import whole

CALL = {
    "event_id": 1, "event_type": "decide", "step": 1, "ordinal": 0, "turn": 1, "seat": "regulator", "lease_no": 1,
    "try": 1, "call": 1, "model": "rehearsal", "state": "settled", "reserved": "0", "cost": "0.1", "answer": "{}",
    "request": [{"role": "user", "text": "What now?"}], "reserved_at": "2026-11-20T09:30:00Z",
}  # fmt: skip


def recorded() -> Recorder:
    record = Recorder().add("run_started", {"title": "Frontier rules"})
    record.add("thought", {"reasoning": "They will *give* in.", "goals": ["audits"]}, turn=1, seat="regulator")
    record.add("decision", {"action": "Offers <b>72</b> hours.\n# Not a heading"}, turn=1, seat="regulator")
    record.add(
        "message", {"text": "Between us.", "to": "regulator"}, turn=1, seat="tech-company", parties=["regulator"]
    )
    record.add("tool_call", {"tool": "search", "input": {"q": "```"}}, turn=1, seat="regulator")
    text = {"content_type": "text/plain", "size": 3}
    documents = [
        {"id": "ab12", "title": "The /law/..txt", **text},
        {"id": "cd", "title": "Big", "left_out": True, **text},
    ]
    answer = {"tool": "search", "content": "Two laws.", "documents": documents}
    record.add("tool_result", answer, turn=1, seat="regulator")
    record.add("world_update", {"narrative": "A draft.", "facts": {"window": "72 h"}, "changes": ["softer"]}, turn=1)
    record.add("check", {"check": "coherence", "consistent": False, "issues": ["a gap"], "severity": "low"}, turn=1)
    record.add("metric", {"metric": "trust", "value": 0.5, "unit": "", "by": "model"}, turn=1)
    record.add("metric", {"metric": "resolve", "value": 7}, turn=2, seat="regulator")
    record.add("metric", {"metric": "disclosure", "value": 'mixed, "half"'}, turn=2)
    return record.add("turn_complete", {}, turn=2).add("run_complete", {"turns": 2, "outcome": "agreement"}, turn=2)


@pytest.fixture
def fake() -> FakeApi:
    api = FakeApi(run(), recorded().entries, NEGOTIATION)
    api.calls = [CALL, {**CALL, "ordinal": 1, "seat": None}]
    return api


@pytest.fixture
def export(fake: FakeApi) -> Callable[..., Any]:
    async def call(out: Path, *, force: bool = False) -> Path:
        async with Api(Http("http://api.test", transport=fake.transport)) as api:
            return await export_run(api, fake.final.id, out, force=force)

    return call


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_every_file_is_there_and_the_pages_link_to_what_exists(
    export: Callable[..., Any], tmp_path: Path
) -> None:
    folder = await export(tmp_path / "deep" / "out")
    names = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    assert names == [
        *("README.md", "costs.csv", "costs.json", "documents/ab12-the-law.txt", "llm_calls.jsonl", "log.jsonl"),
        *("messages.csv", "metrics.csv", "run.json"),
        *("turns/001-regulator.md", "turns/001-tech-company.md", "turns/001.md"),
        *("turns/002-regulator.md", "turns/002.md"),
        "turns/validation-001.md",
    ]
    about = (folder / "README.md").read_text()
    assert "Seed: 7, log digest: `9f3a27c1" in about
    for name in names:
        if name.startswith("turns/0"):
            assert f"({name})" in about


async def test_a_turn_shows_what_all_saw_and_a_seat_its_own(export: Callable[..., Any], tmp_path: Path) -> None:
    folder = await export(tmp_path / "out")
    turn, seat = (folder / "turns/001.md").read_text(), (folder / "turns/001-regulator.md").read_text()
    assert "> Offers <b>72</b> hours.\n> # Not a heading" in turn
    assert "Between us." not in turn
    assert "Between us." in (folder / "turns/001-tech-company.md").read_text()
    assert "not consistent (low)" in turn
    for private in ("They will", "search", "Two laws"):
        assert private not in turn
        assert private in seat
    assert "````json" in seat
    assert "[The /law/..txt](../documents/ab12-the-law.txt) (text/plain)" in seat
    assert "Big (text/plain; too large to be kept)" in seat
    assert (folder / "documents/ab12-the-law.txt").read_bytes() == b"ab12"


def talked() -> Recorder:
    """One turn with a letter and its answer, a coalition, a happening, an alert, a disclosure and a report."""
    record, both = Recorder(), {"parties": ["regulator", "tech-company"], "turn": 1}
    letter = {"text": "Audits?", "to": "tech-company", "closing": False, "channel": "bilateral"}
    record.add("message", letter, seat="regulator", **both)
    record.add("message", letter | {"text": "Yes.", "to": "regulator"}, seat="tech-company", **both)
    record.add(
        "message", {"text": "Hear me.", "to": None, "closing": False, "channel": "public"}, seat="regulator", turn=1
    )
    offer = {
        "act": "propose",
        "coalition": "t1-regulator",
        "name": "The Pact",
        "purpose": "Win.",
        "with": ["tech-company"],
    }
    record.add("proposal", offer, seat="regulator", **both)
    record.add("exogenous", {"text": "A storm.", "happening": "storm", "type": "random", "facts": {"wind": 9}}, turn=1)
    alert = {"metric": "trust", "threshold": "low", "level": 0.3, "value": 0.2, "before": 0.4, "direction": "down"}
    record.add("alert", alert, turn=1)
    told = {"check": "disclosure", "consistent": False, "issues": ["told (goal 1)"], "severity": "low", "heard": {}}
    record.add("check", told, turn=1)
    report: dict[str, Any] = {"summary": "Over.", "findings": [], "disclosures": ["told (goal 1)"]}
    report |= {"influence": [{"from": "regulator", "to": "tech-company", "how": "by asking"}]}
    return record.add("report", report, turn=1)


async def test_what_is_beside_the_table_has_files_as_researchers_know_them(tmp_path: Path) -> None:
    fake = FakeApi(run(), talked().entries, NEGOTIATION)
    async with Api(Http("http://api.test", transport=fake.transport)) as api:
        folder = await export_run(api, fake.final.id, tmp_path / "out")
    files = {file.name: file.read_text() for file in (folder / "turns").iterdir()}
    letters, turn = files["bilateral-regulator-tech-company-001.md"], files["001.md"]
    assert "## Regulator\n\n*(only to Tech company)*\n\n> Audits?" in letters
    assert "> Yes." in letters
    assert (
        "**Regulator** proposes the coalition “The Pact” to Tech company: Win."
        in files["coalition-t1-regulator-the-pact-001.md"]
    )
    checked = files["validation-001.md"]
    assert "told (goal 1)" in checked
    assert "**Alert:** trust 0.4 → 0.2: low (0.3)" in checked
    assert "Regulator → Tech company: by asking" in files["report-001.md"]
    for public in ("*(to everybody)*", "> Hear me.", "> A storm.", "- wind: 9", "**Alert:**"):
        assert public in turn
    for private in ("Audits?", "The Pact” to", "**Check disclosure"):
        assert private not in turn
    assert "[Regulator and Tech company: turn 1](bilateral-regulator-tech-company-001.md)" in turn
    assert "{" not in turn
    about = (folder / "README.md").read_text()
    assert "- Turn 1: storm" in about
    assert "- Regulator → Tech company: 1 letter, 0 answered; 1 offer to join, 0 accepted" in about
    assert json.loads((folder / "run.json").read_text())["patterns"]["links"][0]["letters"] == 1
    with (folder / "messages.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["act"], row["channel"], row["from"], row["to"], row["heard_only_by"]) for row in rows] == [
        ("message", "bilateral", "regulator", "tech-company", "regulator tech-company"),
        ("message", "bilateral", "tech-company", "regulator", "regulator tech-company"),
        ("message", "public", "regulator", "", ""),
        ("propose", "coalition", "regulator", "t1-regulator", "regulator tech-company"),
    ]


async def test_a_run_as_one_text_has_its_letters(tmp_path: Path) -> None:
    fake = FakeApi(run(), talked().entries, NEGOTIATION)
    async with Api(Http("http://api.test", transport=fake.transport)) as api:
        text = whole(await gather(api, fake.final.id))
    assert "# Regulator and Tech company: turn 1" in text
    assert "*(only to Tech company)*\n\n> Audits?" in text
    assert "proposes the coalition" in text
    assert ".md)" not in text


async def test_a_metric_that_was_not_measured_is_an_empty_cell(export: Callable[..., Any], tmp_path: Path) -> None:
    folder = await export(tmp_path / "out")
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["turn"] for row in rows] == ["1", "2"]
    assert (rows[0]["trust"], rows[1]["trust"]) == ("0.5", "")
    assert (rows[0]["resolve[regulator]"], rows[1]["resolve[regulator]"]) == ("", "7")
    assert rows[1]["disclosure"] == 'mixed, "half"'
    assert (rows[0]["reporting_hours"], rows[1]["reporting_hours"]) == ("", "")
    assert "resolve" not in rows[0]


async def test_the_files_for_programs_say_all_there_is(
    export: Callable[..., Any], fake: FakeApi, tmp_path: Path
) -> None:
    folder = await export(tmp_path / "out")
    whole = json.loads((folder / "run.json").read_text())
    assert (whole["format"], whole["run"]["id"], whole["calls"]) == ("pyscrai/run-export@1", fake.final.id, 2)
    assert whole["metrics"]["resolve"] == {"regulator": 7}
    calls = [json.loads(line) for line in (folder / "llm_calls.jsonl").read_text().splitlines()]
    assert [(call["ordinal"], call["try"], call["request"][0]["text"]) for call in calls] == [
        (0, 1, "What now?"),
        (1, 1, "What now?"),
    ]
    log = [json.loads(line)["seq"] for line in (folder / "log.jsonl").read_text().splitlines()]
    assert log == [entry.seq for entry in fake.log]


async def test_what_is_there_is_not_overwritten(export: Callable[..., Any], tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    await export(mine)
    with pytest.raises(FolderTaken, match="--force"):
        await export(mine)
    (mine / "turns/099.md").write_text("of a longer run")
    await export(mine, force=True)
    assert not (mine / "turns/099.md").exists()
    assert names_in(tmp_path) == ["mine"]
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years")
    for force in (False, True):
        with pytest.raises(FolderTaken, match="not an earlier export"):
            await export(precious, force=force)
    with pytest.raises(FolderTaken, match="not a folder"):
        free_place(precious / "thesis.txt", force=True)


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_folder(out, {"a.txt": "one"})
    with pytest.raises(UnicodeEncodeError):
        write_folder(out, {"a.txt": "two", "b.txt": "\ud800"})
    assert (out / "a.txt").read_text() == "one"
    assert names_in(tmp_path) == ["out"]


async def test_costs_add_up_in_every_shape(export: Callable[..., Any], fake: FakeApi, tmp_path: Path) -> None:
    usage = {"input_tokens": 900, "output_tokens": 100, "cached_tokens": 300}
    places = [
        {"turn": 1, "phase": "decision", "seat": "regulator", "cost": "0.1000000001", "usage": usage},
        {"turn": 1, "phase": "decision", "seat": "tech-company", "cost": "0.2", "state": "assumed"},
        {"turn": 1, "phase": "world_update", "seat": None, "cost": "0.3", "usage": usage},
        {"turn": 2, "phase": "validation", "seat": None, "cost": "0.4", "usage": usage, "model": "openai:gpt-4o"},
        {"turn": 2, "phase": "decision", "seat": "regulator", "cost": "0", "usage": usage, "source": "replay"},
    ]
    fake.calls = [{**CALL, "ordinal": n, **place} for n, place in enumerate(places)]
    folder = await export(tmp_path / "out")
    whole = json.loads((folder / "costs.json").read_text())
    assert whole["spent"] == "1.0000000001"
    for lines in whole["by"].values():
        assert sum(Decimal(line["cost"]) for line in lines) == Decimal("1.0000000001")
    seats = {line["key"]: line for line in whole["by"]["seat"]}
    assert {seat: line["cost"] for seat, line in seats.items()} == {
        "regulator": "0.1000000001", "tech-company": "0.2", "narrator": "0.3", "analyst": "0.4",
    }  # fmt: skip
    assert (seats["regulator"]["calls"], seats["regulator"]["replayed"], seats["regulator"]["input_tokens"]) == (
        1,
        1,
        900,
    )
    assert seats["tech-company"]["assumed"] == 1
    actors = whole["costs_by_actor"]
    assert actors["Regulator"]["turns"] == [
        {"turn": 1, "tokens": 1000, "cost": 0.1000000001}, {"turn": 2, "tokens": 0, "cost": 0.0},
    ]  # fmt: skip
    assert whole["costs_by_turn"]["1"]["world_state_cost"] == 0.3
    assert whole["totals"] == {"total_tokens": 3000, "total_cost_usd": 1.0000000001}
    assert whole["validation"]["model"] == "openai:gpt-4o"
    with (folder / "costs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(Decimal(row["cost"]) for row in rows) == Decimal("1.0000000001")
    assert [(row["turn"], row["phase"], row["seat"]) for row in rows] == [
        ("1", "decision", "regulator"), ("1", "decision", "tech-company"), ("1", "world_update", "narrator"),
        ("2", "decision", "regulator"), ("2", "validation", "analyst"),
    ]  # fmt: skip

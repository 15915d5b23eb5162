"""Tools in a rehearsal: asked with inputs that make sense, answered from what their owner keeps, decided both ways."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from pyscrai.domain.entry import Entry


def _load_offline() -> ModuleType:
    spec = importlib.util.spec_from_file_location("offline_tools", Path(__file__).parent / "offline.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


offline = _load_offline()
SEEDS = range(6)


async def play(seed: int) -> list[Entry]:
    plan = offline.plan_of(offline.scenario("prior-authorization"), seed)
    return [entry async for entry in offline.play(plan)]


def of(log: list[Entry], kind: str, seat: str | None = None) -> list[Entry]:
    return [entry for entry in log if entry.kind == kind and seat in (None, entry.seat)]


async def test_both_outcomes_are_reached_by_seed() -> None:
    outcomes = {of(await play(seed), "outcome")[0].body["outcome"] for seed in SEEDS}
    assert outcomes == {"success", "failure"}


@pytest.mark.parametrize("seed", SEEDS)
async def test_nobody_decides_before_something_was_looked_up(seed: int) -> None:
    log = await play(seed)
    asked = [str(entry.body["tool"]) for entry in of(log, "tool_call", "reviewer")]
    assert asked[0] == "policy_manual"
    assert asked[-1] in ("approve_request", "deny_request")


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_system_prints_only_what_its_owner_keeps(seed: int) -> None:
    log = await play(seed)
    seats = offline.scenario("prior-authorization").seats
    for result in of(log, "tool_result"):
        assert result.seat
        other = next(seat for name, seat in seats.items() if name != result.seat)
        content = str(result.body["content"])
        assert not any(str(value) in content for value in other.knowledge.values())
        own = [str(value) for value in seats[result.seat].knowledge.values()]
        assert result.body["ends"] or any(value in content for value in own)


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_reason_is_the_clause_that_is_named(seed: int) -> None:
    decision = of(await play(seed), "tool_call", "reviewer")[-1].body["input"]
    assert isinstance(decision, dict)
    knowledge = offline.scenario("prior-authorization").seats["reviewer"].knowledge
    clause = next(str(value) for key, value in knowledge.items() if str(decision["clause"]) in key)
    assert decision["reason"] == f"{clause}."


async def test_a_decision_comes_with_the_letter_that_the_guidance_asks_for() -> None:
    last = of(await play(0), "tool_result")[-1]
    documents = last.body["documents"]
    assert isinstance(documents, list)
    assert [document["title"] for document in documents] == ["Letter of decision to the patient"]


async def test_what_was_looked_up_is_said_aloud() -> None:
    log = await play(0)
    results = [entry for entry in of(log, "tool_result") if not entry.body["ends"]]
    for result in results:
        said = next(e for e in log if e.kind == "message" and e.seat == result.seat and e.seq > result.seq)
        lines = [line.partition(": ")[2].lower() for line in str(result.body["content"]).splitlines()[1:]]
        assert any(line and line in str(said.body["text"]).lower() for line in lines)

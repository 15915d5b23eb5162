"""What a seat alone knows reaches no other seat: not its requests, not the log as it reads it, not the narrator."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.domain.canaries import CANARY, WHOLE, Played, plan_of, scenario

from pyscrai.contract.runs import Delivered
from pyscrai.domain.disclosure import CHECK
from pyscrai.domain.play import advance, begin
from pyscrai.domain.view import view
from pyscrai.domain.work import Result
from pyscrai_api.runs.entries import seen_by

POLICIES = ("turns@1", "dialogue@1", "flow@1")
SEEDS = st.integers(min_value=0, max_value=2**32)
FEW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def played(seed: int, policy: str, *, echo: bool) -> Played:
    chance = random.Random(seed)
    return Played(plan_of(scenario(chance, policy)), chance, echo=echo)


def found(text: str, what: re.Pattern[str] = CANARY) -> set[tuple[str, str]]:
    """(seat, field) of every canary in a text."""
    return {(match[1], match[2]) for match in what.finditer(text)}


def log_of(run: Played, seat: str) -> str:
    """The log as the API gives it to a seat."""
    lines = [Delivered(**entry.model_dump(exclude={"track"}), cost=0) for entry in run.log]
    return "\n".join(line.model_dump_json() for line in seen_by(lines, seat))


def said_openings(run: Played) -> set[tuple[str, str]]:
    """An opening is private until its seat has spoken it; the policy itself lets the first one speak."""
    text = "\n".join(str(entry.body["text"]) for entry in run.log if entry.kind == "message")
    return {one for one in found(text) if one[1] == "opening"}


@pytest.mark.parametrize("policy", POLICIES)
@FEW
@given(seed=SEEDS)
def test_nobody_sees_what_only_another_knows(policy: str, seed: int) -> None:
    run = played(seed, policy, echo=False)
    said = said_openings(run)
    for who, text in run.requests:
        if who != "analyst":  # the analyst and the oracle see everything; no seat sees what they are asked
            assert not {one for one in found(text) if one[0] != who} - said, f"in a request for {who}"
    # What is searched for was there to be found.
    own = {one for who, text in run.requests for one in found(text) if one[0] == who}
    assert {(seat, "private") for seat, _ in own} <= own
    assert {seat for seat, _ in own} >= {who for who, _ in run.requests} - {"narrator", "analyst"}
    for seat in run.plan.seats:
        text = log_of(run, seat)
        assert not {one for one in found(text) if one[0] != seat} - said, f"in the log as {seat} reads it"


@pytest.mark.parametrize("policy", POLICIES)
@FEW
@given(seed=SEEDS)
def test_what_is_told_all_the_same_is_named(policy: str, seed: int) -> None:
    """A model that says back what it reads: whoever learned of a secret is named, with the secret, by the check."""
    run = played(seed, policy, echo=True)
    told = run.state.disclosed
    for seat in run.plan.seats:
        for owner, field in found(log_of(run, seat), WHOLE):
            if owner == seat or field in UNNAMED:
                continue
            heard: Any = named(told, owner, field)
            assert heard == "all" or seat in heard, f"{seat} has learned {field} of {owner}; named: {heard}"


@FEW
@given(seed=SEEDS)
def test_the_report_at_the_end_names_each_disclosure(seed: int) -> None:
    run = played(seed, "turns@1", echo=True)
    titles = {seat: run.plan.scenario.seat_title(seat) for seat in run.plan.seats}
    report = next(e for e in reversed(run.log) if e.kind == "report" and e.body["at_end"])
    told = "\n".join(map(str, report.body["disclosures"]))  # type: ignore[arg-type]
    before = [e for e in run.log if e.kind == "check" and e.body["check"] == CHECK and e.seq < report.seq]
    heard = {key: who for entry in before for key, who in dict(entry.body["heard"]).items()}  # type: ignore[arg-type, call-overload]
    for key, who in heard.items():
        owner, _, name = key.partition("/")
        lines = [line for line in told.splitlines() if f"({name})" in line and titles[owner] in line]
        assert lines, f"{key} is not in the report"
        for seat in [] if who == "all" else who:
            assert seat == owner or any(titles[seat] in line or "everybody" in line for line in lines), (key, seat)


def test_the_narrator_is_asked_again_without_what_only_a_seat_knows() -> None:
    """The analyst sees everything, and everybody reads the narrator: what it is to mend must not tell it secrets."""
    chance = random.Random(5)
    document = scenario(chance, "turns@1") | {"communication": {}, "reports": {}, "metrics": {}}
    document["checks"] = {"sound": {"description": "Is it?", "on_issue": "reask"}}
    plan = plan_of(document)
    secret = plan.scenario.seats["ada"].private
    issues = [f"It overlooks that {secret}.", "The door cannot be shut."]
    move, log, asked = begin(plan), [], []
    while move.state.turn < 2:
        log += move.entries
        asked += [(work, view(plan, move.state, log, work)) for work in move.work]
        answers = {"validation": {"consistent": False, "issues": issues, "severity": "medium"}}
        said = {"narrative": "All is well.", "facts": {}, "changes": []}
        told = {"reasoning": "r", "goals": [], "action": "I wait."}
        answers |= {"world_update": said, "decision": told}
        results = [Result(work=work, value=answers[work.phase]) for work in move.work]
        move = advance(plan, move.state, results, seq=len(log), step=len(asked))
    problems = [seen["problems"] for work, seen in asked if work.payload.get("again")]
    assert problems == [["What is wrong cannot be told: it rests on what only The ada knows.", issues[1]]]
    found_lines = [entry.body["issues"] for entry in log if entry.kind == "check"]
    assert found_lines[0] == issues, "the researcher reads what was found"


def named(told: Mapping[str, Any], owner: str, field: str) -> Any:
    """Who has heard of a field of a seat, as the check has it."""
    wanted = f"{owner}/{NAMES.get(field, field)}"
    return next((heard for key, heard in told.items() if key == wanted or key.startswith(f"{wanted}:")), [])


NAMES = {
    "goal1": "goal 1",
    "goal2": "goal 2",
    "constraint1": "constraint 1",
    "papers": "knowledge: papers",
    "figures": "knowledge: figures",
    "tooldescription": "tool",
}
"""What `disclosure` calls a field of these scenarios."""
UNNAMED = {"opening", "rumour", "whisper", "toolname", "toolguidance"}
"""There to be said; what happened to a seat; a word that is no sentence."""

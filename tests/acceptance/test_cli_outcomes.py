"""An approval and a denial end as different outcomes: on the screen, in the API, in the export, documents included."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.acceptance.terminal import Cli

DECISIONS = {
    "success": {
        "name": "approve_request",
        "input": {
            "scope": "speech computer and recording of the voice",
            "clause": "31.7",
            "reason": "The course of the illness leaves no later day for it.",
        },
    },
    "failure": {
        "name": "deny_request",
        "input": {
            "clause": "4.1",
            "reason": "The projection that the clause asks for is missing.",
            "appeal_within_days": 30,
        },
    },
}


@pytest.mark.parametrize("outcome", DECISIONS)
def test_how_it_ended_is_the_same_everywhere(outcome: str, cli: Cli, tmp_path: Path) -> None:
    said = {"text": "(asks)", "to": None, "closing": False, "thought": "Now.", "tool_call": DECISIONS[outcome]}
    letter = {"title": "Letter of decision", "content_type": "text/plain", "text": f"It was a {outcome}."}
    answers = [
        {"when": {"seat": "reviewer", "event_type": "agent_message"}, "answer": said},
        {"when": {"event_type": "oracle"}, "answer": {"content": "Recorded.", "documents": [letter]}},
    ]
    script, out = tmp_path / "script.json", tmp_path / "out"
    script.write_text(json.dumps({"answers": answers, "default": {"rehearse": True}}))
    ran = cli("run", "prior-authorization", "--model", f"scripted:{script}", "--out", str(out))
    assert ran.returncode == 0, ran.stderr
    assert f"Outcome  {outcome} after" in ran.stdout
    assert f"This ends the conversation: {outcome}" in ran.stdout
    (listed,) = json.loads(cli("runs", "list", "--json").stdout)
    assert (listed["status"], listed["outcome"]) == ("completed", outcome)
    assert json.loads((out / "run.json").read_text())["run"]["outcome"] == outcome
    assert f"- Outcome: {outcome}\n" in (out / "README.md").read_text()
    (kept,) = (out / "documents").iterdir()
    assert kept.read_text() == f"It was a {outcome}."
    last = sorted((out / "turns").glob("*-reviewer.md"))[-1].read_text()
    assert f"This ends the run: {outcome}." in last
    assert f"[Letter of decision](../documents/{kept.name})" in last

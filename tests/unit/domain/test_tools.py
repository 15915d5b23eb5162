"""Tools in a dialogue: a seat asks, an oracle answers, the seat goes on; a terminal tool is the outcome."""

from __future__ import annotations

import base64
import json
from typing import Any

import jsonschema_rs
import pytest
from tests.unit.domain.plans import LANES, make_plan, play

from pyscrai.domain.documents import documents_of, to_keep
from pyscrai.domain.errors import PolicyError
from pyscrai.domain.play import advance, begin
from pyscrai.domain.view import result_schema, view
from pyscrai.domain.work import Result, Work

LANES["oracle"] = "analyst"
CASE: dict[str, Any] = {
    "name": "case",
    "schedule": {"policy": "dialogue@1", "turns": 6, "limits": {"tool_calls": 2}},
    "seats": {
        "clinic": {"knowledge": {"chart": "secret-chart"}, "tools": [{"name": "chart", "guidance": "show the chart"}]},
        "insurer": {
            "knowledge": {"policy": "secret-policy"},
            "tools": [
                {"name": "policy", "input_schema": {"type": "object", "required": ["code"]}},
                {"name": "approve", "ends": "success"},
                {"name": "deny", "ends": "failure"},
            ],
        },
    },
}


def say(**more: Any) -> dict[str, Any]:
    return {"text": "…", "to": None, "closing": False, "thought": "hm", **more}


def ask(name: str, **given: Any) -> dict[str, Any]:
    return say(tool_call={"name": name, "input": given})


def script(*answers: dict[str, Any]) -> tuple[list[Any], Any]:
    """Play with the seats' answers in order; the oracle gives a document with each of its own."""
    left = list(answers)

    def reply(work: Work) -> dict[str, Any]:
        if work.phase == "tool":
            return {"content": f"about {work.payload['tool']}", "documents": [{"title": "D", "text": "doc"}]}
        return left.pop(0) if left else say()

    return play(make_plan(CASE), reply)


def test_a_tool_is_an_event_of_its_own_and_the_seat_is_asked_again() -> None:
    log, _ = script(ask("chart"), say(text="here it is"))
    first = [entry.kind for entry in log if entry.turn == 1]
    assert first == [
        *("turn_started", "thought", "tool_call", "phase_complete", "tool_result", "phase_complete"),
        *("thought", "message", "phase_complete", "turn_complete"),
    ]
    call, result = (next(e for e in log if e.kind == kind) for kind in ("tool_call", "tool_result"))
    assert (call.seat, call.visible_to, call.body) == ("clinic", ["clinic"], {"tool": "chart", "input": {}})
    assert (result.visible_to, result.body["content"]) == (["clinic"], "about chart")


def test_documents_come_with_the_next_message_by_reference() -> None:
    log, _ = script(ask("chart"), say(), say())
    messages = [entry for entry in log if entry.kind == "message"]
    (document,) = messages[0].body["documents"]
    assert (document["title"], document["size"], len(document["id"])) == ("D", 3, 64)
    assert "doc" not in json.dumps(messages[0].body["documents"][0]["id"])
    assert "documents" not in messages[1].body


@pytest.mark.parametrize(("tool", "outcome"), [("approve", "success"), ("deny", "failure")])
def test_a_terminal_tool_ends_the_run_with_its_outcome(tool: str, outcome: str) -> None:
    log, last = script(say(), ask(tool))
    assert last.state.end is not None
    assert (last.state.end.outcome, last.state.end.reason) == (outcome, f"insurer used the tool {tool}")
    assert [entry.kind for entry in log][-3:] == ["turn_complete", "outcome", "run_complete"]


def test_the_last_report_comes_also_where_a_tool_ends_the_run() -> None:
    left = [say(), ask("approve")]

    def reply(work: Work) -> dict[str, Any]:
        if work.phase == "report":
            return {"summary": "…", "findings": []}
        return {"content": "done", "documents": []} if work.phase == "tool" else left.pop(0)

    log, last = play(make_plan(CASE | {"reports": {"at_end": True}}), reply)
    assert last.state.end is not None
    assert last.state.end.outcome == "success"
    assert [entry.body["at_end"] for entry in log if entry.kind == "report"] == [True]


def test_after_enough_calls_in_a_row_a_seat_has_to_speak() -> None:
    plan = make_plan(CASE)
    offered: list[Any] = []

    def reply(work: Work) -> dict[str, Any]:
        if work.phase == "tool":
            return {"content": "c", "documents": []}
        offered.append(work.payload.get("tools_left"))
        return ask("chart") if work.payload.get("tools_left") and work.seat == "clinic" else say()

    play(plan, reply)
    assert offered[:4] == [2, 1, 0, 2]


def test_a_discarded_answer_leaves_the_seat_to_do_without() -> None:
    plan = make_plan(CASE)
    said: list[str] = []

    def reply(work: Work) -> dict[str, Any] | None:
        if work.phase == "tool":
            return None
        said.append(str(work.seat))
        return ask("chart") if len(said) == 1 else say()

    log, _ = play(plan, reply)
    assert said[:3] == ["clinic", "clinic", "insurer"]
    assert not [entry for entry in log if entry.kind == "tool_result"]


def test_what_the_seat_and_the_oracle_see() -> None:
    plan = make_plan(CASE)
    first = begin(plan)
    seat_view = view(plan, first.state, first.entries, first.work[0])
    assert [tool["name"] for tool in seat_view["tools"]] == ["chart"]
    assert seat_view["tool_results"] == []
    results = [Result(work=first.work[0], value=ask("chart", page=2))]
    second = advance(plan, first.state, results, seq=len(first.entries), step=1)
    log = [*first.entries, *second.entries]
    oracle = view(plan, second.state, log, second.work[0])
    assert [source["text"] for source in oracle["knowledge"]] == ["chart: secret-chart", "policy: secret-policy"]
    assert (oracle["tool"]["guidance"], oracle["tool"]["input"]) == ("show the chart", {"page": 2})
    assert oracle["caller"]["seat"] == "clinic"
    answered = [Result(work=second.work[0], value={"content": "page two", "documents": []})]
    third = advance(plan, second.state, answered, seq=log[-1].seq, step=2)
    log += third.entries
    again = view(plan, third.state, log, third.work[0])
    assert again["tool_results"] == [{"tool": "chart", "input": {"page": 2}, "content": "page two"}]
    assert "secret-policy" not in json.dumps(again)


def test_the_input_has_to_fit_the_tools_schema() -> None:
    plan = make_plan(CASE)
    work = Work(
        event_type="agent_message",
        turn=1,
        phase="dialogue",
        seat="insurer",
        payload={"tools_left": 1, "seat": "insurer"},
    )
    valid = jsonschema_rs.validator_for(result_schema(plan, work)).is_valid
    assert valid(ask("policy", code="J1745"))
    assert valid(say())
    assert valid(say(tool_call=None))
    assert not valid(ask("policy"))
    assert not valid(ask("chart"))
    closed = work.model_copy(update={"payload": {"tools_left": 0, "seat": "insurer"}})
    assert "tool_call" not in result_schema(plan, closed).get("properties", {})


def test_documents_in_all_their_shapes() -> None:
    listed = [
        {"title": "t", "text": "a", "content_type": "text/plain"},
        {"base64": base64.b64encode(b"\x00\x01").decode(), "content_type": "application/pdf"},
        {"base64": "not base64!"},
        {"base64": "größer"},
        {"text": "x" * 200_000},
    ]
    found = documents_of({"documents": listed})
    assert [document.content[:3] for document in found] == [b"a", b"\x00\x01", b"not", b"gr\xc3", b"xxx"]
    assert found[4].reference()["left_out"] is True
    work = Work(event_type="oracle", turn=1, phase="tool")
    kept = to_keep([Result(work=work, value={"content": "c", "documents": listed}), Result(work=work, value=None)])
    assert len(kept) == 4
    assert documents_of({"documents": None}) == []


def test_a_tool_that_is_not_there() -> None:
    with pytest.raises(PolicyError, match="no tool magic"):
        make_plan(CASE).tool("clinic", "magic")

"""The rules of a scenario that cross fields."""

from __future__ import annotations

from typing import Any

import pytest

from pyscrai.domain.rules import errors, problems
from pyscrai.domain.scenario import Scenario

GOOD: dict[str, Any] = {
    "name": "s",
    "world": {"text": "a world"},
    "seats": {"ann": {"role": "a baker"}, "bob": {"role": "a miller"}},
    "metrics": {"trust": {"description": "trust", "range": [0, 1]}},
    "checks": {"sense": {"prompt": "does it make sense?"}},
    "schedule": {"end_when": ["trust > 0.5"]},
}


def scenario(**changes: Any) -> Scenario:
    return Scenario.model_validate({**GOOD, **changes})


def test_a_good_scenario_has_no_problems() -> None:
    assert problems(scenario()) == []


def metric(**keys: Any) -> dict[str, Any]:
    return {"metrics": {"trust": {"description": "d", **keys}}}


def schedule(**keys: Any) -> dict[str, Any]:
    return {"schedule": keys}


def seat(**keys: Any) -> dict[str, Any]:
    return {"seats": {"ann": {"role": "a baker", **keys}, "bob": {"role": "a miller"}}}


def dialogue(**keys: Any) -> dict[str, Any]:
    return schedule(policy="dialogue@1", **keys)


def tools(*listed: dict[str, Any]) -> dict[str, Any]:
    return {**seat(tools=list(listed)), **dialogue()}


def schema(**keys: Any) -> dict[str, Any]:
    return {"name": "x", "guidance": "g", "input_schema": keys}


def flow(**steps: dict[str, Any]) -> dict[str, Any]:
    return {"flow": steps or {"a": {"by": "ann"}}, **schedule(policy="flow@1")}


CASES = [
    ({"language": "english!"}, "/language", "warning", "BCP 47"),
    ({"world": {}}, "/world", "warning", "empty"),
    ({"seats": {"analyst": {"role": "x"}, "bob": {"role": "y"}}}, "/seats/analyst", "error", "analyst-seat"),
    (
        {"seats": {"ann": {"role": "x"}, "bob": {"role": "x", "title": "ann"}}},
        "/seats/bob/title",
        "error",
        "same title",
    ),
    ({"seats": {"ann": {}, "bob": {"role": "y"}}}, "/seats/ann", "warning", "nothing says"),
    (seat(model="nonsense"), "/seats/ann/model", "warning", "nonsense"),
    (seat(tools=[{"name": "x"}]), "/seats/ann/tools", "warning", "dialogue@1 only"),
    (seat(may_know=["x"]), "/seats/ann/may_know", "note", "not used"),
    (seat(opening="Hello"), "/seats/ann/opening", "note", "dialogue"),
    (schedule(policy="turn@1"), "/schedule/policy", "error", "turns@1"),
    (schedule(phases=["decison"]), "/schedule/phases/0", "error", 'did you mean "decision"?'),
    (schedule(phases=["decision", "decision"]), "/schedule/phases/1", "error", "twice"),
    (schedule(phases=["world_update", "decision"]), "/schedule/phases", "note", "own order"),
    (schedule(phases=["world_update"]), "/schedule/phases", "error", "no seat ever moves"),
    (schedule(phases=["decision"]), "/schedule/phases", "warning", "checks are never used"),
    (schedule(phases=["decision"]), "/schedule/phases", "warning", "metrics are never used"),
    (schedule(first="anne"), "/schedule/first", "error", 'did you mean "ann"?'),
    (schedule(first="ann"), "/schedule/first", "note", "all seats move at once"),
    (schedule(limits={"messages": 3}), "/schedule/limits/messages", "note", "no messages"),
    ({**schedule(policy="dialogue@1"), "seats": {"ann": {"role": "x"}}}, "/seats", "error", "two seats"),
    (schedule(end_when=["trust much"]), "/schedule/end_when/0", "error", "metric >= 0.8"),
    (schedule(end_when=["turst > 1"]), "/schedule/end_when/0", "error", 'did you mean "trust"?'),
    (schedule(end_when=["trust[bob] > 1"]), "/schedule/end_when/0", "warning", "not kept by seat"),
    (schedule(end_when=["trust[bobby] > 1"]), "/schedule/end_when/0", "error", 'did you mean "bob"?'),
    (metric(per_seat=True), "/schedule/end_when/0", "warning", "for each seat"),
    (metric(by="manual"), "/schedule/end_when/0", "note", "only once somebody gives it a value"),
    (metric(by="manual"), "/metrics/trust/by", "note", "set by hand"),
    (metric(seat="anne"), "/metrics/trust/seat", "error", 'did you mean "ann"?'),
    (metric(seat="ann", per_seat=True), "/metrics/trust/seat", "error", "only one"),
    (metric(by="pattern"), "/metrics/trust", "error", "needs a pattern"),
    (metric(by="pattern", pattern="a(?!b)"), "/metrics/trust/pattern", "error", "a negative look-ahead"),
    (metric(by="pattern", pattern=r"(a)\1"), "/metrics/trust/pattern", "error", "a backreference"),
    (metric(by="pattern", pattern="(a"), "/metrics/trust/pattern", "error", "cannot be used"),
    (metric(by="pattern", pattern="a"), "/metrics/trust/pattern", "warning", "into a group"),
    (metric(by="keyword"), "/metrics/trust", "error", "needs keywords"),
    (metric(by="keyword", keywords=[" "]), "/metrics/trust", "error", "needs keywords"),
    (metric(description=""), "/metrics/trust", "warning", "nothing says what is measured"),
    (metric(type="category"), "/metrics/trust", "error", "needs categories"),
    (metric(type="category", categories=["a", "A"]), "/metrics/trust/categories/1", "error", "twice"),
    (
        metric(type="category", categories=["a"], by="keyword", keywords=["b"]),
        "/metrics/trust/keywords",
        "warning",
        "none of the categories",
    ),
    (metric(categories=["a"]), "/metrics/trust/categories", "warning", "no categories"),
    (metric(range=[2, 1]), "/metrics/trust/range", "error", "did you mean [1, 2]?"),
    (metric(range=[1, 1]), "/metrics/trust/range", "error", "empty"),
    (metric(type="text", range=[1, 2]), "/metrics/trust/range", "warning", "no range"),
    (metric(pattern="a"), "/metrics/trust/pattern", "warning", "by: pattern?"),
    (metric(keywords=["a"]), "/metrics/trust/keywords", "warning", "by: keyword?"),
    (metric(thresholds={"a": [1]}), "/metrics/trust/thresholds/a", "warning", "neither a number"),
    ({"narrator": {"every": 2}}, "/narrator/every", "note", "each turn"),
    ({"narrator": {"model": "nonsense"}}, "/narrator/model", "warning", "nonsense"),
    ({**schedule(policy="dialogue@1"), "narrator": {"instructions": "x"}}, "/narrator", "note", "no narrator"),
    ({"checks": {"sense": {}}}, "/checks/sense", "warning", "nothing says what is checked"),
    (
        {**schedule(policy="dialogue@1"), "checks": {"sense": {"prompt": "x", "on_issue": "reask"}}},
        "/checks/sense/on_issue",
        "warning",
        "no narrator",
    ),
    ({"events": {"decison": "mine"}}, "/events/decison", "error", 'did you mean "decision"?'),
    ({"events": {"decision": "My Type"}}, "/events/decision", "error", "decide@2"),
    ({"happenings": [{"name": "x", "text": "Rain."}]}, "/happenings/0", "error", "in which turn"),
    ({"happenings": [{"name": "x", "text": "Rain.", "turns": [99]}]}, "/happenings/0", "warning", "never"),
    (
        {"happenings": [{"name": "x", "type": "conditional", "text": "Rain."}]},
        "/happenings/0",
        "error",
        "says when",
    ),
    (
        {"happenings": [{"name": "x", "type": "random", "text": "Rain.", "seats": ["nobody"]}]},
        "/happenings/0/seats",
        "error",
        "no seat",
    ),
    ({**schedule(policy="dialogue@1"), "communication": {"statements": True}}, "/communication", "warning", "letters"),
    ({"seats": {"ann": {"role": "x"}}, "communication": {"bilateral": True}}, "/communication", "warning", "nobody"),
    ({**schedule(policy="flow@1"), "reports": {"at_end": True}}, "/reports", "warning", "not used"),
    (
        {**schedule(policy="dialogue@1"), "world": {"text": "x", "variables": {"a": {}}}},
        "/world/variables",
        "note",
        "no narrator",
    ),
    ({"flow": {"a": {"by": "ann"}}}, "/flow", "warning", "turns@1 plays no flow"),
    (tools({"name": "x"}), "/seats/ann/tools/0", "warning", "nothing says what"),
    (tools({"name": "x", "description": "d"}), "/seats/ann/tools/0", "note", "no guidance"),
    (tools({"name": "x"}), "/seats", "note", "no tool ends"),
    (tools({"name": "x"}, {"name": "x"}), "/seats/ann/tools/1/name", "error", "two tools"),
    (tools(schema(type="objekt")), "/seats/ann/tools/0/input_schema/type", "error", 'did you mean "object"?'),
    (tools(schema(type="string")), "/seats/ann/tools/0/input_schema/type", "error", "is an object"),
    (tools(schema(required="a")), "/seats/ann/tools/0/input_schema/required", "error", "list of names"),
    (tools(schema(propertys={})), "/seats/ann/tools/0/input_schema/propertys", "warning", '"properties"'),
    (tools(schema(**{"$ref": "http://a/b"})), "/seats/ann/tools/0/input_schema", "error", "not a JSON Schema"),
    (
        tools(schema(properties={"a": {"pattern": "(?=x)"}})),
        "/seats/ann/tools/0/input_schema/properties/a/pattern",
        "error",
        "look-around",
    ),
    (
        tools(schema(properties={"reason": {}}, required=["raeson"])),
        "/seats/ann/tools/0/input_schema/required/0",
        "warning",
        'did you mean "reason"?',
    ),
    ({**tools({"name": "x"}), **dialogue(limits={"tool_calls": 0})}, "/schedule/limits/tool_calls", "warning", "ever"),
    (schedule(policy="flow@1"), "/schedule/policy", "error", "there is none"),
    (schedule(policy="flow@1", phases=["decision"]), "/schedule/phases", "note", "not used"),
    ({**flow(), **schedule(policy="flow@1", first="ann")}, "/schedule/first", "note", "the flow says"),
    (flow(a={"by": "anne"}), "/flow/a/by", "error", 'did you mean "ann"?'),
    (flow(a={"by": "ann", "on": "strat"}), "/flow/a/on", "error", 'did you mean "start"?'),
    (flow(a={"by": "ann", "to": "bobb"}), "/flow/a/to", "error", 'did you mean "bob"?'),
    (flow(start={"by": "ann"}), "/flow/start", "error", "start-step"),
    (flow(a={"by": "ann", "on": "every_n_turns"}), "/flow/a", "error", "needs n"),
    (flow(a={"by": "ann", "n": 2}), "/flow/a/n", "warning", "every_n_turns"),
    (flow(a={"by": "ann", "on": "turn_complete"}), "/flow", "error", "nothing starts"),
    (flow(a={"by": "ann", "on": "a"}), "/flow/a/on", "error", "waits for itself"),
    (flow(a={"by": "ann", "on": "b"}, b={"by": "bob", "on": "a"}), "/flow/a/on", "error", "a → b → a"),
    (
        flow(z={"by": "ann"}, a={"by": "ann", "on": "turn_complete", "repeat": 3}, b={"by": "bob", "on": "a"}),
        "/flow/b/on",
        "note",
        "repeat: 3",
    ),
    (flow(a={"by": "ann", "repeat": 3}), "/flow/a/repeat", "warning", "happens once"),
    (flow(a={"by": "ann", "result": {"text": {"type": "string"}}}), "/flow/a/result/text", "warning", "already"),
    (flow(a={"by": "ann", "repeat": 30}), "/schedule/turns", "note", "turns: 30"),
    (flow(a={"by": "system"}), "/flow/a", "error", "add prompt"),
    (flow(a={"by": "system", "prompt": "x", "event": "mine"}), "/flow/a/event", "warning", "no model"),
    (flow(a={"by": "ann", "event": "My Type"}), "/flow/a/event", "error", "decide@2"),
    (flow(a={"by": "ann", "when": "turst > 1"}), "/flow/a/when", "error", 'did you mean "trust"?'),
    (flow(a={"by": "ann", "result": {"x": "string"}}), "/flow/a/result/x", "error", "type: string"),
    (flow(a={"by": "ann", "result": {"x": {"type": "sting"}}}), "/flow/a/result/x/type", "error", '"string"'),
    (flow(a={"by": "ann"}), "/seats/bob", "warning", "never acts"),
    ({**flow(a={"by": "all_seats"}), "narrator": {"instructions": "x"}}, "/narrator", "note", "never acts"),
]


@pytest.mark.parametrize(("changes", "pointer", "severity", "words"), CASES)
def test_each_problem_is_named(changes: dict[str, Any], pointer: str, severity: str, words: str) -> None:
    found = problems(scenario(**changes))
    assert any((p.pointer, p.severity) == (pointer, severity) and words in f"{p.message} — {p.hint}" for p in found), (
        found
    )


def test_errors_are_only_what_keeps_it_from_being_played() -> None:
    assert [p.pointer for p in errors(scenario(language="?", **schedule(first="zoe")))] == ["/schedule/first"]


def test_a_metric_of_one_seat_in_a_condition() -> None:
    of_ann = metric(seat="ann")
    fits = scenario(**of_ann, **schedule(end_when=["trust[ann] > 1"]))
    assert [p for p in problems(fits) if p.pointer.startswith("/schedule")] == []
    other = scenario(**of_ann, **schedule(end_when=["trust[bob] > 1"]))
    assert any('of the seat "ann"' in p.message for p in problems(other))


def test_event_types_are_named_with_or_without_a_version() -> None:
    assert problems(scenario(events={"decision": "mine@3", "metrics": "measure"})) == []

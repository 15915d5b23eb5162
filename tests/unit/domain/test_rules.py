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
    (seat(human=True), "/seats/ann/human", "warning", "not played yet"),
    (seat(tools=[{"name": "x"}]), "/seats/ann/tools", "warning", "not played yet"),
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
    (metric(by="manual"), "/schedule/end_when/0", "warning", "never holds"),
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
    (metric(thresholds={"a": 1}), "/metrics/trust/thresholds", "note", "not used yet"),
    ({"narrator": {"every": 2}}, "/narrator/every", "note", "each turn"),
    ({"narrator": {"model": "nonsense"}}, "/narrator/model", "warning", "nonsense"),
    ({**schedule(policy="dialogue@1"), "narrator": {"instructions": "x"}}, "/narrator", "note", "no narrator"),
    ({"checks": {"sense": {}}}, "/checks/sense", "warning", "nothing says what is checked"),
    ({"checks": {"sense": {"prompt": "x", "on_issue": "halt"}}}, "/checks/sense/on_issue", "warning", "not played yet"),
    ({"events": {"decison": "mine"}}, "/events/decison", "error", 'did you mean "decision"?'),
    ({"events": {"decision": "My Type"}}, "/events/decision", "error", "decide@2"),
    ({"happenings": [{"name": "x"}]}, "/happenings", "warning", "not played yet"),
    ({"flow": {"a": {"by": "ann"}}}, "/flow", "warning", "no policy"),
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

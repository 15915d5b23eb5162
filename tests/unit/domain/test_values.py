"""Small pure things: canonical JSON, conditions, metrics, money, entries, seatings."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.domain.plans import TALKS, make_plan

from pyscrai.domain.canonical import canonical, clean_text, normal, normalise, read, sha256
from pyscrai.domain.choices import Choices, Price
from pyscrai.domain.conditions import parse
from pyscrai.domain.entry import CONTROL, STORY, audience, draft
from pyscrai.domain.errors import InvalidScenario, InvalidValue
from pyscrai.domain.metrics import coerce, compile_pattern, read_metric
from pyscrai.domain.money import MOST, affordable, cost, upper_bound
from pyscrai.domain.scenario import Metric, Scenario, readable, slug


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [
        (-0.0, 0),
        (2**53, float(2**53)),
        (2**53 - 1, 2**53 - 1),
        ("a\x00\ud800b", "a��b"),
        ((1, True, None), [1, True, None]),
    ],
)
def test_values_are_normalised_on_entry(given_value: Any, kept: Any) -> None:
    assert normalise(given_value) == kept
    assert type(normalise(given_value)) is type(kept)


@pytest.mark.parametrize(
    ("bad", "pointer"),
    [
        ({"a": [float("nan")]}, "/a/0"),
        ({"a/b": float("inf")}, "/a~1b"),
        ({"x": object()}, "/x"),
        ({1: 2}, ""),
        (10**400, ""),
    ],
)
def test_what_json_lacks_is_refused_by_pointer(bad: Any, pointer: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        normalise(bad)
    assert caught.value.pointer == pointer


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_canonical_text_is_a_fixed_point(value: Any) -> None:
    import json

    text = canonical(normalise(value))
    assert canonical(normalise(json.loads(text))) == text
    assert canonical(read(text)) == text
    assert len(sha256(text)) == 64


@given(json_values | st.text(alphabet='\x00\x01\x1f\x7f"\\/\b\f\n\r\t\u2028\ue000\U0001f30d', max_size=20))
def test_the_quick_way_to_canonical_text_is_the_standard_one(value: Any) -> None:
    kept = normalise(value)
    assert canonical(kept) == rfc8785.dumps(kept).decode()


@given(
    json_values
    | st.text(alphabet='\x00\ud800\udfff\\u0"\U0001f30d', max_size=20).map(lambda text: {text: text, "k": text})
)
def test_what_enters_is_normalised_and_written_in_one(value: Any) -> None:
    kept, text = normal(value)
    assert (kept, text) == (normalise(value), canonical(normalise(value)))


@pytest.mark.parametrize("bad", [float("nan"), [float("inf")], {"a": {1: 2}}, {"a": {1, 2}}, 10**400])
def test_what_json_lacks_does_not_enter(bad: Any) -> None:
    with pytest.raises(InvalidValue):
        normal(bad)


def test_clean_text_keeps_what_is_good() -> None:
    assert clean_text("Grüße 🌍") == "Grüße 🌍"


@pytest.mark.parametrize(
    ("condition", "metrics", "holds"),
    [
        ("trust >= 0.8", {"trust": 0.8}, True),
        ("trust >= 0.8", {}, False),
        ("trust < 1 and signed == true", {"trust": 0, "signed": True}, True),
        ("trust > 1 or mood = 'calm'", {"trust": 0, "mood": "calm"}, True),
        ("mood != calm", {"mood": "angry"}, True),
        ("anger[union] <= 3", {"anger": {"union": 3}}, True),
        ("anger[board] <= 3", {"anger": {"union": 3}}, False),
        ("anger <= 3", {"anger": {"union": 3}}, False),
        ("trust[union] > 0", {"trust": 1}, False),
        ("signed == true", {"signed": 1}, False),
        ("trust > 0", {"trust": "high"}, False),
    ],
)
def test_conditions(condition: str, metrics: dict[str, Any], holds: bool) -> None:
    assert parse(condition).holds(metrics) is holds


def test_a_condition_knows_its_names() -> None:
    condition = parse("a > 1 and b[x] == 2 or c < 3")
    assert condition.metrics == {"a", "b", "c"}
    assert condition.seats == {"x"}


@pytest.mark.parametrize(
    "text", ["trust", "trust >", "trust >=", ">= 1", "trust >= 1 and", "trust ~ 2", "mood > 'calm'", ""]
)
def test_a_condition_that_cannot_be_read_says_how(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"condition"):
        parse(text)


@pytest.mark.parametrize(
    ("metric", "texts", "value"),
    [
        ({"pattern": r"(\d+)\s*[-]?hour", "type": "integer"}, ["72-hour", "then 24 hours"], 24),
        ({"pattern": r"(\d+(?:\.\d+)?)\s*[×x]\s*10\^(\d+)\s*FLOPS?"}, ["3.5 x 10^25 FLOPS"], 3.5e25),
        ({"pattern": r"10\^(\d+)\s*FLOPS"}, ["10^26 FLOPS"], 26),
        ({"pattern": r"consensus.*?(\d+)%|(\d+)%.*?consensus"}, ["about 40% consensus"], 40),
        ({"pattern": r"working\s+group", "type": "boolean"}, ["a Working  Group"], True),
        ({"pattern": r"working\s+group", "type": "boolean"}, ["nothing"], False),
        ({"pattern": r"(\d+) hours"}, ["nothing"], None),
        ({"pattern": r"(x)\s*10\^(y)"}, ["x10^y"], None),
        ({"pattern": None}, ["x"], None),
        ({"by": "keyword", "keywords": ["audit"], "type": "integer"}, ["audits, Audit"], 2),
        ({"by": "keyword", "keywords": ["audit"], "type": "boolean"}, ["no"], False),
        ({"by": "keyword", "keywords": ["war", "peace"], "type": "text"}, ["peace"], "peace"),
        ({"by": "keyword", "keywords": ["war"], "type": "text"}, ["…"], None),
    ],
)
def test_metrics_from_text(metric: dict[str, Any], texts: list[str], value: Any) -> None:
    assert read_metric(Metric.model_validate({"by": "pattern", **metric}), texts) == value


@pytest.mark.parametrize(
    ("metric", "given_value", "value"),
    [
        ({}, "1,200.5", 1200.5),
        ({}, True, None),
        ({}, "many", None),
        ({}, None, None),
        ({}, float("inf"), None),
        ({"range": [0, 1]}, 1.2, None),
        ({"type": "integer"}, 3.9, 3),
        ({"type": "boolean"}, "yes", True),
        ({"type": "boolean"}, False, False),
        ({"type": "category", "categories": ["Calm"]}, " calm ", "Calm"),
        ({"type": "category", "categories": ["Calm"]}, "x", None),
        ({"type": "text"}, 5, "5"),
    ],
)
def test_measured_values_take_the_metrics_type_or_are_missing(
    metric: dict[str, Any], given_value: Any, value: Any
) -> None:
    assert coerce(Metric.model_validate(metric), given_value) == value


def test_a_pattern_beyond_re2_is_refused() -> None:
    with pytest.raises(InvalidValue, match="cannot be used"):
        compile_pattern(r"(?<=a)b")


def test_patterns_cannot_stall() -> None:
    assert read_metric(Metric(by="pattern", type="boolean", pattern=r"(a+)+$"), ["a" * 50_000 + "b"]) is False


PRICE = Price(input=Decimal("0.15"), output=Decimal("0.6"))


def test_reservations_round_up_and_settlements_are_exact() -> None:
    tiny = Price(input=Decimal("0.00001"), output=Decimal(0))
    assert upper_bound(1, 0, tiny) == Decimal("1e-10")
    assert cost(1000, 500, PRICE) == Decimal("0.00045")
    assert upper_bound(1000, 500, PRICE) == Decimal("0.00045")


@given(st.integers(0, 10**6), st.integers(0, 10**5), st.integers(0, 10**6), st.integers(0, 10**5))
def test_a_bound_is_never_below_what_fits_in_it(bound_in: int, bound_out: int, used_in: int, used_out: int) -> None:
    used = cost(min(used_in, bound_in), min(used_out, bound_out), PRICE)
    assert used <= upper_bound(bound_in, bound_out, PRICE)


def test_what_fits_together() -> None:
    needs = [Decimal(1), Decimal(2), Decimal(3)]
    assert [affordable(needs, Decimal(n)) for n in (0, 1, 3, 5, 6)] == [0, 1, 2, 2, 3]


def test_money_is_never_a_binary_float() -> None:
    with pytest.raises(ValueError, match="decimal string"):
        Choices.model_validate({"limit": 0.1})
    assert Choices.model_validate({"limit": "0.10"}).limit == Decimal("0.10")


def test_who_sees_a_kind() -> None:
    assert audience("decision", "a") == "all"
    assert audience("thought", "a") == ["a"]
    assert audience("thought") == "none"
    assert audience("message", "a") == "all"
    assert audience("message", "a", ["b", "a"]) == ["a", "b"]
    assert {audience(kind) for kind in CONTROL} == {"none"}
    assert not STORY & CONTROL


def test_an_unknown_kind_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        draft("gossip")


def test_the_runs_choice_stands_over_the_scenarios() -> None:
    document = {
        **TALKS,
        "seats": {**TALKS["seats"], "board": {"model": "openai:a", "temperature": 0.5, "max_tokens": 9}},
    }
    plan = make_plan(document)
    assert (plan.seating("board").model, plan.seating("board").temperature, plan.seating("board").max_tokens) == (
        "openai:a",
        0.5,
        9,
    )
    assert plan.seating("union").model == "rehearsal"
    chosen = make_plan(
        document, model="openai:b", seats={"union": {"model": "openai:c", "temperature": 1, "human": True}}
    )
    assert [chosen.seating(who).model for who in ("board", "union", "narrator", "analyst")] == [
        *("openai:b", "openai:c", "openai:b", "openai:b"),
    ]
    assert chosen.human("union")
    assert not chosen.human("board")


def test_seat_order_survives_canonical_json() -> None:
    scenario = Scenario.model_validate(TALKS)
    again = Scenario.model_validate_json(canonical(normalise(scenario.content())))
    assert list(again.seats) == ["union", "board"]
    assert again == scenario
    with pytest.raises(ValueError, match="every seat once"):
        Scenario.model_validate({**TALKS, "seat_order": ["union"]})


def test_names() -> None:
    assert readable("tech-company") == "Tech company"
    assert slug("AI Summit: 4 Actors!") == "ai-summit-4-actors"
    assert slug("??") == "scenario"


def test_an_invalid_scenario_names_its_places() -> None:
    assert str(InvalidScenario([("", "empty"), ("/a", "bad")])) == "/: empty; /a: bad"


@pytest.mark.parametrize("number", [2**53, 1e16, 1e20, 10**20, -(2**60), 1e21])
def test_what_is_read_back_has_a_canonical_text_again(number: float) -> None:
    kept = normalise({"n": number})
    again = read(canonical(kept))
    assert again == kept
    assert type(again["n"]) is float


@pytest.mark.parametrize("value", [1e300, 10**20, "9" * 30, -(2.0**53)])
def test_an_integer_metric_too_large_for_json_stays_a_double(value: Any) -> None:
    measured = coerce(Metric(type="integer"), value)
    assert type(measured) is float
    assert canonical(measured)


def test_no_price_makes_a_cost_that_fits_nowhere() -> None:
    dear = Price(input=Decimal(9_999_999_999), output=Decimal(9_999_999_999))
    bound = upper_bound(2**31 - 1, 200_000, dear)
    assert bound == cost(10**12, 10**12, dear) == MOST
    assert len(bound.as_tuple().digits) <= 20

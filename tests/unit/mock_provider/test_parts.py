"""The pure parts of the mock provider: what is drawn, counted, priced, stretched, read."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.mock_provider.conftest import SCHEMA

from pyscrai_mock_provider import BadSetting
from pyscrai_mock_provider.bill import fingerprint
from pyscrai_mock_provider.faults import FAULTS, SETS, Rates
from pyscrai_mock_provider.lengths import stretched, swollen
from pyscrai_mock_provider.limits import Bucket, retry_headers
from pyscrai_mock_provider.prices import Prices, Usage, shown
from pyscrai_mock_provider.requests import BadRequest, read
from pyscrai_mock_provider.schemas import compact, validator
from pyscrai_mock_provider.script import read_script
from pyscrai_mock_provider.settings import read_settings
from pyscrai_mock_provider.spread import Spread
from pyscrai_mock_provider.tokens import counted, cut

ANSWER = json.dumps({"reasoning": "I think so.", "goals": ["Keep the mill"], "action": "I go.", "mood": "calm"})
MORE = ["It rains in the valley.", "The road is long."]


def test_a_spread_is_a_number_or_log_normal() -> None:
    assert Spread.read("0.2") == Spread(0.2)
    assert Spread.read("0.2").draw(1, "x") == 0.2
    drawn = [Spread.read("lognormal:3,0.5").draw(7, "x", number) for number in range(2001)]
    assert len(set(drawn)) == len(drawn)
    assert 2.7 < median(drawn) < 3.3
    # One sigma on the logarithmic scale: about a sixth lies above.
    assert 0.12 < sum(value > 3 * 2.718**0.5 for value in drawn) / len(drawn) < 0.20
    assert drawn == [Spread(3, 0.5).draw(7, "x", number) for number in range(2001)]


@pytest.mark.parametrize("text", ["", "fast", "lognormal:1", "lognormal:1,2,3", "normal:1,2", ":1", "-1", "nan", "inf"])
def test_a_spread_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write a number|neither may be|could not convert"):
        Spread.read(text)


def test_faults_come_as_often_as_they_are_said_to() -> None:
    rates = Rates.read(["rate_limit=0.2", "dropped=0.1"])
    drawn = [rates.draw(3, f"request {number}", 1) for number in range(4000)]
    assert 0.17 < drawn.count("rate_limit") / 4000 < 0.23
    assert 0.08 < drawn.count("dropped") / 4000 < 0.12
    assert set(drawn) == {"rate_limit", "dropped", None}
    again = [rates.draw(3, "request 1", occurrence) for occurrence in range(400)]
    assert len(set(again)) == 3, "the same request has another fate each time"
    assert again == [rates.draw(3, "request 1", occurrence) for occurrence in range(400)]


def test_a_fault_without_a_rate_always_comes() -> None:
    assert {Rates.read(["timeout"]).draw(number, "x", 1) for number in range(50)} == {"timeout"}


def test_the_sets_of_faults() -> None:
    assert set(Rates.read([], "all").rates) == set(FAULTS) - {"overcharged"}
    assert {"bad_key", "too_long"}.isdisjoint(SETS["passing"])
    assert Rates.read(["empty=0.5"], "passing").rates["empty"] == Decimal("0.5")


@pytest.mark.parametrize(
    ("told", "named", "words"),
    [
        (["flood=0.1"], None, "no fault 'flood'"),
        (["empty=2"], None, "between 0 and 1"),
        (["empty=-0.1"], None, "between 0 and 1"),
        (["empty=often"], None, "NAME=RATE"),
        (["empty=0.7", "dropped=0.7"], None, "add up to 1.4"),
        ([], "most", "no set"),
    ],
)
def test_faults_that_make_no_sense_are_refused(told: list[str], named: str | None, words: str) -> None:
    with pytest.raises(BadSetting, match=words):
        read_settings(fault=told, faults=named)


def test_prices_are_exact() -> None:
    prices = Prices.read("0.15,0.6,0.075,0.1875,0.0001,1.2")
    usage = Usage(input=1117, output=46, cached=100, cache_write=17, reasoning=6)
    expected = Decimal("0.15") * 1000 + Decimal("0.075") * 100 + Decimal("0.1875") * 17
    expected += Decimal("0.6") * 40 + Decimal("1.2") * 6
    assert prices.cost(usage) == expected / 1_000_000 + Decimal("0.0001")
    assert shown(Prices.read("0.1,0.2").cost(Usage(input=1, output=1))) == "0.0000003"
    assert shown(Decimal(0)) == "0"


def test_what_a_price_leaves_out_costs_what_its_whole_does() -> None:
    usage = Usage(input=10, output=4, cached=3, cache_write=5, reasoning=2)
    assert Prices.read("1,2").cost(usage) == Decimal("0.000018")


@pytest.mark.parametrize("text", ["", "1", "1,x", "1,-2", "1,NaN", "1,2,3,4,5,6,7", "1,1e-30", "1,1e12"])
def test_a_price_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadSetting, match="price"):
        read_settings(price=text)


@given(st.text(), st.integers(0, 50))
def test_a_cut_text_has_at_most_so_many_tokens(text: str, most: int) -> None:
    text = text.encode(errors="replace").decode()
    short = cut(text, most)
    assert text.startswith(short)
    assert counted(short) <= most
    assert short == text or counted(text) > most


@pytest.mark.parametrize("tokens", [1, 20, 60, 150, 240, 2000])
def test_answers_get_longer_and_shorter_within_their_schema(tokens: int) -> None:
    made = stretched(ANSWER, SCHEMA, tokens, MORE)
    answer = json.loads(made)
    validator(compact(SCHEMA)).validate(answer)
    assert (answer["mood"], answer["goals"]) == ("calm", ["Keep the mill"])
    # Words stay whole, and two texts have at most 1,000 characters.
    assert abs(counted(made) - min(max(tokens, 20), 270)) < 20


def test_a_plain_text_gets_longer_too() -> None:
    assert 90 < counted(stretched("I go.", None, 100, MORE)) <= 100


@given(st.integers(0, 2**32))
def test_stretching_never_breaks_a_schema(seed: int) -> None:
    draw = random.Random(seed)
    inner = [
        {"type": "string", "minLength": draw.randint(0, 5)},
        {"type": ["string", "null"], "maxLength": draw.randint(10, 90)},
        {"anyOf": [{"type": "string", "maxLength": 30}, {"type": "null"}]},
        {"$ref": "#/$defs/short"},
        {"type": "string", "pattern": "^one two$"},
        {"enum": ["one two"]},
        {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 15}}},
    ]
    chosen = {f"f{number}": draw.choice(inner) for number in range(4)}
    schema = {"type": "object", "properties": chosen, "$defs": {"short": {"type": "string", "maxLength": 12}}}
    values = {name: [{"a": "one two"}] if one.get("type") == "array" else "one two" for name, one in chosen.items()}
    made = json.loads(stretched(json.dumps(values), schema, draw.randint(1, 300), MORE))
    validator(compact(schema)).validate(made)
    assert made.keys() == values.keys()


def test_a_swollen_answer_is_too_long_for_its_schema() -> None:
    told = json.loads(swollen(ANSWER, SCHEMA))
    (fault,) = validator(compact(SCHEMA)).iter_errors(told)
    assert list(fault.instance_path) == ["reasoning"]


def test_a_bucket_gives_what_a_minute_has_and_says_when_there_is_more() -> None:
    now = [100.0]
    bucket = Bucket(30, lambda: now[0])
    assert [bucket.take() for _ in range(30)] == [0.0] * 30
    assert bucket.take() == pytest.approx(2.0)
    now[0] += 2.0
    assert bucket.take() == 0.0
    assert bucket.take() > 0
    now[0] += 3600
    assert sum(bucket.take() == 0.0 for _ in range(40)) == 30
    assert retry_headers(0.3) == {"retry-after": "1", "retry-after-ms": "300"}


def test_a_fingerprint_holds_nothing_of_a_key() -> None:
    first = fingerprint("sk-one")
    assert first != fingerprint("sk-two")
    assert first is not None
    assert "sk" not in first
    assert fingerprint(None) is None


def test_a_request_is_read(request_of: Callable[..., bytes]) -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b\x00"}]
    messages = [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": parts}]
    asked = read(request_of(messages=messages, max_tokens=9, max_completion_tokens=7, seed=3))
    assert asked.messages == (("system", "Be kind."), ("user", "a\nb\ufffd"))
    assert (asked.max_tokens, asked.seed, asked.schema) == (7, 3, SCHEMA)


@pytest.mark.parametrize(
    ("told", "parameter"),
    [
        ({"model": ""}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": ["hello"]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content"),
        ({"stream": True}, "stream"),
        ({"n": 2}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "text"}}}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "x:y"}}}}, "response_format"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    request_of: Callable[..., bytes], told: dict[str, Any], parameter: str
) -> None:
    with pytest.raises(BadRequest) as caught:
        read(request_of(**told))
    assert caught.value.parameter == parameter


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read(body)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ({"answers": [{"when": {"seat": "mayor"}, "answer": "x"}]}, "`when` knows model"),
        ({"answers": [{"fail": "flood"}]}, "`fail` knows"),
        ({"answers": [{"say": "x"}]}, "unknown key 'say'"),
        ({"answers": [{"when": {}}]}, "none of"),
        ({"answers": [{"answer": "x", "latency": -1}]}, "number of seconds"),
        ({"answers": [{"answer": "x", "usage": {"input": 1.5}}]}, "whole numbers"),
        ({"anwsers": []}, "unknown key 'anwsers'"),
        ([], "must be a mapping"),
    ],
)
def test_a_script_with_a_mistake_is_refused(tmp_path: Path, script: Any, words: str) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(yaml.safe_dump(script))
    with pytest.raises(ValueError, match=words):
        read_script(str(path))
    with pytest.raises(BadSetting, match="script"):
        read_settings(script=str(tmp_path / "none.yaml"))

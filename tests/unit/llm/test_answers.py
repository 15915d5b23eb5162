"""From a model's text to a value."""

from typing import Any

import pytest

from pyscrai.llm.answers import Unusable, read
from pyscrai.llm.bounds import input_bound, request_hash
from pyscrai.llm.errors import Rejected

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "integer", "maximum": 9}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        '```json\n{"a": 1}\n```',
        'Sure! Here it is:\n{"a": 1}\nAnything else?',
        '<think>{"a": 5, "b"</think>{"a": 1}',
        'First {"b": 2}, no: {"a": 1}',
        '  {"a": 1.0}  ',
    ],
)
def test_json_is_found_where_models_put_it(text: str) -> None:
    assert read(text, SCHEMA) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("no", "no complete JSON"),
        ('{"a": 1', "no complete JSON"),
        ('{"a": 99}', "At /a"),
        ('{"a": 1, "b": 2}', "'b'"),
        ("[1]", "At /"),
        ('{"a": NaN}', "no complete JSON"),
        ('{"a": 1e999}', "At /a"),
        ('{"a": ' + "[" * 100_000, "no complete JSON"),
        ("x" * 300_000, "bytes"),
    ],
)
def test_what_cannot_be_taken_says_why(text: str, says: str) -> None:
    with pytest.raises(Unusable) as caught:
        read(text, SCHEMA)
    assert says in str(caught.value)


def test_text_is_cleaned_where_it_enters() -> None:
    assert read('{"t": "a\\u0000\\ud800b"}', {"type": "object"}) == {"t": "a��b"}
    assert read(" hello ", None) == {"content": "hello", "error": None}


@pytest.mark.parametrize("schema", [{"$ref": "http://127.0.0.1:1/x.json"}, {"type": "nope"}])
def test_a_schema_never_reaches_the_network_and_a_broken_one_is_named(schema: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="schema cannot be used"):
        read('{"a": 1}', schema)


def test_a_pattern_cannot_stall_the_engine() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    with pytest.raises(Unusable):
        read('{"a": "' + "a" * 5000 + '!"}', schema)


def test_the_bound_is_above_the_bytes_of_everything_that_is_sent() -> None:
    messages = [{"role": "user", "content": "ﷺ" * 10}]
    assert input_bound(messages, None) > len("ﷺ".encode()) * 10
    assert input_bound(messages, SCHEMA) > input_bound(messages, None)


def test_the_hash_covers_all_that_decides_the_answer() -> None:
    base = request_hash("m", [{"role": "user", "content": "x"}], None, None, 10)
    assert base == request_hash("m", [{"role": "user", "content": "x"}], None, None, 10)
    others = [
        request_hash("n", [{"role": "user", "content": "x"}], None, None, 10),
        request_hash("m", [{"role": "user", "content": "y"}], None, None, 10),
        request_hash("m", [{"role": "user", "content": "x"}], {}, None, 10),
        request_hash("m", [{"role": "user", "content": "x"}], None, 0.5, 10),
        request_hash("m", [{"role": "user", "content": "x"}], None, None, 11),
    ]
    assert base not in others

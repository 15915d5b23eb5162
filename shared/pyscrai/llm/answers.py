"""From what a model wrote to a value that the system takes: find the JSON, normalise it, hold it against its schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

import jsonschema_rs

from pyscrai.domain.canonical import canonical, clean_text, normalise
from pyscrai.domain.errors import InvalidValue
from pyscrai.llm.errors import Rejected
from pyscrai.llm.question import MAX_ANSWER
from pyscrai.llm.unruly import loop, unruly

MAX_SHOWN = 5
_FENCE = re.compile(r"```[a-zA-Z0-9]*[ \t]*\n(.*?)```", re.DOTALL)


class Unusable(ValueError):
    """An answer that cannot be taken; the message tells the model what is wrong with it."""


def read(text: str, schema: dict[str, Any] | None, asked: str = "") -> dict[str, Any]:
    """The result in an answer. Raises Unusable. Without a schema the text itself, as `content`.

    `asked` is the text of the question: an answer that only repeats it is none.
    """
    size = len(text.encode(errors="replace"))
    if size > MAX_ANSWER:
        raise Unusable(f"The answer has {size:,} bytes; at most {MAX_ANSWER:,} are allowed. Be much shorter.")
    if schema is None:
        if not text.strip():
            raise Unusable("The answer is empty.")
        if (unit := loop(text)) is not None:
            raise Unusable(f"The answer goes round in circles ({unit[:40]!r} again and again). Say each thing once.")
        return {"content": clean_text(text.strip()), "error": None}
    value = _taken(find_json(text, schema))
    if problems := list(_problems(value, schema)):
        raise Unusable(" ".join(problems))
    if problems := list(islice(unruly(value, schema, asked), MAX_SHOWN)):
        raise Unusable(" ".join(problems))
    result: dict[str, Any] = value
    return result


def find_json(text: str, schema: dict[str, Any]) -> Any:
    """The JSON value in `text`: the whole, in a code fence, or after some talk. Prefers one that fits `schema`."""
    text = re.sub(r"<think>.*?</think>", "", text, flags=re.DOTALL).strip()
    if not text:
        raise Unusable("The answer is empty.")
    found = list(_candidates(text))
    if not found:
        raise Unusable("There is no complete JSON object in the answer.")
    validator = _validator(canonical(normalise(schema)))
    return next((value for value in found if validator.is_valid(value)), found[0])


def _candidates(text: str) -> Iterator[Any]:
    for piece in (text, *(match.strip() for match in _FENCE.findall(text))):
        try:
            yield json.loads(piece, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            continue
    decoder = json.JSONDecoder(parse_constant=_no_constant)
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at = text.find("{", at + 1)
            continue
        yield value
        at = text.find("{", end)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _taken(value: Any) -> Any:
    try:
        return normalise(value)
    except InvalidValue as error:
        raise Unusable(f"At {error.pointer or '/'}: {error}.") from None


def _problems(value: Any, schema: dict[str, Any]) -> Iterator[str]:
    for number, error in enumerate(_validator(canonical(normalise(schema))).iter_errors(value)):
        if number == MAX_SHOWN:
            yield "And more."
            return
        pointer = "".join(f"/{segment}" for segment in error.instance_path)
        yield f"At {pointer or '/'}: {error.message[:300]}."
    if not isinstance(value, dict):
        yield "The answer is not a JSON object."


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    """Offline, and with a regular-expression engine without backtracking: schemas are written by strangers."""
    try:
        return jsonschema_rs.validator_for(
            json.loads(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise Rejected(f"the result schema cannot be used: {error}") from error

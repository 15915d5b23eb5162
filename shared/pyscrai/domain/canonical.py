"""Canonical JSON (RFC 8785) and the normalisation that lets every value have one.

What enters the system is normalised once, here; digests are taken from the canonical text only.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from typing import Any

import rfc8785

from pyscrai.domain.errors import InvalidValue

SAFE_INTEGER = 2**53 - 1
_BAD_TEXT = re.compile("[\x00\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Text as PostgreSQL can keep it: NUL and lone surrogates become U+FFFD."""
    if "\x00" not in text:
        # What can be encoded has none; a look at each character costs forty times as much.
        try:
            text.encode()
        except UnicodeEncodeError:
            pass
        else:
            return text
    return _BAD_TEXT.sub("\ufffd", text)


def normalise(value: Any, pointer: str = "") -> Any:
    """A JSON value in the one form that the system keeps.

    Integers beyond ±(2^53 − 1) become doubles, −0 becomes 0, NUL and lone surrogates become U+FFFD.
    Raises InvalidValue for NaN, infinities and what JSON does not have, naming the JSON Pointer.
    """
    try:
        return _normalised(value)
    except InvalidValue:
        return _named(value, pointer)  # once more, to say where


def _normalised(value: Any) -> Any:
    """As `normalise`, without knowing where it is: pointers cost more than all the rest."""
    kind = type(value)
    if kind is str:
        return clean_text(value)
    if value is None or kind is bool:
        return value
    if kind is dict:
        return {_key(k, ""): _normalised(v) for k, v in value.items()}
    if kind is list or kind is tuple:
        return [_normalised(v) for v in value]
    return _named(value, "")


def _named(value: Any, pointer: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else _named(_double(value, pointer), pointer)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidValue(f"{value} is not a JSON number", pointer)
        return 0 if value == 0 else value
    if isinstance(value, dict):
        return {_key(k, pointer): _named(v, f"{pointer}/{escape(str(k))}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_named(v, f"{pointer}/{i}") for i, v in enumerate(value)]
    raise InvalidValue(f"{type(value).__name__} is not a JSON value", pointer)


def _double(value: int, pointer: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise InvalidValue("the number is too large", pointer) from None


def _key(key: Any, pointer: str) -> str:
    if not isinstance(key, str):
        raise InvalidValue(f"the key {key!r} is not a string", pointer)
    return clean_text(key)


def escape(segment: str) -> str:
    """One segment of a JSON Pointer (RFC 6901)."""
    return segment.replace("~", "~0").replace("/", "~1")


def _encoder() -> Callable[[Any], str]:
    """Python's own encoder, without what it does around its inner one for each value."""
    outer = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":"))
    make = getattr(json.encoder, "c_make_encoder", None)
    quote = getattr(json.encoder, "c_encode_basestring", None)
    if make is None or quote is None:
        return outer.encode
    inner = make(None, outer.default, quote, None, ":", ",", True, False, False)
    return lambda value: "".join(inner(value, 0))


_written = _encoder()


def canonical(value: Any) -> str:
    """The RFC 8785 text of a normalised value.

    Python's own encoder writes the very same for all but doubles, and names beyond ASCII, which RFC 8785 sorts in its
    own way: ten times as fast, and nearly all that is ever written here.
    """
    if _plain(value) and _encodable(text := _written(value)):
        return text
    return rfc8785.dumps(value).decode()  # a lone surrogate is its to raise an error for


def normal(value: Any, pointer: str = "") -> tuple[Any, str]:
    """A JSON value as `normalise` gives it, and its canonical text. Raises as `normalise`.

    What has neither doubles nor large integers, no NUL and no lone surrogate is normal already, as nearly all is: it is
    neither copied nor looked at twice.
    """
    if _plain(value):
        text = _written(value)
        if _NUL not in text and _encodable(text):
            return value, text
    value = normalise(value, pointer)
    return value, canonical(value)


_NUL = "\\u0000"
"""As it is written; a backslash before the same letters looks like it too, and is looked at more closely."""


def _encodable(text: str) -> bool:
    """Whether a text has no lone surrogate."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Any) -> bool:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-SAFE_INTEGER <= value <= SAFE_INTEGER)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                return False
            # Most of what is in here is text: not worth a call.
            if type(item) is not str and not _plain(item):
                return False
        return True
    return kind is list and all(map(_plain, value))


def read(text: str) -> Any:
    """What a canonical text says, in the one form that the system keeps.

    RFC 8785 writes the double 1e20 as a row of digits; read as an integer it would have no canonical text any more.
    """
    return json.loads(text, parse_int=_number)


def _number(digits: str) -> int | float:
    value = int(digits)
    return value if -SAFE_INTEGER <= value <= SAFE_INTEGER else float(value)


def sha256(text: str) -> str:
    """The hash of a text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()

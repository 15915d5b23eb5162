"""Reading JSON bodies by hand, where a route needs the bytes or takes more than one form."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request

from pyscrai_api.errors import Invalid


async def json_object(request: Request) -> tuple[bytes, dict[str, Any]]:
    """The body as it came, and as an object. Raises Invalid saying where it stops being JSON."""
    raw = await request.body()
    return raw, parse_object(raw)


def parse_object(raw: bytes) -> dict[str, Any]:
    """Bytes as a JSON object. Raises Invalid."""
    if not raw.strip():
        raise Invalid("the body is empty; a JSON object is expected")
    try:
        value = json.loads(raw, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        raise Invalid(f"the body is not JSON: {error.msg} (line {error.lineno}, column {error.colno})") from None
    except UnicodeDecodeError:
        raise Invalid("the body is not UTF-8") from None
    except RecursionError:
        raise Invalid("the body is nested too deeply") from None
    if not isinstance(value, dict):
        raise Invalid("the body is not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Invalid(f"the key {twice!r} is in one object twice")
    return found

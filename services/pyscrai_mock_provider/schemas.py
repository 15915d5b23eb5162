"""JSON Schemas as a provider takes them: checked once, and remembered."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import jsonschema_rs


def compact(schema: dict[str, Any]) -> str:
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=256)
def validator(schema: str) -> Any:
    """Offline, and with a regular-expression engine without backtracking. Raises ValueError for what is no schema."""
    try:
        return jsonschema_rs.validator_for(
            json.loads(schema), offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except jsonschema_rs.ReferencingError as error:
        raise ValueError(str(error)) from error

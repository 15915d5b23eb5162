"""The name of a lane: the engine type, and `:pool` where it is private."""

from __future__ import annotations

import re

ENGINE_TYPE = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
POOL = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def lane_of(engine_type: str, pool: str | None = None) -> str:
    """The lane that engines of this type and pool poll."""
    return engine_type if pool is None else f"{engine_type}:{pool}"


def is_lane(lane: str) -> bool:
    """Whether a text can name a lane."""
    engine_type, colon, pool = lane.partition(":")
    return bool(ENGINE_TYPE.fullmatch(engine_type)) and (not colon or bool(POOL.fullmatch(pool)))

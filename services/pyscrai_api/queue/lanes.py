"""The name of a lane: the engine type, and `:pool` where it is private."""

from __future__ import annotations

import re

from pyscrai.domain.work import BUILT_IN_LANES

ENGINE_TYPE = re.compile(r"[a-z][a-z0-9_.-]{0,62}")
POOL = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def lane_of(engine_type: str, pool: str | None = None) -> str:
    """The lane that engines of this type and pool poll."""
    return engine_type if pool is None else f"{engine_type}:{pool}"


def lane_of_run(lane: str, pool: str | None) -> str:
    """Where a run's event goes: a pool holds engines of ours only, and an author's own lane is served where it is."""
    return lane_of(lane, pool) if lane in BUILT_IN_LANES else lane


def is_lane(lane: str) -> bool:
    """Whether a text can name a lane."""
    engine_type, colon, pool = lane.partition(":")
    return bool(ENGINE_TYPE.fullmatch(engine_type)) and (not colon or bool(POOL.fullmatch(pool)))

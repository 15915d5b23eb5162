"""The memory of a full disk: it fades once nothing is refused any more."""

from __future__ import annotations

import asyncpg

from pyscrai_api.room import NO_ROOM, REMEMBERED_SECONDS, Room


def test_a_full_disk_is_remembered_for_a_while() -> None:
    now = 100.0
    room = Room(clock=lambda: now)
    assert room.trouble is None
    room.note(asyncpg.DiskFullError("could not extend file"))
    assert room.trouble == NO_ROOM
    now += REMEMBERED_SECONDS + 1
    assert room.trouble is None


def test_it_is_found_behind_what_wraps_it_and_nothing_else_counts() -> None:
    room = Room()
    room.note(ValueError("something else"))
    assert room.trouble is None
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = asyncpg.DiskFullError("full")
    room.note(wrapped)
    assert room.trouble == NO_ROOM

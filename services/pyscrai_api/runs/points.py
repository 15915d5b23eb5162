"""Places of a log as people name them: its number, or the end of a turn."""

from __future__ import annotations

import re
from uuid import UUID

from pyscrai_api.database import Connection
from pyscrai_api.errors import Invalid

_AT = re.compile(r"(turn:)?([0-9]{1,18})", re.ASCII)
_END_OF_TURN = "SELECT seq FROM entries WHERE run_id = $1 AND kind = 'turn_complete' AND turn = $2"


async def number(conn: Connection, run_id: UUID, wanted: str, last: int) -> int:
    """The number that `12` or `turn:2` means in a log that ends with `last`; 0 is before the first entry.

    Raises Invalid where there is no such place.
    """
    found = _AT.fullmatch(wanted)
    if found is None:
        raise Invalid(f"`at` is a number of the log, or turn:N; not {wanted!r}")
    value = int(found[2])
    if found[1]:
        seq: int | None = 0 if value == 0 else await conn.fetchval(_END_OF_TURN, run_id, min(value, 2**31 - 1))
        if seq is None:
            raise Invalid(f"turn {value} of this run is not complete")
        return seq
    if value > last:
        raise Invalid(f"the log ends with {last}")
    return value

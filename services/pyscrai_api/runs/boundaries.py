"""Finding where a run may be branched."""

from __future__ import annotations

from uuid import UUID

from pyscrai.contract.branches import BranchPoint
from pyscrai.contract.problems import FieldError
from pyscrai.domain.boundaries import MARKS, Boundary, Mark, boundaries
from pyscrai_api.database import Connection
from pyscrai_api.errors import Invalid

_MARKS = """
SELECT seq, step, n, kind, turn, body ->> 'phase' AS phase FROM entries
WHERE run_id = $1 AND kind = ANY($2::text[]) ORDER BY seq
"""


async def read_boundaries(conn: Connection, run_id: UUID) -> list[Boundary]:
    """Every place at which the run may be branched, in order."""
    return list(boundaries(Mark(**dict(row)) for row in await conn.fetch(_MARKS, run_id, list(MARKS))))


async def boundary(conn: Connection, run_id: UUID, wanted: BranchPoint, pointer: str = "/at") -> Boundary:
    """The boundary that is meant. Raises Invalid, naming the nearest ones, where there is none."""
    found = await read_boundaries(conn, run_id)
    if wanted.turn is not None:
        there = next((one for one in found if one.phase is None and one.turn == wanted.turn), None)
        why, near = f"the run has no end of turn {wanted.turn} yet", [one for one in found if one.phase is None][-1:]
        pointer += "/turn"
    else:
        seq = wanted.seq or 0
        there = next((one for one in found if one.seq == seq), None)
        before, after = [one for one in found if one.seq < seq], [one for one in found if one.seq > seq]
        why, near = f"no step ends with entry {seq}", [*before[-1:], *after[:1]]
        pointer += "/seq"
    if there is not None:
        return there
    hint = f"the nearest: {' and '.join(one.named() for one in near)}" if near else "the run has not begun"
    raise Invalid("the run cannot be branched there", errors=[FieldError(pointer=pointer, message=why, hint=hint)])

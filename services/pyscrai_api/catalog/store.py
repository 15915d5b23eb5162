"""Reading versions of templates, cheaply: what runs and claims need. Writing is in `catalog.templates`.

Versions never change, so each process remembers those it has read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pyscrai.contract.templates import TemplateType
from pyscrai_api.database import Connection
from pyscrai_api.errors import NotFound
from pyscrai_api.lines import Lines

BUILT_IN = "builtin"
REMEMBERED = 1000
ONE = {"agents": "agent", "scenarios": "scenario", "event-types": "event type"}

# A bare name means one's own, then a shared one, then a built-in one; an id means that very template.
FIND = """
SELECT id, name, latest FROM templates
WHERE type = $1 AND (owner = $4 OR visibility = 'shared') AND archived_at IS NULL AND (id = $2 OR name = $3)
ORDER BY (id = $2) IS NOT TRUE, CASE owner WHEN $4 THEN 0 WHEN 'builtin' THEN 2 ELSE 1 END, id
LIMIT 1
"""
# What its clients call a scenario: the id that its document came with, or its name in their words.
FIND_THEIRS = """
SELECT id, name, latest FROM templates
WHERE type = $1 AND (owner = $3 OR visibility = 'shared') AND archived_at IS NULL AND (alias = $2 OR label = $2)
ORDER BY CASE owner WHEN $3 THEN 0 ELSE 1 END, (alias = $2) IS NOT TRUE, id
LIMIT 1
"""
VERSION = """
SELECT v.id AS version_id, t.id AS template_id, t.type, t.name, v.version, v.title, v.sha256, v.canonical
FROM template_versions v JOIN templates t ON t.id = v.template_id
"""
# Many names at once, each of an owner.
FIND_TYPES = """
SELECT wanted.place, v.id FROM unnest((SELECT $1::text[]), $2::text[], $3::uuid[], $4::int[])
  WITH ORDINALITY AS wanted (owner, name, id, version, place)
CROSS JOIN LATERAL (
  SELECT t.id, t.latest FROM templates t
  WHERE t.type = 'event-types' AND (t.owner = wanted.owner OR t.visibility = 'shared') AND t.archived_at IS NULL
    AND (t.id = wanted.id OR t.name = wanted.name)
  ORDER BY (t.id = wanted.id) IS NOT TRUE, CASE t.owner WHEN wanted.owner THEN 0 WHEN 'builtin' THEN 2 ELSE 1 END, t.id
  LIMIT 1
) AS found
JOIN template_versions v ON v.template_id = found.id AND v.version = coalesce(wanted.version, found.latest)
"""
AT_VERSION = VERSION + "WHERE v.template_id = $1 AND v.version = $2"
BY_ID = VERSION + "WHERE v.id = $1"


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One version of a template. `canonical` is the document as RFC 8785 text, `sha256` is over it."""

    version_id: UUID
    template_id: UUID
    type: TemplateType
    name: str
    version: int
    title: str
    sha256: str
    canonical: str


class Remembered:
    """The versions that were read last, by id."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._pins: OrderedDict[UUID, Pin] = OrderedDict()

    def get(self, version_id: UUID) -> Pin | None:
        pin = self._pins.get(version_id)
        if pin is not None:
            self._pins.move_to_end(version_id)
        return pin

    def keep(self, pin: Pin) -> Pin:
        self._pins[pin.version_id] = pin
        if len(self._pins) > self._most:
            self._pins.popitem(last=False)
        return pin


_remembered = Remembered()


def as_id(text: str | UUID) -> UUID | None:
    """A text as an id, where it is one."""
    try:
        return text if isinstance(text, UUID) else UUID(text)
    except ValueError:
        return None


def split_version(text: str) -> tuple[str, int | None]:
    """`decide@2` names version 2 of `decide`."""
    name, at, version = text.rpartition("@")
    return (name, int(version)) if at and version.isdecimal() and len(version) < 10 else (text, None)


async def resolve(
    conn: Connection,
    type: TemplateType,
    name_or_id: str | UUID,
    version: int | None = None,
    owner: str = "local",
) -> Pin:
    """The version that a name (`decide`, `decide@2`) or a template's id means for this owner; the latest by default.

    A scenario is also found by the id that its document came with, and by its name in its author's words.

    Raises NotFound for what is not there, is archived, or belongs to someone else.
    """
    name, written = split_version(str(name_or_id))
    row = await conn.fetchrow(FIND, type, as_id(name), name, owner)
    if row is None:
        row, written = await conn.fetchrow(FIND_THEIRS, type, str(name_or_id), owner), None
    if row is None:
        raise NotFound(f"there is no {ONE[type]} {name!r}")
    wanted = next(number for number in (version, written, row["latest"]) if number is not None)
    found = await conn.fetchrow(AT_VERSION, row["id"], wanted) if 1 <= wanted <= row["latest"] else None
    if found is None:
        raise NotFound(f"{ONE[type]} {row['name']!r} has no version {wanted}; the latest is {row['latest']}")
    return _remembered.keep(_pin(found))


async def event_types(conn: Connection | Lines, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Pin]:
    """What names mean for owners, as `resolve` finds it, for pairs (owner, name), in one look; those that there are."""
    if not wanted:
        return {}
    names = [split_version(name) for _, name in wanted]
    rows = await conn.fetch(
        FIND_TYPES, [owner for owner, _ in wanted], [name for name, _ in names],
        [as_id(name) for name, _ in names], [version for _, version in names],
    )  # fmt: skip
    return {wanted[row["place"] - 1]: await by_version(conn, row["id"]) for row in rows}


async def by_version(conn: Connection | Lines, version_id: UUID) -> Pin:
    """One version by its own id. Raises NotFound."""
    known = _remembered.get(version_id)
    if known is not None:
        return known
    rows = await conn.fetch(BY_ID, version_id)
    if not rows:
        raise NotFound(f"there is no version {version_id} of any template")
    return _remembered.keep(_pin(rows[0]))


def _pin(row: Any) -> Pin:
    return Pin(**dict(row.items()))

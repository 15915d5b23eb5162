"""The catalog's writing side, and its lists: SQLModel over a small engine of its own, loaded at first use.

Documents are immutable: an update adds a version, deleting archives the name. Every change of a template locks its row
first, so that versions are numbered without gaps.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, literal, or_, text, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from pyscrai.contract.problems import FieldError
from pyscrai.contract.templates import Template, TemplateType
from pyscrai.contract.wire import Page
from pyscrai.domain.canonical import canonical, normalise, sha256
from pyscrai.domain.scenario import Scenario, readable
from pyscrai_api.catalog import validation
from pyscrai_api.catalog.store import BUILT_IN, ONE, as_id
from pyscrai_api.errors import Conflict, Forbidden, NotFound
from pyscrai_api.idempotency import Answer, Key, once
from pyscrai_api.ids import new_id
from pyscrai_api.tables import TemplateRow, TemplateVersionRow


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A document that was checked: what a version is made of.

    `source`: as it was posted, where that is another; `alias`: what it calls itself, where that is no name of ours.
    """

    name: str
    title: str
    canonical: str
    sha256: str
    warnings: list[FieldError]
    source: str | None = None
    alias: str | None = None


def draft(kind: TemplateType, content: dict[str, Any]) -> Draft:
    """Normalise and check a document. Raises Invalid, InvalidValue."""
    content = normalise(content)
    warnings = validation.check(kind, content)
    if kind == "scenarios":
        # Canonical JSON sorts keys; the order of the seats is part of what a scenario says.
        content = normalise(Scenario.model_validate(content).content())
    title = content.get("title")
    whole = canonical(content)
    return Draft(
        name=content["name"],
        title=title if isinstance(title, str) and title else readable(content["name"]),
        canonical=whole,
        sha256=sha256(whole),
        warnings=warnings,
    )


class Templates:
    """The catalog as one owner sees it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def close(self) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        """A session in a transaction: committed at the end of the block, rolled back where it raises."""
        async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    async def once(self, session: AsyncSession, key: Key | None, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """`idempotency.once` in this session's transaction."""
        await session.exec(text("SELECT 1"))  # type: ignore[call-overload]  # the driver begins at the first statement
        raw = await (await session.connection()).get_raw_connection()
        return await once(raw.driver_connection, key, work)

    async def create(
        self, session: AsyncSession, kind: TemplateType, new: Draft, *, owner: str, visibility: str
    ) -> Template:
        """Version 1 of a new name. Raises Conflict where the name is taken."""
        now = await _now(session)
        row = TemplateRow(
            id=new_id(), type=kind, name=new.name, latest=1, owner=owner, visibility=visibility, created_by=owner,
            created_at=now, modified_at=now, alias=new.alias,
        )  # fmt: skip
        session.add(row)
        try:
            await session.flush()
        except IntegrityError as error:
            if "uq_templates_owner_type_name" not in str(error.orig):
                raise
            hint = "update it with PUT, or choose another name"
            raise Conflict(f"there is a {ONE[kind]} {new.name!r} already (perhaps archived); {hint}") from None
        return shown(row, await self._add(session, row, 1, new, owner), new.warnings)

    async def read(
        self, session: AsyncSession, kind: TemplateType, name: str, version: int | None, *, owner: str
    ) -> Template:
        """One version, the latest by default; an archived template is found by its id only. Raises NotFound."""
        row = await self._find(session, kind, name, owner=owner)
        if row.archived_at is not None and as_id(name) != row.id:
            raise NotFound(f"there is no {ONE[kind]} {name!r}; one of that name is archived")
        return shown(row, await self._version(session, row, version or row.latest))

    async def update(
        self, session: AsyncSession, kind: TemplateType, name: str, new: Draft, *, owner: str, visibility: str | None
    ) -> Template:
        """A new version, unless the latest says the same already. Brings an archived name back. Raises NotFound."""
        row = await self._own(session, kind, name, owner)
        if new.name != row.name:
            raise Conflict(f"the document is called {new.name!r}, this {ONE[kind]} {row.name!r}: names do not change")
        version = await self._version(session, row, row.latest)
        row.archived_at = None
        row.visibility = visibility or row.visibility
        row.alias = new.alias or row.alias
        row.modified_at = await _now(session)
        if (version.sha256, version.source) != (new.sha256, new.source):
            row.latest += 1
            version = await self._add(session, row, row.latest, new, owner)
        session.add(row)
        await session.flush()
        return shown(row, version, new.warnings)

    async def archive(self, session: AsyncSession, kind: TemplateType, name: str, *, owner: str) -> None:
        """Take a name out of lists and look-ups; runs keep the versions that they pinned. Raises NotFound."""
        row = await self._own(session, kind, name, owner)
        if row.archived_at is not None:
            raise NotFound(f"the {ONE[kind]} {row.name!r} is archived already")
        row.archived_at = await _now(session)
        session.add(row)

    async def put(
        self, session: AsyncSession, kind: TemplateType, new: Draft, *, owner: str, visibility: str
    ) -> Template:
        """Create the name or add a version to it: for loaders, under a lock that keeps others out."""
        query = select(TemplateRow.id).where(
            TemplateRow.type == kind, TemplateRow.owner == owner, TemplateRow.name == new.name
        )
        if (await session.exec(query)).one_or_none() is None:
            return await self.create(session, kind, new, owner=owner, visibility=visibility)
        return await self.update(session, kind, new.name, new, owner=owner, visibility=visibility)

    async def lock(self, session: AsyncSession, kind: TemplateType, name: str, *, owner: str) -> None:
        """Keep one's own template for this transaction. Raises NotFound, Forbidden for someone else's."""
        await self._own(session, kind, name, owner)

    async def now(self, session: AsyncSession) -> datetime:
        """The database's time."""
        return await _now(session)

    async def name_of(self, session: AsyncSession, kind: TemplateType, name: str, *, owner: str) -> str:
        """The name behind a name or id. Raises NotFound."""
        return (await self._find(session, kind, name, owner=owner)).name

    async def latest(self, session: AsyncSession, kind: TemplateType, *, owner: str, most: int) -> dict[str, str]:
        """By name, the latest version of each as it was posted; one's own before those of others."""
        query = (
            select(TemplateRow, TemplateVersionRow)
            .join(TemplateVersionRow, col(TemplateVersionRow.template_id) == TemplateRow.id)
            .where(TemplateRow.type == kind, TemplateVersionRow.version == TemplateRow.latest, _visible(owner))
            .where(col(TemplateRow.archived_at).is_(None))
            .order_by(col(TemplateRow.owner) != owner, col(TemplateRow.name))
            .limit(most)
        )
        found: dict[str, str] = {}
        for row, version in (await session.exec(query)).all():
            found.setdefault(row.name, version.source or version.canonical)
        return found

    async def page(
        self, session: AsyncSession, kind: TemplateType | None, *, owner: str, limit: int, after: str | None
    ) -> Page[Template]:
        """Types and names in order, each with its latest version, without the documents."""
        order = (col(TemplateRow.type), col(TemplateRow.name), col(TemplateRow.id))
        query = (
            select(TemplateRow, TemplateVersionRow)
            .join(TemplateVersionRow, col(TemplateVersionRow.template_id) == TemplateRow.id)
            .where(TemplateVersionRow.version == TemplateRow.latest, _visible(owner))
            .where(col(TemplateRow.archived_at).is_(None))
            .order_by(*order)
            .limit(limit + 1)
        )
        if kind is not None:
            query = query.where(TemplateRow.type == kind)
        if after is not None:
            last = await session.get(TemplateRow, as_id(after)) if as_id(after) else None
            if last is None:
                raise NotFound("`after` is not the `next` of a page")
            query = query.where(tuple_(*order) > tuple_(*map(literal, (last.type, last.name, last.id))))
        rows = (await session.exec(query)).all()
        items = [shown(row, version, whole=False) for row, version in rows[:limit]]
        return Page[Template](items=items, next=items[-1].id if len(rows) > limit else None)

    async def _add(
        self, session: AsyncSession, row: TemplateRow, number: int, new: Draft, author: str
    ) -> TemplateVersionRow:
        version = TemplateVersionRow(
            id=new_id(), template_id=row.id, version=number, title=new.title, canonical=new.canonical,
            source=new.source, sha256=new.sha256, created_by=author, created_at=await _now(session),
        )  # fmt: skip
        session.add(version)
        await session.flush()
        return version

    async def _find(self, session: AsyncSession, kind: TemplateType, name: str, *, owner: str) -> TemplateRow:
        query = select(TemplateRow).where(TemplateRow.type == kind, _visible(owner))
        for named in _named(name):
            if found := (await session.exec(query.where(named))).all():
                return min(found, key=lambda row: _rank(row, name, owner))
        raise NotFound(f"there is no {ONE[kind]} {name!r}")

    async def _own(self, session: AsyncSession, kind: TemplateType, name: str, owner: str) -> TemplateRow:
        """One's own template, locked until the transaction ends."""
        query = select(TemplateRow).where(TemplateRow.type == kind, TemplateRow.owner == owner).with_for_update()
        for named in _named(name):
            if found := (await session.exec(query.where(named))).all():
                return min(found, key=lambda row: _rank(row, name, owner))
        other = await self._find(session, kind, name, owner=owner)
        what = "built in" if other.owner == BUILT_IN else "someone else's"
        raise Forbidden(f"the {ONE[kind]} {other.name!r} is {what}: post one of your own under that name instead")

    async def _version(self, session: AsyncSession, row: TemplateRow, number: int) -> TemplateVersionRow:
        query = select(TemplateVersionRow).where(
            TemplateVersionRow.template_id == row.id, TemplateVersionRow.version == number
        )
        version = (await session.exec(query)).one_or_none()
        if version is None:
            raise NotFound(f"{ONE[row.type]} {row.name!r} has no version {number}; the latest is {row.latest}")
        return version


async def _now(session: AsyncSession) -> datetime:
    """The database's time: the only clock that decides."""
    moment: datetime = (await session.exec(select(func.now()))).one()
    return moment


def _named(name: str) -> tuple[Any, Any]:
    """What a template may be called by; the second only where the first finds nothing."""
    ours = or_(col(TemplateRow.name) == name, col(TemplateRow.id) == as_id(name))
    theirs = or_(col(TemplateRow.alias) == name, col(TemplateRow.label) == name)
    return ours, theirs


def _visible(owner: str) -> Any:
    return or_(col(TemplateRow.owner) == owner, col(TemplateRow.visibility) == "shared")


def _rank(row: TemplateRow, name: str, owner: str) -> tuple[bool, bool, int, bool, UUID]:
    """The order of `store.FIND` and `store.FIND_THEIRS`, with archived ones last."""
    whose = 0 if row.owner == owner else 2 if row.owner == BUILT_IN else 1
    return as_id(name) != row.id, row.archived_at is not None, whose, row.alias != name, row.id


def shown(
    row: TemplateRow, version: TemplateVersionRow, warnings: Iterable[FieldError] = (), *, whole: bool = True
) -> Template:
    """A template as the API shows it."""
    return Template(
        id=str(row.id),
        type=row.type,
        name=row.name,
        title=version.title,
        version=version.version,
        latest=row.latest,
        sha256=version.sha256,
        owner=row.owner,
        visibility=row.visibility,
        created_by=version.created_by,
        created_at=version.created_at.isoformat(),
        archived=row.archived_at is not None,
        content=json.loads(version.canonical) if whole else None,
        source=json.loads(version.source) if whole and version.source else None,
        warnings=list(warnings),
    )

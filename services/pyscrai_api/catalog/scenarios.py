"""Scenarios as their clients post and read them: templates, with what is kept beside the versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from pyscrai.contract.problems import FieldError
from pyscrai.contract.scenarios import PostedScenario, ScenarioTemplate
from pyscrai.contract.templates import Template
from pyscrai.contract.wire import Page
from pyscrai.domain.canonical import normalise
from pyscrai_api.catalog import configurations
from pyscrai_api.catalog.configurations import LONGEST_LABEL, template_name
from pyscrai_api.catalog.templates import Draft, Templates
from pyscrai_api.errors import Invalid
from pyscrai_api.tables import TemplateRow, TemplateVersionRow

ENVELOPE = frozenset(PostedScenario.model_fields)
DOCUMENT = frozenset({"format", "seats", "agents", "actors", "metadata", "event_flow", "agent_roles", "content"})
"""Keys of which a document has one and an envelope none; `config` alone does not tell: PyScrAI's scenarios have one."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a request says of a scenario; None where it says nothing."""

    draft: Draft | None
    label: str | None = None
    history: list[Any] | None = None
    visibility: str | None = None


def is_envelope(body: dict[str, Any]) -> bool:
    """Whether a body is `{name, config, history?}`, rather than a document or a template's envelope."""
    return bool(ENVELOPE & body.keys()) and not DOCUMENT & body.keys() and ("config" in body or body.keys() <= ENVELOPE)


def wanted(body: dict[str, Any], *, stored: str | None = None, agents: Mapping[str, str] | None = None) -> Wanted:
    """Read an envelope; `stored` is the name of the template that it changes, None for a new one. Raises Invalid."""
    posted = _posted(body)
    draft = None
    if posted.config is not None:
        name = stored or template_name(posted.name)
        draft = configurations.read(posted.config, name=name, keep=stored is not None, pointer="/config", agents=agents)
    elif stored is None:
        raise _missing("config", "the scenario's configuration is missing")
    unknown = [FieldError(pointer=f"/{key}", message="nothing here uses this") for key in body.keys() - ENVELOPE]
    if draft is not None:
        draft.warnings.extend(sorted(unknown, key=lambda item: item.pointer))
    return Wanted(
        draft=draft,
        label=posted.name,
        history=None if posted.history is None else normalise(posted.history, "/history"),
        visibility=posted.visibility,
    )


def _posted(body: dict[str, Any]) -> PostedScenario:
    for key, kind, what in (("name", str, "text"), ("config", dict, "an object"), ("history", list, "a list")):
        if body.get(key) is not None and not isinstance(body[key], kind):
            raise _missing(key, f"{key} is {what}")
    label = body.get("name")
    if label is not None and not 1 <= len(label.strip()) <= LONGEST_LABEL:
        raise _missing("name", f"a name has 1 to {LONGEST_LABEL} characters")
    if body.get("visibility") not in (None, "private", "shared"):
        raise _missing("visibility", "visibility is private or shared")
    label = None if label is None else normalise(label.strip())
    return PostedScenario.model_validate({**body, "name": label})


def _missing(key: str, message: str) -> Invalid:
    return Invalid(message, errors=[FieldError(pointer=f"/{key}", message=message)])


class Scenarios:
    """Scenarios as one owner sees them; each method works in the caller's transaction."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    async def create(self, session: AsyncSession, new: Wanted, *, owner: str) -> ScenarioTemplate:
        """Version 1 of a new scenario. Raises Conflict where its name is taken."""
        assert new.draft is not None
        made = await self._templates.create(
            session, "scenarios", new.draft, owner=owner, visibility=new.visibility or "private"
        )
        return await self._describe(session, made, new)

    async def update(self, session: AsyncSession, name: str, new: Wanted, *, owner: str) -> ScenarioTemplate:
        """A new version where the configuration is another; name and history change in place.

        Raises NotFound, Forbidden for someone else's, Conflict for a document that is called otherwise.
        """
        if new.draft is None:
            await self._templates.lock(session, "scenarios", name, owner=owner)
            made = await self._templates.read(session, "scenarios", name, None, owner=owner)
        else:
            made = await self._templates.update(
                session, "scenarios", name, new.draft, owner=owner, visibility=new.visibility
            )
        return await self._describe(session, made, new)

    async def read(self, session: AsyncSession, name: str, version: int | None, *, owner: str) -> ScenarioTemplate:
        """One version, the latest by default. Raises NotFound."""
        found = await self._templates.read(session, "scenarios", name, version, owner=owner)
        return (await self.shown(session, [found]))[0]

    async def page(self, session: AsyncSession, *, owner: str, limit: int, after: str | None) -> Page[ScenarioTemplate]:
        """By name, each with the configuration of its latest version."""
        page = await self._templates.page(session, "scenarios", owner=owner, limit=limit, after=after)
        return Page[ScenarioTemplate](items=await self.shown(session, page.items), next=page.next)

    async def _describe(self, session: AsyncSession, made: Template, new: Wanted) -> ScenarioTemplate:
        row = await session.get_one(TemplateRow, UUID(made.id))
        if new.label is not None:
            row.label = None if new.label == row.name else new.label
        if new.history is not None:
            row.history = new.history
        if new.visibility is not None:
            row.visibility = new.visibility
        row.modified_at = await self._templates.now(session)
        session.add(row)
        await session.flush()
        return (await self.shown(session, [made.model_copy(update={"visibility": row.visibility})]))[0]

    async def shown(self, session: AsyncSession, templates: list[Template]) -> list[ScenarioTemplate]:
        """Templates with what is kept beside them."""
        places = [(UUID(template.id), template.version) for template in templates]
        query = select(TemplateRow, TemplateVersionRow).join(
            TemplateVersionRow, col(TemplateVersionRow.template_id) == TemplateRow.id
        )
        query = query.where(tuple_(col(TemplateRow.id), col(TemplateVersionRow.version)).in_(places))
        rows = {(str(row.id), version.version): (row, version) for row, version in (await session.exec(query)).all()}
        return [_shown(template, *rows[template.id, template.version]) for template in templates]


def _shown(template: Template, row: TemplateRow, version: TemplateVersionRow) -> ScenarioTemplate:
    told = template.model_dump(exclude={"name", "source"})
    return ScenarioTemplate(
        **told,
        name=row.label or row.name,
        template=row.name,
        config=json.loads(version.source or version.canonical),
        history=row.history,
        created=_milliseconds(row.created_at),
        modified=_milliseconds(row.modified_at),
    )


def _milliseconds(moment: Any) -> int:
    return int(moment.timestamp() * 1000)

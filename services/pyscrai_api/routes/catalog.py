"""Templates: `/templates/{type}`. Scenarios as their own clients see them are in `routes.scenarios`."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from pyscrai.contract.problems import FieldError
from pyscrai.contract.templates import NewTemplate, Template, TemplateType, Visibility
from pyscrai.contract.wire import Page
from pyscrai_api.access import Caller
from pyscrai_api.bodies import json_object
from pyscrai_api.deps import deps
from pyscrai_api.errors import Invalid, NotFound
from pyscrai_api.idempotency import Answer, key_of
from pyscrai_api.routes.shared import Who

router = APIRouter(prefix="/api/v1", tags=["catalog"])

TYPES: dict[str, TemplateType] = {
    "agents": "agents", "agent": "agents",
    "scenarios": "scenarios", "scenario": "scenarios",
    "event-types": "event-types", "event-type": "event-types", "event_types": "event-types",
}  # fmt: skip
ENVELOPE = frozenset({"name", "content", "visibility"})
Limit = Annotated[int, Query(ge=1, le=1000)]
Version = Annotated[int | None, Query(ge=1)]
BODY: dict[str, Any] = {
    "requestBody": {
        "description": "`{name?, content, visibility?}`, or the bare document",
        "content": {"application/json": {"schema": NewTemplate.model_json_schema()}},
        "required": True,
    }
}


class Posted(BaseModel):
    """What a body says, in either of its forms. `visibility` None: as it was, or private."""

    content: dict[str, Any]
    visibility: Visibility | None = None


def type_of(text: str) -> TemplateType:
    """Raises NotFound for a type that there is not."""
    if text not in TYPES:
        raise NotFound(f"there are no templates of type {text[:60]!r}; there are agents, scenarios and event-types")
    return TYPES[text]


def posted(body: dict[str, Any]) -> Posted:
    """A body as a document, with the name that the body gives it."""
    wrapped = isinstance(body.get("content"), dict) and set(body) <= ENVELOPE
    content = dict(body["content"]) if wrapped else dict(body)
    visibility = body.get("visibility") if wrapped else None
    if visibility not in (None, "private", "shared"):
        message = "visibility is private or shared"
        raise Invalid(message, errors=[FieldError(pointer="/visibility", message=message)])
    given = body.get("name") if wrapped else None
    if given is not None and content.get("name", given) != given:
        message = f"the request says {given!r}, the document {content['name']!r}"
        raise Invalid("two names for one template", errors=[FieldError(pointer="/name", message=message)])
    if "name" not in content and given:
        content["name"] = given
    return Posted(content=content, visibility=cast("Visibility | None", visibility))


@router.get("/templates")
async def list_all(
    request: Request, who: Who, type: str | None = None, limit: Limit = 100, after: str | None = None
) -> Page[Template]:
    """All templates that the caller may see, by type and name, without the documents."""
    return await _page(request, who, type_of(type) if type else None, limit, after)


@router.get("/templates/{type}")
async def list_type(
    request: Request, who: Who, type: str, limit: Limit = 100, after: str | None = None
) -> Page[Template]:
    """The templates of one type, by name, each with its latest version, without the documents."""
    return await _page(request, who, type_of(type), limit, after)


@router.post("/templates/{type}", status_code=201, response_model=Template, openapi_extra=BODY)
async def create(request: Request, who: Who, type: str) -> Response:
    """Post a document under a new name. 409 if the name is taken."""
    return await _create(request, who, type_of(type))


@router.get("/templates/{type}/{name}")
async def read(request: Request, who: Who, type: str, name: str, version: Version = None) -> Template:
    """One version, the latest by default, by name or id."""
    return await _read(request, who, type_of(type), name, version)


@router.put("/templates/{type}/{name}", openapi_extra=BODY)
async def update(request: Request, who: Who, type: str, name: str) -> Template:
    """Post a new version; a document equal to the latest changes nothing. Brings an archived name back."""
    return await _update(request, who, type_of(type), name)


@router.delete("/templates/{type}/{name}", status_code=204)
async def archive(request: Request, who: Who, type: str, name: str) -> None:
    """Archive a name. Runs that use its versions go on."""
    await _archive(request, who, type_of(type), name)


@router.get("/schemas/{document}")
async def schema(document: str) -> dict[str, Any]:
    """The JSON Schema of a document (`scenario`, `event-type`, `agent`), or of an `entry` of a run's log."""
    return json_schema(document)


@cache
def json_schema(document: str) -> dict[str, Any]:
    """The published schema. Raises NotFound for a document that has none."""
    from pyscrai.contract.schemas import PUBLISHED

    if document not in PUBLISHED:
        raise NotFound(f"there is no schema {document[:60]!r}; there are {', '.join(PUBLISHED)}")
    return PUBLISHED[document]()


async def _page(
    request: Request, who: Caller, kind: TemplateType | None, limit: int, after: str | None
) -> Page[Template]:
    templates = deps(request).catalog.templates
    async with templates.session() as session:
        return await templates.page(session, kind, owner=who.owner, limit=limit, after=after)


async def castable(request: Request, who: Caller, document: dict[str, Any]) -> dict[str, str] | None:
    """The agent templates that a scenario may cast, by name; None for a document that casts none."""
    from pyscrai_api.catalog.configurations import MOST_AGENTS, casts

    if not casts(document):
        return None
    templates = deps(request).catalog.templates
    async with templates.session() as session:
        return await templates.latest(session, "agents", owner=who.owner, most=MOST_AGENTS)


async def _create(request: Request, who: Caller, kind: TemplateType) -> Response:
    from pyscrai_api.catalog.configurations import read_template

    raw, body = await json_object(request)
    given = posted(body)
    new = read_template(kind, given.content, agents=await castable(request, who, given.content))
    templates = deps(request).catalog.templates
    key = key_of(request, owner=who.owner, route=f"POST /templates/{kind}", body=raw)

    async with templates.session() as session:

        async def work() -> Answer:
            made = await templates.create(session, kind, new, owner=who.owner, visibility=given.visibility or "private")
            return Answer(status=201, body=made.model_dump_json())

        answer = await templates.once(session, key, work)
    return answer.response()


async def _read(request: Request, who: Caller, kind: TemplateType, name: str, version: int | None) -> Template:
    templates = deps(request).catalog.templates
    async with templates.session() as session:
        return await templates.read(session, kind, name, version, owner=who.owner)


async def _update(request: Request, who: Caller, kind: TemplateType, name: str) -> Template:
    from pyscrai_api.catalog.configurations import read_template

    _, body = await json_object(request)
    templates = deps(request).catalog.templates
    given = posted(body)
    agents = await castable(request, who, given.content)
    async with templates.session() as session:
        stored = await templates.name_of(session, kind, name, owner=who.owner)
        new = read_template(kind, given.content, stored=stored, agents=agents)
        return await templates.update(session, kind, name, new, owner=who.owner, visibility=given.visibility)


async def _archive(request: Request, who: Caller, kind: TemplateType, name: str) -> None:
    templates = deps(request).catalog.templates
    async with templates.session() as session:
        await templates.archive(session, kind, name, owner=who.owner)

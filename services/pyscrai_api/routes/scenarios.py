"""Scenarios as seeds 000 and 003 post them: templates, with what their clients keep beside the versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from pyscrai.contract.scenarios import PostedScenario, ScenarioTemplate
from pyscrai.contract.wire import Page
from pyscrai_api.access import Caller
from pyscrai_api.bodies import json_object
from pyscrai_api.deps import deps
from pyscrai_api.idempotency import Answer, key_of
from pyscrai_api.routes.catalog import Limit, Version, castable, posted
from pyscrai_api.routes.shared import Who

if TYPE_CHECKING:
    from pyscrai_api.catalog.scenarios import Wanted

router = APIRouter(prefix="/api/v1", tags=["scenarios"])
BODY: dict[str, Any] = {
    "requestBody": {
        "description": "`{name, config, history?}`, or the bare document in any dialect that is read here",
        "content": {"application/json": {"schema": PostedScenario.model_json_schema()}},
        "required": True,
    }
}
After = Annotated[str | None, Query()]


@router.get("/scenarios")
async def page(request: Request, who: Who, limit: Limit = 100, after: After = None) -> Page[ScenarioTemplate]:
    """The scenarios, by name, each as its latest version was posted."""
    from pyscrai_api.catalog.scenarios import Scenarios

    templates = deps(request).catalog.templates
    async with templates.session() as session:
        return await Scenarios(templates).page(session, owner=who.owner, limit=limit, after=after)


@router.post("/scenarios", status_code=201, response_model=ScenarioTemplate, openapi_extra=BODY)
async def create(request: Request, who: Who) -> Response:
    """Post a scenario. 400 says what is wrong and where; 409 if its name, or its document's id, is taken."""
    from pyscrai_api.catalog.scenarios import Scenarios

    raw, body = await json_object(request)
    new = await _wanted(request, who, body)
    templates = deps(request).catalog.templates
    key = key_of(request, owner=who.owner, route="POST /templates/scenarios", body=raw)
    async with templates.session() as session:

        async def work() -> Answer:
            made = await Scenarios(templates).create(session, new, owner=who.owner)
            return Answer(status=201, body=made.model_dump_json())

        answer = await templates.once(session, key, work)
    return answer.response()


@router.get("/scenarios/{name}")
async def read(request: Request, who: Who, name: str, version: Version = None) -> ScenarioTemplate:
    """One version, the latest by default; by id, by name, or by the id that its document came with."""
    from pyscrai_api.catalog.scenarios import Scenarios

    templates = deps(request).catalog.templates
    async with templates.session() as session:
        return await Scenarios(templates).read(session, name, version, owner=who.owner)


@router.put("/scenarios/{name}", openapi_extra=BODY)
@router.patch("/scenarios/{name}", openapi_extra=BODY)
async def update(request: Request, who: Who, name: str) -> ScenarioTemplate:
    """Change what the body names. Another configuration is a new version; runs keep the version that they pinned."""
    from pyscrai_api.catalog.scenarios import Scenarios

    _, body = await json_object(request)
    templates = deps(request).catalog.templates
    async with templates.session() as session:
        stored = await templates.name_of(session, "scenarios", name, owner=who.owner)
        new = await _wanted(request, who, body, stored)
        return await Scenarios(templates).update(session, name, new, owner=who.owner)


@router.delete("/scenarios/{name}", status_code=204)
async def archive(request: Request, who: Who, name: str) -> None:
    """Archive a scenario. Its runs go on."""
    templates = deps(request).catalog.templates
    async with templates.session() as session:
        await templates.archive(session, "scenarios", name, owner=who.owner)


async def _wanted(request: Request, who: Caller, body: dict[str, Any], stored: str | None = None) -> Wanted:
    from pyscrai_api.catalog import configurations
    from pyscrai_api.catalog.scenarios import Wanted, is_envelope, wanted

    if is_envelope(body):
        config = body.get("config")
        agents = await castable(request, who, config if isinstance(config, dict) else {})
        return wanted(body, stored=stored, agents=agents)
    given = posted(body)
    agents = await castable(request, who, given.content)
    draft = configurations.read_template("scenarios", given.content, stored=stored, agents=agents)
    return Wanted(draft=draft, visibility=given.visibility)

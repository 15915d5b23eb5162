"""Files of any template type: read, checked as far as that goes without the API, and put into the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pyscrai.client.api import Api
from pyscrai.client.errors import Conflict, InvalidRequest
from pyscrai.contract.problems import FieldError
from pyscrai.contract.templates import Template, TemplateType
from pyscrai.formats.findings import Finding, finding
from pyscrai.formats.load import Loaded, load
from pyscrai.formats.positions import Positions
from pyscrai.sdk.catalog import publish
from pyscrai.sdk.errors import ScenarioError, ScenarioNotFound, TemplateError
from pyscrai.sdk.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class TemplateFile:
    """A document, as it may be put into the catalog."""

    kind: TemplateType
    name: str
    source: Path
    content: dict[str, Any]
    positions: Positions
    findings: list[Finding]
    scenario: Scenario | None = None


def read_templates(path: Path, kind: TemplateType | None = None) -> list[TemplateFile]:
    """The templates in a file or folder, of any dialect that is read here: a scenario, an agent, event types.

    Raises ScenarioError, TemplateError with file and line of every mistake, ScenarioNotFound where there is nothing,
    TemplateError too where it is not of the `kind` that is wanted.
    """
    if not path.exists():
        raise ScenarioNotFound(f"there is no file or folder {path}")
    loaded = load(path)
    if loaded.scenario is not None:
        scenario = Scenario.load(path)
        found = [_file("scenarios", scenario.name, scenario.content(), path, loaded, scenario)]
    elif loaded.agent is not None:
        found = [_file("agents", loaded.agent.name, _content(loaded.agent), path, loaded)]
    else:
        found = [_file("event-types", one.name, _content(one), path, loaded) for one in loaded.event_types]
    if not found:
        error = ScenarioError if kind in (None, "scenarios") else TemplateError
        raise error(str(path), loaded.findings)
    if kind is not None and found[0].kind != kind:
        where = loaded.positions.place("")
        raise TemplateError(str(path), [finding("error", where, "", f"this is of type {found[0].kind}, not {kind}")])
    return found


def _file(
    kind: TemplateType, name: str, content: dict[str, Any], path: Path, loaded: Loaded, scenario: Scenario | None = None
) -> TemplateFile:
    return TemplateFile(
        kind=kind, name=name, source=path, content=content, positions=loaded.positions, findings=loaded.findings,
        scenario=scenario,
    )  # fmt: skip


def _content(document: BaseModel) -> dict[str, Any]:
    """A document as the catalog keeps it, with the fields that say what it is."""
    told = document.model_dump(mode="json", exclude_defaults=True)
    return {key: getattr(document, key) for key in ("format", "name")} | told


async def publish_template(api: Api, file: TemplateFile) -> Template:
    """The catalog's version of this file: the one that is there, else a new one. Raises as `read_templates` does."""
    if file.scenario is not None:
        return await publish(api, file.scenario)
    try:
        try:
            return await api.create_template(file.kind, file.content)
        except Conflict:
            return await api.update_template(file.kind, file.name, file.content)
    except InvalidRequest as error:
        if not error.errors:
            raise
        raise TemplateError(str(file.source), located(error.errors, file.positions)) from error


def located(errors: list[FieldError], positions: Positions) -> list[Finding]:
    """The API's objections, each with the line that it is about."""
    return [
        finding("error", positions.place(pointer), pointer, error.message, error.hint)
        for error in errors
        for pointer in [error.pointer.removeprefix("/content")]
    ]

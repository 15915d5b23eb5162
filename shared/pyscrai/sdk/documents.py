"""Files of any template type: read, checked as far as that goes without the API, and put into the catalog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pyscrai.client.api import Api
from pyscrai.client.errors import Conflict, InvalidRequest
from pyscrai.contract.problems import FieldError
from pyscrai.contract.templates import Template, TemplateType
from pyscrai.domain.canonical import escape
from pyscrai.domain.scenario import slug
from pyscrai.domain.work import EventType
from pyscrai.formats.findings import Finding, finding
from pyscrai.formats.positions import Positions, read
from pyscrai.sdk.catalog import publish
from pyscrai.sdk.errors import ScenarioNotFound, TemplateError
from pyscrai.sdk.scenario import Scenario

AGENT_KEYS = frozenset({"personality_config", "llm_config", "model_config", "tools_config"})


@dataclass(frozen=True, kw_only=True)
class TemplateFile:
    """A file that may be put into the catalog."""

    kind: TemplateType
    name: str
    source: Path
    content: dict[str, Any]
    positions: Positions
    findings: list[Finding]
    scenario: Scenario | None = None


def read_template(path: Path, kind: TemplateType | None = None) -> TemplateFile:
    """A file or folder as a template; its type is told by its content where `kind` is None.

    Raises ScenarioError, TemplateError with file and line of every mistake, ScenarioNotFound where there is nothing.
    """
    if not path.exists():
        raise ScenarioNotFound(f"there is no file or folder {path}")
    data, positions, findings = _read(path)
    found = kind or type_of(data)
    if found == "scenarios":
        scenario = Scenario.load(path)
        return TemplateFile(
            kind=found, name=scenario.name, source=path, content=scenario.content(), positions=positions,
            findings=scenario.findings, scenario=scenario,
        )  # fmt: skip
    if not isinstance(data, dict):
        findings = [*findings, finding("error", positions.place(""), "", "a template is a mapping (key: value)")]
        raise TemplateError(str(path), findings)
    content = {**data, "name": data.get("name") or slug(path.stem)}
    if found == "event-types":
        findings = [*findings, *_event_type_mistakes(content, positions)]
    if any(one.severity == "error" for one in findings):
        raise TemplateError(str(path), findings)
    return TemplateFile(
        kind=found, name=str(content["name"]), source=path, content=content, positions=positions, findings=findings
    )


def type_of(data: Any) -> TemplateType:
    """What a document is, by its `format`, else by the keys that only one type has; else a scenario."""
    if not isinstance(data, dict):
        return "scenarios"
    named = data.get("format")
    if isinstance(named, str) and named.startswith("pyscrai/"):
        kinds: dict[str, TemplateType] = {"event-type": "event-types", "agent": "agents"}
        return kinds.get(named.removeprefix("pyscrai/").partition("@")[0], "scenarios")
    if AGENT_KEYS & data.keys():
        return "agents"
    if "prompt" in data or (("schema" in data or "data_schema" in data) and "seats" not in data):
        return "event-types"
    return "scenarios"


async def publish_template(api: Api, file: TemplateFile) -> Template:
    """The catalog's version of this file: the one that is there, else a new one. Raises as `read_template` does."""
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


def _read(path: Path) -> tuple[Any, Positions, list[Finding]]:
    """What is in a file; a folder is left to the readers of scenarios."""
    if path.is_dir():
        return None, Positions({}, {}, str(path)), []
    document = read(path.read_bytes(), str(path))
    return document.data, document.positions, list(document.findings)


def _event_type_mistakes(content: dict[str, Any], positions: Positions) -> list[Finding]:
    if "format" not in content:
        return []  # another dialect: the API converts it, or says what is missing
    try:
        EventType.model_validate(content)
    except ValidationError as error:
        wrong = []
        for item in error.errors(include_url=False, include_input=False):
            pointer = "".join(f"/{escape(str(part))}" for part in item["loc"])
            wrong.append(finding("error", positions.place(pointer), pointer, item["msg"]))
        return wrong
    return []

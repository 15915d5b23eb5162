"""Whether a document may enter the catalog: its model, rules, prompts and schemas; all mistakes at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from pyscrai.contract.problems import FieldError
from pyscrai.contract.templates import TemplateType
from pyscrai.domain.canonical import escape
from pyscrai.domain.scenario import NAME, Scenario, slug
from pyscrai.domain.work import EventType
from pyscrai_api.errors import Invalid

MODELS: dict[TemplateType, type[BaseModel]] = {"scenarios": Scenario, "event-types": EventType}
LONGEST_NAME = 120


def check(kind: TemplateType, content: dict[str, Any]) -> list[FieldError]:
    """Warnings about a document that is fit to be kept. Raises Invalid with every mistake, by JSON Pointer."""
    errors = list(_name(content))
    warnings: list[FieldError] = []
    if kind in MODELS:
        try:
            document = MODELS[kind].model_validate(content)
        except ValidationError as error:
            seen = {item.pointer for item in errors}
            errors += [item for item in explained(error, MODELS[kind]) if item.pointer not in seen]
        else:
            if isinstance(document, Scenario):
                found, warnings = _scenario(document)
                errors += found
            elif isinstance(document, EventType):
                errors += [*_schemas(document), *_prompts(document)]
    if errors:
        raise Invalid(f"the document is not valid: {len(errors)} thing(s) to mend", errors=errors)
    return warnings


def _name(content: dict[str, Any]) -> Iterator[FieldError]:
    name = content.get("name")
    if not isinstance(name, str) or not name:
        yield FieldError(pointer="/name", message="the document needs a name", hint='for example "my-template"')
    elif not re.fullmatch(NAME.strip("^$"), name) or len(name) > LONGEST_NAME:
        message = f'"{name[:LONGEST_NAME]}" cannot be a name: small letters, digits, "-", "_" and ".", at most 120'
        yield FieldError(pointer="/name", message=message, hint=f'for example "{slug(name)}"')


def _scenario(scenario: Scenario) -> tuple[list[FieldError], list[FieldError]]:
    from pyscrai.domain import rules

    errors: list[FieldError] = []
    warnings: list[FieldError] = []
    for problem in rules.problems(scenario):
        item = FieldError(pointer=problem.pointer, message=problem.message, hint=problem.hint)
        (errors if problem.severity == "error" else warnings).append(item)
    return errors, warnings


def _schemas(event_type: EventType) -> Iterator[FieldError]:
    import jsonschema_rs

    for key in ("payload_schema", "result_schema"):
        schema = getattr(event_type, key)
        try:
            jsonschema_rs.validator_for(schema, retriever=_no_remote)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            path = getattr(error, "instance_path", None) or []
            pointer = f"/{key}" + "".join(f"/{escape(str(part))}" for part in path)
            message = getattr(error, "message", None) or str(error)
            yield FieldError(pointer=pointer, message=f"not a JSON Schema: {message}")


def _no_remote(uri: str) -> Any:
    raise ValueError(f"schemas stand by themselves; {uri} is not fetched")


def _prompts(event_type: EventType) -> Iterator[FieldError]:
    from pyscrai import prompting

    declared = event_type.payload_schema.get("properties")
    known = prompting.known_variables(event_type.lane) | set(declared if isinstance(declared, Mapping) else ())
    for key in ("system", "prompt"):
        for problem in prompting.check(getattr(event_type, key), known):
            line = f"line {problem.line}: " if problem.line is not None else ""
            yield FieldError(pointer=f"/{key}", message=line + problem.message, hint=problem.hint)


def explained(error: ValidationError, model: type[BaseModel]) -> list[FieldError]:
    """Pydantic's findings as JSON Pointers and sentences; an unknown key says what was perhaps meant."""
    found = []
    for item in error.errors(include_url=False, include_input=False):
        place = [part for part in item["loc"] if part != "[key]"]
        pointer = "".join(f"/{escape(str(part))}" for part in place)
        if item["type"] == "extra_forbidden":
            message, hint = f'the key "{place[-1]}" is unknown', _meant(model, place)
        elif item["type"] == "missing":
            message, hint = f'"{place[-1]}" is missing', None
        else:
            message, hint = item["msg"].removeprefix("Value error, "), None
        found.append(FieldError(pointer=pointer, message=message, hint=hint))
    return found


def _meant(model: type[BaseModel], place: list[int | str]) -> str | None:
    from pyscrai.formats.findings import did_you_mean, one_of

    known = _keys_at(model.model_json_schema(), place[:-1])
    return did_you_mean(str(place[-1]), known) or (one_of(known) if known else None)


def _keys_at(root: dict[str, Any], place: list[int | str]) -> list[str]:
    """The keys that a document may have at a place, read from the model's own schema."""
    at = _resolved(root, root)
    for part in place:
        below = at.get("items") if isinstance(part, int) else at.get("properties", {}).get(part)
        named = next(iter(at.get("patternProperties", {}).values()), None)
        at = _resolved(root, below or named or at.get("additionalProperties") or {})
    return list(at.get("properties", {}))


def _resolved(root: dict[str, Any], schema: Any) -> dict[str, Any]:
    while isinstance(schema, dict) and ("$ref" in schema or "anyOf" in schema):
        if "$ref" in schema:
            schema = root["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
        else:
            schema = next((option for option in schema["anyOf"] if "$ref" in option), {})
    return schema if isinstance(schema, dict) else {}

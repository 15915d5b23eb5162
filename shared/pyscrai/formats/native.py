"""The native document, `pyscrai/scenario@1`: from plain values to a Scenario, with every mistake at once."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pyscrai.domain import rules
from pyscrai.domain.canonical import escape
from pyscrai.domain.scenario import FORMAT, Part, Scenario, slug
from pyscrai.formats.assembly import Assembly
from pyscrai.formats.findings import Finding, did_you_mean, finding
from pyscrai.formats.positions import Document, Positions
from pyscrai.formats.shapes import Tidied, tidy

M = TypeVar("M", bound=BaseModel)
_WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "dataclass_type": "a mapping (key: value)",
}


def is_native(data: Any) -> bool:
    """Whether plain values look like a native scenario: they say so, or they have seats."""
    if not isinstance(data, dict):
        return False
    named = data.get("format")
    return (isinstance(named, str) and named.startswith("pyscrai/scenario")) or "seats" in data


def read(document: Document, fallback_name: str = "scenario") -> tuple[Scenario | None, list[Finding], Positions]:
    """A native document as a Scenario; None where there is an error.

    `fallback_name` is used where neither name nor title is given (the file's or folder's name).
    """
    positions = document.positions
    if not isinstance(document.data, dict):
        where = positions.place("")
        return None, [finding("error", where, "", "a scenario is a mapping (key: value)")], positions
    tidy_ = tidied(document, Scenario)
    data = with_name(tidy_.data, fallback_name)
    findings = [*tidy_.findings, *_about_name(tidy_.data, data, positions)]
    positions = positions.moved(tidy_.moves)
    scenario, wrong = validated(data, positions)
    return scenario, [*findings, *wrong], positions


def validated(data: dict[str, Any], positions: Positions) -> tuple[Scenario | None, list[Finding]]:
    """Plain native values against the model, then against the rules that cross fields."""
    scenario, wrong = fitted(Scenario, data, positions)
    if scenario is None:
        return None, wrong
    findings = [
        finding(severity, positions.place(pointer), pointer, message, hint)
        for pointer, message, hint, severity in rules.problems(scenario)
    ]
    return scenario, findings


def tidied(document: Document, model: type[Part]) -> Tidied:
    """A document of ours in its long form; what is unknown is kept under `extensions.unknown`."""
    found = tidy(document.data, model, document.positions)
    data = dict(found.data)
    if found.unknown:
        extensions = data.get("extensions") or {}
        if isinstance(extensions, dict):
            earlier = extensions.get("unknown")
            kept = {**(earlier if isinstance(earlier, dict) else {}), **found.unknown}
            data["extensions"] = {**extensions, "unknown": kept}
    return found._replace(data=data, findings=[*document.findings, *found.findings])


def fitted(model: type[M], data: dict[str, Any], positions: Positions) -> tuple[M | None, list[Finding]]:
    """Plain values as this model; None, and every mistake with its place, where they do not fit it."""
    try:
        return model.model_validate_json(json.dumps(data), strict=True), []
    except ValidationError as error:
        return None, _explain(error, data, positions)


def assembled(into: Assembly) -> tuple[Scenario | None, list[Finding], Positions]:
    """What a reader of another dialect has put together, as a Scenario; None where there is an error.

    After an error of the reader's the model and the rules still speak, so that all mistakes are seen at once, but not
    about a line that has one already: a second one only repeats it.
    """
    positions = into.positions()
    wrong = {(f.file, f.line) for f in into.findings if f.severity == "error"}
    if wrong and not into.native.get("seats"):
        return None, into.findings, positions
    scenario, more = validated(into.native, positions)
    if wrong:
        scenario, more = None, [f for f in more if (f.file, f.line) not in wrong]
    return scenario, [*into.findings, *more], positions


def with_name(data: dict[str, Any], fallback: str) -> dict[str, Any]:
    """The document with a name: its own, else one made of its title, else the fallback."""
    title = data.get("title")
    name = data.get("name", slug(title if isinstance(title, str) and title else fallback))
    return {**data, "name": name}


def _about_name(given: dict[str, Any], data: dict[str, Any], positions: Positions) -> list[Finding]:
    notes = []
    if "name" not in given:
        message = f'the scenario has no name: it will be "{data["name"]}"'
        notes.append(finding("note", positions.place(""), "/name", message, f"add: name: {data['name']}"))
    if "format" not in given:
        message = "the document does not say its format"
        notes.append(finding("note", positions.place(""), "/format", message, f"add: format: {FORMAT}"))
    return notes


def _explain(error: ValidationError, data: dict[str, Any], positions: Positions) -> list[Finding]:
    """One finding per place: the branches of a union become one sentence."""
    places: dict[str, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        places.setdefault(_pointer(detail, data), []).append(detail)
    return [_finding(pointer, details, positions) for pointer, details in places.items()]


def _pointer(detail: ErrorDetails, data: Any) -> str:
    """The JSON Pointer of an error: what follows the document's own keys are names of union branches."""
    pointer, value = "", data
    for segment in detail["loc"]:
        try:
            value = value[segment]
        except (KeyError, IndexError, TypeError):
            return f"{pointer}/{escape(str(segment))}" if detail["type"] == "missing" else pointer
        pointer = f"{pointer}/{escape(str(segment))}"
    if not pointer and detail["type"] == "value_error":
        return "/flow_order" if "flow_order" in detail["msg"] else "/seat_order"
    return pointer


def _finding(pointer: str, details: list[ErrorDetails], positions: Positions) -> Finding:
    first = details[0]
    kind, key = first["type"], pointer.rpartition("/")[2]
    wanted = [_WANTED[d["type"]] for d in details if d["type"] in _WANTED]
    where = positions.place(pointer)
    if kind == "too_long" or (kind == "missing" and key.isdigit()):
        return finding("error", where, pointer, "a list of two numbers is wanted here: [lowest, highest]")
    if kind == "missing":
        return finding("error", where, pointer, f'"{key}" is missing', "every scenario needs it")
    if kind == "string_pattern_mismatch":
        bad = str(first["input"])
        if first["loc"][-1] == "[key]" or key == "name":
            letters = "letters" if "/tools/" in pointer else "small letters"
            message = f'"{bad}" cannot be a name: {letters}, digits, "-", "_" and "." only'
            return finding("error", positions.key(pointer), pointer, message, f'for example "{slug(bad)}"')
        return finding("error", where, pointer, f'"{bad}" does not have the right form', _form_hint(key))
    if kind == "literal_error":
        return finding("error", where, pointer, _not_one_of(first), _choice_hint(first))
    if wanted:
        message = f"{' or '.join(dict.fromkeys(wanted))} is wanted here, not {_shown(first['input'])}"
        return finding("error", where, pointer, message, _type_hint(kind, first["input"]))
    return finding("error", where, pointer, _plain(first["msg"]))


def _form_hint(key: str) -> str | None:
    return 'a policy and its version, as in "turns@1" or "dialogue@1"' if key == "policy" else None


def _not_one_of(detail: ErrorDetails) -> str:
    return f"{_shown(detail['input'])} is not one of {detail.get('ctx', {}).get('expected', '')}"


def _choice_hint(detail: ErrorDetails) -> str | None:
    words = str(detail.get("ctx", {}).get("expected", "")).replace(" or ", ", ").split(", ")
    return did_you_mean(str(detail["input"]), [w.strip("'") for w in words])


def _type_hint(kind: str, given: Any) -> str | None:
    if kind == "string_type" and isinstance(given, bool | int | float):
        return f'put quotes around it: "{json.dumps(given)}"'
    if kind == "bool_type":
        return "write true or false, without quotes"
    if kind in ("int_type", "float_type") and isinstance(given, str):
        return "write a number without quotes and without a unit"
    if kind in ("list_type", "tuple_type"):
        return 'write a list: one "- " line for each item'
    return None


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    kind = "the text " if isinstance(value, str) else "" if isinstance(value, bool) else "the number "
    return kind + (text if len(text) <= 60 else f"{text[:57]}…")


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]

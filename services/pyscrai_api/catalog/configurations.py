"""Templates as clients post them, in any dialect: where the catalog reads foreign ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pyscrai.contract.problems import FieldError
from pyscrai.contract.templates import TemplateType
from pyscrai.domain.canonical import normalise
from pyscrai.domain.scenario import slug
from pyscrai.formats import pyscrai_templates
from pyscrai.formats.findings import Finding
from pyscrai.formats.folder import MAX_FILES, Folder
from pyscrai.formats.load import Loaded, load_text
from pyscrai.formats.native import is_native
from pyscrai_api.catalog.templates import Draft, draft
from pyscrai_api.errors import Invalid

LONGEST_LABEL = 300
MOST_AGENTS = MAX_FILES


def casts(document: Mapping[str, Any]) -> bool:
    """Whether a document is a scenario that names agent templates, which `read` has to be given."""
    return "agent_roles" in document


def read(
    config: dict[str, Any],
    *,
    name: str | None = None,
    keep: bool = False,
    pointer: str = "",
    agents: Mapping[str, str] | None = None,
) -> Draft:
    """Check a scenario's configuration in any dialect and say what a version of it is made of; it is kept as it came.

    `name` is the catalog's where the document says none, and with `keep` also where the reader made one of a title;
    `pointer` is where in the request the document stands; `agents` are the templates that it may cast, by name.
    Raises Invalid with every mistake, by JSON Pointer; InvalidValue for what JSON has no form for.
    """
    config = normalise(config, pointer)
    loaded = _load(config, name or "scenario", pointer, agents)
    if loaded.scenario is None:
        raise Invalid(f"this is {loaded.about}, not a scenario", errors=[_wrong(pointer, loaded)])
    content = loaded.scenario.content()
    if keep and name and _own_name(config) is None:
        content |= {"name": name}
    return _drafted("scenarios", content, config, loaded, pointer)


def read_template(
    kind: TemplateType,
    document: dict[str, Any],
    *,
    stored: str | None = None,
    agents: Mapping[str, str] | None = None,
) -> Draft:
    """The same for a template of any type. In our own format it has to be written out in full.

    `stored` is the name of the template that the document is a version of. Raises Invalid, InvalidValue.
    """
    if kind == "scenarios" and document and not is_native(document):
        return read(document, name=stored, keep=stored is not None, agents=agents)
    if kind == "agents" and "format" not in document and pyscrai_templates.is_agent(document):
        return _read_part(kind, document, stored)
    if kind == "event-types" and "prompt" not in document and pyscrai_templates.is_event_types(document):
        return _read_part(kind, document, stored)
    return draft(kind, document if "name" in document or stored is None else {**document, "name": stored})


def _read_part(kind: TemplateType, document: dict[str, Any], stored: str | None) -> Draft:
    """An agent or an event type of another dialect."""
    document = normalise(document)
    loaded = _load(document, stored or "template", "", None)
    part = loaded.agent if kind == "agents" else loaded.event_types[0] if len(loaded.event_types) == 1 else None
    if part is None:
        raise Invalid(f"this is {loaded.about}", errors=[_wrong("", loaded)])
    content = part.model_dump(mode="json", exclude_defaults=True) | {"format": part.format, "name": part.name}
    return _drafted(kind, content, document, loaded, "")


def _load(document: dict[str, Any], name: str, pointer: str, agents: Mapping[str, str] | None) -> Loaded:
    files = {f"agents/{agent}.json": text.encode() for agent, text in (agents or {}).items()}
    beside = Folder("the catalog", "catalog", files) if files else None
    loaded = load_text(json.dumps(document, ensure_ascii=False), name, others=beside)
    if loaded.errors:
        errors = [_shown(found, pointer) for found in loaded.errors]
        raise Invalid(f"the document is not valid: {len(errors)} thing(s) to mend", errors=errors)
    return loaded


def _drafted(
    kind: TemplateType, content: dict[str, Any], document: dict[str, Any], loaded: Loaded, pointer: str
) -> Draft:
    made = draft(kind, content)
    own = _own_name(document)
    # The reader has said what the rules say, and where in the document as it was posted.
    return replace(
        made,
        source=json.dumps(document, ensure_ascii=False),
        alias=own if own is not None and own != made.name and len(own) <= LONGEST_LABEL else None,
        warnings=[_shown(found, pointer) for found in loaded.findings if found.severity == "warning" or found.unused],
    )


def _own_name(document: dict[str, Any]) -> str | None:
    """What a document calls itself: its id, else its name."""
    metadata = document.get("metadata") or document.get("scenario")
    for held, key in ((metadata, "id"), (document, "id"), (document, "name")):
        own = held.get(key) if isinstance(held, dict) else None
        if isinstance(own, str) and own.strip():
            return own
    return None


def _wrong(pointer: str, loaded: Loaded) -> FieldError:
    return FieldError(pointer=pointer, message=f"this is {loaded.about}, which does not belong here")


def _shown(found: Finding, pointer: str) -> FieldError:
    return FieldError(pointer=pointer + found.path, message=found.message, hint=found.hint)


def template_name(label: str | None) -> str | None:
    """A name in someone's words as the catalog's name; None for none."""
    return None if label is None else slug(label)

"""A scenario's configuration as a client posts it, in any dialect: where the catalog reads foreign ones."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from pyscrai.contract.problems import FieldError
from pyscrai.domain.canonical import normalise
from pyscrai.domain.scenario import slug
from pyscrai.formats.findings import Finding
from pyscrai.formats.load import load_text
from pyscrai.formats.native import is_native
from pyscrai_api.catalog.templates import Draft, draft
from pyscrai_api.errors import Invalid

LONGEST_LABEL = 300


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What was read. `alias`: the id that the document came with, where it is not the catalog's name."""

    draft: Draft
    alias: str | None = None


def read(config: dict[str, Any], *, name: str | None = None, keep: bool = False, pointer: str = "") -> Configuration:
    """Check a configuration in any dialect and say what a version of it is made of; it is kept as it came.

    `name` is the catalog's where the document says none, and with `keep` also where the reader made one of a title;
    `pointer` is where in the request the document stands.
    Raises Invalid with every mistake, by JSON Pointer; InvalidValue for what JSON has no form for.
    """
    config = normalise(config)
    text = json.dumps(config, ensure_ascii=False)
    loaded = load_text(text, name or "scenario")
    if loaded.scenario is None:
        errors = [_shown(found, pointer) for found in loaded.errors]
        raise Invalid(f"the configuration is not valid: {len(errors)} thing(s) to mend", errors=errors)
    own = _own_id(config)
    content = loaded.scenario.content()
    made = draft("scenarios", content | {"name": name} if keep and name and own is None else content)
    # The reader has said what the rules say, and where in the document as it was posted.
    warnings = [_shown(found, pointer) for found in loaded.findings if found.severity == "warning" or found.unused]
    alias = own if own is not None and own != made.name and len(own) <= LONGEST_LABEL else None
    return Configuration(draft=replace(made, source=text, warnings=warnings), alias=alias)


def read_document(document: dict[str, Any], *, stored: str | None = None, pointer: str = "") -> Configuration:
    """The same for a bare document, which in our own format has to be written out in full, as for `/templates`.

    `stored` is the name of the template that it is a version of.
    """
    if not document or is_native(document):
        content = document if "name" in document or stored is None else {**document, "name": stored}
        return Configuration(draft=_native(content, pointer))
    return read(document, name=stored, keep=stored is not None, pointer=pointer)


def _native(document: dict[str, Any], pointer: str) -> Draft:
    try:
        return draft("scenarios", document)
    except Invalid as error:
        errors = [item.model_copy(update={"pointer": pointer + item.pointer}) for item in error.errors]
        raise Invalid(error.detail, errors=errors) from None


def _own_id(config: dict[str, Any]) -> str | None:
    metadata = config.get("metadata") or config.get("scenario")
    for held, key in ((metadata, "id"), (config, "id"), (config, "name")):
        own = held.get(key) if isinstance(held, dict) else None
        if isinstance(own, str) and own.strip():
            return own
    return None


def _shown(found: Finding, pointer: str) -> FieldError:
    return FieldError(pointer=pointer + found.path, message=found.message, hint=found.hint)


def template_name(label: str | None) -> str | None:
    """A name in someone's words as the catalog's name; None for none."""
    return None if label is None else slug(label)

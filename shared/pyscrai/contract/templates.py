"""The catalog over HTTP."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pyscrai.contract.problems import FieldError
from pyscrai.contract.wire import Wire

TemplateType = Literal["agents", "scenarios", "event-types"]
Visibility = Literal["private", "shared"]


class NewTemplate(Wire):
    """POST /templates/{type}: `{name?, content, visibility?}`; a bare document is accepted too."""

    name: str | None = None
    content: dict[str, Any]
    visibility: Visibility = "private"


class Template(Wire):
    """One version of a template. `sha256` is over the canonical content (RFC 8785)."""

    id: str
    type: TemplateType
    name: str
    title: str
    version: int
    latest: int
    sha256: str
    owner: str
    visibility: Visibility
    created_by: str
    created_at: str
    archived: bool = False
    content: dict[str, Any] | None = Field(default=None, description="left out in lists")
    source: dict[str, Any] | None = Field(
        default=None, description="the document as it was posted, where that is in another dialect than `content`"
    )
    warnings: list[FieldError] = []

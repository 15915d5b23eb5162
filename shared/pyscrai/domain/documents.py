"""Documents that a tool brings: kept once per run by content hash, and shown in the log by reference."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

from pyscrai.domain.work import Result

LARGEST = 128 * 1024
"""Bytes of one document; a larger one is left out, and its reference says so."""
MOST = 8


class Document(BaseModel):
    """Text or bytes with a title. `id` is the SHA-256 of the bytes."""

    model_config = ConfigDict(frozen=True)

    id: str
    title: str
    content_type: str
    content: bytes

    def reference(self) -> dict[str, Any]:
        """What the log keeps of it."""
        size = len(self.content)
        said = {"id": self.id, "title": self.title, "content_type": self.content_type, "size": size}
        return said | ({"left_out": True} if size > LARGEST else {})


def documents_of(value: dict[str, Any]) -> list[Document]:
    """The documents of an oracle's answer; one whose base64 cannot be read is kept as the text that it is."""
    listed = value.get("documents")
    return [_document(item) for item in (listed if isinstance(listed, list) else [])[:MOST]]


def to_keep(results: Iterable[Result]) -> list[Document]:
    """The documents in a step's results that are to be stored."""
    found = [d for r in results if r.work.phase == "tool" and r.value is not None for d in documents_of(r.value)]
    return [document for document in found if len(document.content) <= LARGEST]


def _document(item: dict[str, Any]) -> Document:
    content = str(item.get("text") or "").encode()
    if item.get("base64"):
        try:
            content = base64.b64decode(str(item["base64"]), validate=True)
        except ValueError:  # also of binascii, and where it is not even ASCII
            content = str(item["base64"]).encode()
    return Document(
        id=hashlib.sha256(content).hexdigest(),
        title=str(item.get("title") or "document"),
        content_type=str(item.get("content_type") or "text/markdown"),
        content=content,
    )

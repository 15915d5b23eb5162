"""Documents that tools bring: stored with the step that brings them, read by the id that the log shows."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pyscrai.domain.canonical import clean_text
from pyscrai.domain.documents import Document
from pyscrai_api.database import Connection
from pyscrai_api.errors import NotFound

_KEEP = """
INSERT INTO documents (run_id, id, title, content_type, content)
SELECT $1, id, title, content_type, content FROM unnest($2::text[], $3::text[], $4::text[], $5::bytea[])
  AS line (id, title, content_type, content)
ON CONFLICT DO NOTHING
"""
_READ = "SELECT title, content_type, content FROM documents WHERE run_id = $1 AND id = $2"


async def keep_documents(conn: Connection, run_id: UUID, documents: Sequence[Document]) -> None:
    """Store documents of a step, each once per run."""
    once = list({document.id: document for document in documents}.values())
    if once:
        columns = ([d.id for d in once], [clean_text(d.title) for d in once])
        await conn.execute(
            _KEEP, run_id, *columns, [clean_text(d.content_type) for d in once], [d.content for d in once]
        )


async def read_document(conn: Connection, run_id: UUID, document_id: str) -> Document:
    """One document of a run. Raises NotFound."""
    row = await conn.fetchrow(_READ, run_id, document_id)
    if row is None:
        raise NotFound(f"the run has no document {document_id}")
    return Document(id=document_id, **dict(row))

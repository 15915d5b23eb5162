"""New identifiers: UUIDv7, so that they sort by the moment they were made."""

from __future__ import annotations

import secrets
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """An identifier for anything but events, whose numbers come from the database."""
    return uuid7()


def new_token() -> str:
    """A secret of 256 bits, for an engine's registration."""
    return secrets.token_urlsafe(32)

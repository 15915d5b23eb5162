"""Alembic's entry: it works on the connection that `upgrade.config` was given, in that one's transaction."""

from __future__ import annotations

from alembic import context

from pyscrai_api.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    compare_server_default=True,
)
context.run_migrations()

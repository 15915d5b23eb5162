"""In which lane an event was that no engine has ended: cancelled, given up, or answered by a person."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Without a default: no row is written anew, and those of finished events stay as long as they are.
    op.add_column("outcomes", sa.Column("lane", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("outcomes", "lane")

"""The queue under load: what its hot path does not check twice, and what operators may stop.

Foreign keys of hot rows are gone: each one reads, locks and rewrites the event's row once more, for rows that are only
ever made beside it or found by it. The invariant `rows_have_an_event` says that it holds.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CHILDREN = (("queue", "id"), ("outcomes", "event_id"), ("attempts", "event_id"))


def upgrade() -> None:
    for table, column in CHILDREN:
        op.drop_constraint(op.f(f"fk_{table}_{column}"), table, type_="foreignkey")
    op.drop_constraint(op.f("ck_engines_status"), "engines", type_="check")
    op.create_check_constraint(
        op.f("ck_engines_status"), "engines", "status IN ('active', 'paused', 'draining', 'gone')"
    )
    op.create_table(
        "pauses",
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("lane", "event_type", name=op.f("pk_pauses")),
    )
    # Rows that are held for a pause are found by it, not among those that runs hold.
    op.add_column("queue", sa.Column("paused", sa.Boolean(), nullable=True))
    op.create_index(
        "ix_queue_paused", "queue", ["event_type", "lane", "id"], postgresql_where=sa.text("state = 5 AND paused")
    )
    # A claim looks for what the name of an event type means, whoever has written it.
    op.create_index("ix_templates_name", "templates", ["type", "name"])
    # A finish looks for open calls only where one was reserved under the lease.
    op.add_column("queue", sa.Column("called", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE queue q SET called = q.lease_no WHERE q.state = 3 AND q.run_id IS NULL "
        "AND EXISTS (SELECT FROM calls c WHERE c.event_id = q.id AND c.lease_no = q.lease_no AND c.state = 1)"
    )
    op.execute("ALTER TABLE queue SET (vacuum_truncate = false)")


def downgrade() -> None:
    op.execute("ALTER TABLE queue RESET (vacuum_truncate)")
    op.drop_index("ix_templates_name", "templates")
    op.drop_column("queue", "called")
    op.execute("UPDATE queue SET state = 2 WHERE state = 5 AND paused")
    op.drop_index("ix_queue_paused", "queue")
    op.drop_column("queue", "paused")
    op.drop_table("pauses")
    op.execute("UPDATE engines SET status = 'active' WHERE status = 'paused'")
    op.drop_constraint(op.f("ck_engines_status"), "engines", type_="check")
    op.create_check_constraint(op.f("ck_engines_status"), "engines", "status IN ('active', 'draining', 'gone')")
    for table, column in CHILDREN:
        op.create_foreign_key(op.f(f"fk_{table}_{column}"), table, "events", [column], ["id"])

"""Seats of people, what is injected, branches and sweeps."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("at_once", sa.Integer(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("budget", sa.Numeric(precision=20, scale=10), nullable=True),
        sa.Column("pool", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("status IN ('running', 'paused', 'done', 'cancelled')", name=op.f("ck_batches_status")),
        sa.CheckConstraint("at_once >= 1 AND runs >= 1", name=op.f("ck_batches_counts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("owner", "name", name=op.f("uq_batches_owner_name")),
    )
    op.create_index(
        "ix_batches_running", "batches", ["id"], unique=False, postgresql_where=sa.text("status = 'running'")
    )
    op.create_table(
        "batch_runs",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("variation", sa.Integer(), nullable=False),
        sa.Column("varied", sa.Text(), nullable=False),
        sa.Column("choices", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("repetition", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("run_id IS NULL OR error IS NULL", name=op.f("ck_batch_runs_started")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_batch_runs_batch_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_batch_runs_run_id")),
        sa.PrimaryKeyConstraint("batch_id", "place", name=op.f("pk_batch_runs")),
        sa.UniqueConstraint("run_id", name=op.f("uq_batch_runs_run_id")),
    )
    op.create_index(
        "ix_batch_runs_next",
        "batch_runs",
        ["batch_id", "place"],
        unique=False,
        postgresql_where=sa.text("run_id IS NULL AND error IS NULL"),
    )
    op.create_table(
        "inputs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("seat", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('input', 'edit', 'metric')", name=op.f("ck_inputs_kind")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_inputs_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inputs")),
    )
    op.create_index("ix_inputs_run_id", "inputs", ["run_id", "id"], unique=False)
    op.create_index(
        "ix_entries_injected",
        "entries",
        ["run_id", "step"],
        unique=False,
        postgresql_where=sa.text("kind IN ('input', 'edit') OR (kind = 'metric' AND body ->> 'by' = 'manual')"),
    )
    op.create_table(
        "inbox",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("seat", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Numeric(precision=14, scale=3, asdecimal=False), nullable=True),
        sa.Column("deadline", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proposed", sa.Text(), nullable=True),
        sa.Column("draft", sa.Text(), nullable=True),
        sa.Column("draft_by", sa.Text(), nullable=True),
        sa.Column("draft_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("remarks", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("ended", sa.Text(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_no", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "(ended IS NULL) = (ended_at IS NULL) AND (ended IS NULL) = (ended_no IS NULL)", name=op.f("ck_inbox_end")
        ),
        sa.CheckConstraint("(kind = 'approval') = (proposed IS NOT NULL)", name=op.f("ck_inbox_proposed")),
        sa.CheckConstraint("(seconds IS NULL) = (deadline IS NULL)", name=op.f("ck_inbox_deadline")),
        sa.CheckConstraint(
            "ended IN ('submitted', 'approved', 'skipped', 'to_model', 'released', 'sent_back', 'cancelled')",
            name=op.f("ck_inbox_ended"),
        ),
        sa.CheckConstraint("kind IN ('move', 'approval')", name=op.f("ck_inbox_kind")),
        sa.CheckConstraint("rule IN ('wait', 'skip', 'model', 'recorded')", name=op.f("ck_inbox_rule")),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name=op.f("fk_inbox_event_id")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_inbox_run_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_inbox")),
    )
    op.create_index(
        "ix_inbox_deadline",
        "inbox",
        ["deadline"],
        unique=False,
        postgresql_where=sa.text("ended IS NULL AND deadline IS NOT NULL AND rule <> 'wait'"),
    )
    op.create_index("ix_inbox_open", "inbox", ["run_id"], unique=False, postgresql_where=sa.text("ended IS NULL"))
    op.add_column("runs", sa.Column("parent_id", sa.Uuid(), nullable=True))
    op.add_column("runs", sa.Column("branch_seq", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("branch_turn", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("waiting", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.add_column("runs", sa.Column("batch_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_runs_batch_id", "runs", ["batch_id"], unique=False, postgresql_where=sa.text("batch_id IS NOT NULL")
    )
    op.create_index(
        "ix_runs_parent_id", "runs", ["parent_id"], unique=False, postgresql_where=sa.text("parent_id IS NOT NULL")
    )
    op.create_foreign_key(op.f("fk_runs_parent_id"), "runs", "runs", ["parent_id"], ["id"])
    op.create_check_constraint(
        op.f("ck_runs_waiting"),
        "runs",
        "waiting BETWEEN 0 AND open AND (status = 'waiting') <= (waiting = open AND open > 0)",
    )
    op.create_foreign_key(op.f("fk_runs_batch_id"), "runs", "batches", ["batch_id"], ["id"])


def downgrade() -> None:
    op.drop_constraint(op.f("ck_runs_waiting"), "runs", type_="check")
    op.drop_constraint(op.f("fk_runs_batch_id"), "runs", type_="foreignkey")
    op.drop_constraint(op.f("fk_runs_parent_id"), "runs", type_="foreignkey")
    op.drop_index("ix_runs_parent_id", table_name="runs", postgresql_where=sa.text("parent_id IS NOT NULL"))
    op.drop_index("ix_runs_batch_id", table_name="runs", postgresql_where=sa.text("batch_id IS NOT NULL"))
    op.drop_column("runs", "batch_id")
    op.drop_column("runs", "waiting")
    op.drop_column("runs", "branch_turn")
    op.drop_column("runs", "branch_seq")
    op.drop_column("runs", "parent_id")
    op.drop_index("ix_inbox_open", table_name="inbox", postgresql_where=sa.text("ended IS NULL"))
    op.drop_index(
        "ix_inbox_deadline",
        table_name="inbox",
        postgresql_where=sa.text("ended IS NULL AND deadline IS NOT NULL AND rule <> 'wait'"),
    )
    op.drop_table("inbox")
    op.drop_index("ix_entries_injected", table_name="entries")
    op.drop_index("ix_inputs_run_id", table_name="inputs")
    op.drop_table("inputs")
    op.drop_index(
        "ix_batch_runs_next", table_name="batch_runs", postgresql_where=sa.text("run_id IS NULL AND error IS NULL")
    )
    op.drop_table("batch_runs")
    op.drop_index("ix_batches_running", table_name="batches", postgresql_where=sa.text("status = 'running'"))
    op.drop_table("batches")

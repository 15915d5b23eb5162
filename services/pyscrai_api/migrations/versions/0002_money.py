"""Wider limits, whole prices, providers' buckets, cached answers, people and their keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cached_answers",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("usage", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("owner", "request_hash", name=op.f("pk_cached_answers")),
    )
    op.create_index("ix_cached_answers_created_at", "cached_answers", ["created_at"], unique=False)
    op.create_table(
        "limits",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("limit_usd", sa.Numeric(precision=20, scale=10), nullable=True),
        sa.Column("taken", sa.Numeric(precision=20, scale=10), server_default=sa.text("0"), nullable=False),
        sa.Column("period", sa.Date(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("scope IN ('group', 'day', 'week', 'installation')", name=op.f("ck_limits_scope")),
        sa.CheckConstraint("limit_usd >= 0", name=op.f("ck_limits_money")),
        sa.PrimaryKeyConstraint("scope", "owner", "name", name=op.f("pk_limits")),
    )
    op.create_table(
        "model_keys",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("variable", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("owner", "variable", name=op.f("pk_model_keys")),
    )
    op.create_table(
        "providers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("requests_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("tokens_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_providers")),
    )
    op.create_table(
        "purses",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("period", sa.Date(), nullable=False),
        sa.Column("taken", sa.Numeric(precision=20, scale=10), server_default=sa.text("0"), nullable=False),
        sa.Column("warned_at", sa.Numeric(precision=20, scale=10), nullable=True),
        sa.CheckConstraint("scope IN ('group', 'day', 'week', 'installation')", name=op.f("ck_purses_scope")),
        sa.CheckConstraint("taken >= 0", name=op.f("ck_purses_money")),
        sa.PrimaryKeyConstraint("scope", "owner", "name", "period", name=op.f("pk_purses")),
    )
    op.create_table(
        "users",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_users_token_hash")),
    )
    op.add_column(
        "budgets", sa.Column("tranche", sa.Numeric(precision=20, scale=10), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("budgets", sa.Column("drawn_on", sa.Date(), nullable=True))
    op.add_column("calls", sa.Column("price", sa.Text(), nullable=True))
    op.add_column("calls", sa.Column("drawn_on", sa.Date(), nullable=True))
    op.add_column("calls", sa.Column("source", sa.Text(), nullable=True))
    op.add_column("calls", sa.Column("provider", sa.Text(), nullable=True))
    op.create_index(
        "ix_calls_provider",
        "calls",
        ["provider"],
        unique=False,
        postgresql_where=sa.text("state = 1 AND provider IS NOT NULL"),
    )
    op.create_index(
        "ix_calls_paid", "calls", ["settled_at", "owner"], unique=False, postgresql_where=sa.text("cost > 0")
    )
    op.add_column("runs", sa.Column("group_name", sa.Text(), nullable=True))
    op.add_column(
        "runs", sa.Column("tranche", sa.Numeric(precision=20, scale=10), server_default=sa.text("0"), nullable=False)
    )
    op.add_column("runs", sa.Column("drawn_on", sa.Date(), nullable=True))
    op.add_column("runs", sa.Column("warned_at", sa.Numeric(precision=20, scale=10), nullable=True))
    op.add_column("runs", sa.Column("replay_of", sa.Uuid(), nullable=True))
    op.add_column("runs", sa.Column("cached", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index(
        "ix_runs_broke",
        "runs",
        ["id"],
        unique=False,
        postgresql_where=sa.text("status = 'paused' AND short_of_money"),
    )
    op.create_index(
        "ix_runs_group_name",
        "runs",
        ["owner", "group_name"],
        unique=False,
        postgresql_where=sa.text("group_name IS NOT NULL"),
    )
    op.create_index(
        "ix_runs_pending", "runs", ["owner", "id"], unique=False, postgresql_where=sa.text("status = 'pending'")
    )
    op.create_index("ix_runs_running", "runs", ["owner"], unique=False, postgresql_where=sa.text("status = 'running'"))
    op.create_index("ix_calls_cached", "calls", ["owner"], unique=False, postgresql_where=sa.text("source = 'cache'"))
    op.create_check_constraint(op.f("ck_calls_source"), "calls", "source IN ('replay', 'cache')")
    op.create_check_constraint(
        op.f("ck_runs_tranche"), "runs", "tranche >= 0 AND (tranche = 0 OR drawn_on IS NOT NULL)"
    )
    op.create_foreign_key(op.f("fk_runs_replay_of"), "runs", "runs", ["replay_of"], ["id"])


def downgrade() -> None:
    op.drop_constraint(op.f("fk_runs_replay_of"), "runs", type_="foreignkey")
    op.drop_constraint(op.f("ck_runs_tranche"), "runs", type_="check")
    op.drop_constraint(op.f("ck_calls_source"), "calls", type_="check")
    op.drop_index("ix_runs_running", table_name="runs", postgresql_where=sa.text("status = 'running'"))
    op.drop_index("ix_runs_pending", table_name="runs", postgresql_where=sa.text("status = 'pending'"))
    op.drop_index("ix_runs_group_name", table_name="runs", postgresql_where=sa.text("group_name IS NOT NULL"))
    op.drop_index("ix_runs_broke", table_name="runs", postgresql_where=sa.text("status = 'paused' AND short_of_money"))
    op.drop_column("runs", "cached")
    op.drop_column("runs", "replay_of")
    op.drop_column("runs", "warned_at")
    op.drop_column("runs", "drawn_on")
    op.drop_column("runs", "tranche")
    op.drop_column("runs", "group_name")
    op.drop_index("ix_calls_paid", table_name="calls", postgresql_where=sa.text("cost > 0"))
    op.drop_index(
        "ix_calls_provider", table_name="calls", postgresql_where=sa.text("state = 1 AND provider IS NOT NULL")
    )
    op.drop_column("calls", "provider")
    op.drop_index("ix_calls_cached", table_name="calls", postgresql_where=sa.text("source = 'cache'"))
    op.drop_column("calls", "source")
    op.drop_column("calls", "drawn_on")
    op.drop_column("calls", "price")
    op.drop_column("budgets", "drawn_on")
    op.drop_column("budgets", "tranche")
    op.drop_table("users")
    op.drop_table("purses")
    op.drop_table("providers")
    op.drop_table("model_keys")
    op.drop_table("limits")
    op.drop_index("ix_cached_answers_created_at", table_name="cached_answers")
    op.drop_table("cached_answers")

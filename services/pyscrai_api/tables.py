"""Every table, declared once. The hot SQL of the queue is raw (`queue/sql/`), but its tables are declared here too.

States are numbers in the two tables that are written most; `queue.states` names them.
`tests/integration/test_schema.py` compares a migrated database with one made from this metadata.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
USD = Numeric(20, 10)
HOT: dict[str, Any] = {
    "postgresql_with": {
        "fillfactor": "80",
        "autovacuum_vacuum_scale_factor": "0.01",
        "autovacuum_vacuum_threshold": "1000",
        "autovacuum_vacuum_cost_delay": "0",
    }
}
# Giving pages back to the system locks everybody out, and the planner takes an empty file for a table to be read whole.
KEPT: dict[str, Any] = {"postgresql_with": HOT["postgresql_with"] | {"vacuum_truncate": "false"}}


def when(**kw: Any) -> Any:
    return Column(DateTime(timezone=True), **kw)


def now(**kw: Any) -> Any:
    return Column(DateTime(timezone=True), nullable=False, server_default=text("now()"), **kw)


def count() -> Any:
    return Column(Integer, nullable=False, server_default=text("0"))


def usd(nullable: bool = False) -> Any:
    return Column(USD, nullable=nullable, server_default=None if nullable else text("0"))


class Base(SQLModel):
    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMING)


# ── catalog ──────────────────────────────────────────────────────────────────────────────────────────────────────


class TemplateRow(Base, table=True):
    """A name in the catalog; what it says is in its versions."""

    __tablename__ = "templates"
    __table_args__ = (
        UniqueConstraint("owner", "type", "name"),
        CheckConstraint("type IN ('agents', 'scenarios', 'event-types')", name="type"),
        CheckConstraint("visibility IN ('private', 'shared')", name="visibility"),
        CheckConstraint("latest >= 1", name="latest"),
        Index("ix_templates_name", "type", "name"),
        Index("ix_templates_alias", "type", "alias", postgresql_where=text("alias IS NOT NULL")),
        Index("ix_templates_label", "type", "label", postgresql_where=text("label IS NOT NULL")),
    )
    id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    type: str = Field(sa_column=Column(Text, nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    latest: int = Field(sa_column=Column(Integer, nullable=False))
    owner: str = Field(sa_column=Column(Text, nullable=False))
    visibility: str = Field(sa_column=Column(Text, nullable=False))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=now())
    archived_at: datetime | None = Field(default=None, sa_column=when())
    next_run: int = Field(default=1, sa_column=Column(Integer, nullable=False, server_default=text("1")))
    # What clients of scenarios write beside the versions: a name in their own words, the id that their document came
    # with where it is not our name, and whatever they keep with it.
    label: str | None = Field(default=None, sa_column=Column(Text))
    alias: str | None = Field(default=None, sa_column=Column(Text))
    history: list[Any] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    modified_at: datetime = Field(sa_column=now())


class TemplateVersionRow(Base, table=True):
    """An immutable version. `canonical` is RFC 8785 text: the sha256 and every run are taken from it.

    `source` is the document as it was posted, in its own dialect, where that is another than ours.
    """

    __tablename__ = "template_versions"
    __table_args__ = (UniqueConstraint("template_id", "version"), CheckConstraint("version >= 1", name="version"))
    id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    template_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("templates.id"), nullable=False))
    version: int = Field(sa_column=Column(Integer, nullable=False))
    title: str = Field(sa_column=Column(Text, nullable=False))
    canonical: str = Field(sa_column=Column(Text, nullable=False))
    source: str | None = Field(default=None, sa_column=Column(Text))
    sha256: str = Field(sa_column=Column(Text, nullable=False))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=now())


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class RunRow(Base, table=True):
    """One playing of a scenario version, with the counter of its open events and its own money."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("serial"),
        UniqueConstraint("template_id", "owner", "number"),
        CheckConstraint(
            "status IN ('pending','running','waiting','paused','blocked','completed','failed','cancelled')",
            name="status",
        ),
        CheckConstraint("visibility IN ('private', 'shared')", name="visibility"),
        CheckConstraint("open >= 0 AND open_calls >= 0", name="counters"),
        CheckConstraint("spent >= 0 AND reserved >= 0", name="money"),
        CheckConstraint("(open_calls = 0) <= (reserved = 0)", name="reserved"),
        CheckConstraint(
            "status NOT IN ('completed','failed','cancelled') OR (open = 0 AND ended_at IS NOT NULL)", name="ended"
        ),
        CheckConstraint("(status IN ('paused','blocked','failed')) <= (reason IS NOT NULL)", name="reason"),
        Index("ix_runs_owner_id", "owner", text("id DESC")),
        Index("ix_runs_pool", "pool", postgresql_where=text("pool IS NOT NULL")),
        Index("ix_runs_parent_id", "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        Index("ix_runs_batch_id", "batch_id", postgresql_where=text("batch_id IS NOT NULL")),
        CheckConstraint(
            "waiting BETWEEN 0 AND open AND (status = 'waiting') <= (waiting = open AND open > 0)", name="waiting"
        ),
        Index("ix_runs_running", "owner", postgresql_where=text("status = 'running'")),
        Index("ix_runs_pending", "owner", "id", postgresql_where=text("status = 'pending'")),
        Index("ix_runs_broke", "id", postgresql_where=text("status = 'paused' AND short_of_money")),
        Index("ix_runs_group_name", "owner", "group_name", postgresql_where=text("group_name IS NOT NULL")),
        CheckConstraint("tranche >= 0 AND (tranche = 0 OR drawn_on IS NOT NULL)", name="tranche"),
    )
    id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    serial: int = Field(sa_column=Column(BigInteger, Identity(always=True), nullable=False))
    template_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("templates.id"), nullable=False))
    scenario_version_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("template_versions.id"), nullable=False))
    number: int = Field(sa_column=Column(Integer, nullable=False))
    title: str = Field(sa_column=Column(Text, nullable=False))
    owner: str = Field(sa_column=Column(Text, nullable=False))
    visibility: str = Field(sa_column=Column(Text, nullable=False))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    reason: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    outcome: str | None = Field(default=None, sa_column=Column(Text))
    choices: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    pins: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))  # event type → template version id
    # Grows with every change of the choices, so that each replica sees that the plan it keeps is an old one.
    plan_version: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("1")))
    default_model: str = Field(sa_column=Column(Text, nullable=False))  # of the installation, when the run started
    seats: list[str] = Field(sa_column=Column(JSONB, nullable=False))  # in order
    seed: int = Field(sa_column=Column(BigInteger, nullable=False))
    pool: str | None = Field(default=None, sa_column=Column(Text))
    # The agents of a conversation, word for word as they were asked for (`conversations`).
    runtime_meta: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    labels: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")))
    turn: int = Field(sa_column=count())
    turns: int = Field(sa_column=count())
    phase: str | None = Field(default=None, sa_column=Column(Text))
    step: int = Field(sa_column=count())
    open: int = Field(sa_column=count())
    last_seq: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    at_seq: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    last_pass: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")))
    digest: str = Field(sa_column=Column(Text, nullable=False))
    limit_usd: Decimal | None = Field(default=None, sa_column=usd(nullable=True))
    spent: Decimal = Field(sa_column=usd())
    reserved: Decimal = Field(sa_column=usd())
    open_calls: int = Field(sa_column=count())
    model_calls: int = Field(sa_column=count())
    short_of_money: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    created_at: datetime = Field(sa_column=now())
    started_at: datetime | None = Field(default=None, sa_column=when())
    ended_at: datetime | None = Field(default=None, sa_column=when())
    # Money of the wider limits (`money.purses`) that this run holds and has not reserved, and the day it was drawn for.
    group_name: str | None = Field(default=None, sa_column=Column(Text))
    tranche: Decimal = Field(sa_column=usd())
    drawn_on: date | None = Field(default=None, sa_column=Column(Date))
    warned_at: Decimal | None = Field(default=None, sa_column=usd(nullable=True))  # the limit that was warned of
    replay_of: UUID | None = Field(default=None, sa_column=Column(Uuid, ForeignKey("runs.id")))
    cached: bool = Field(sa_column=Column(Boolean, nullable=False, server_default=text("false")))
    # A branch: whose story it shares up to which entry (copied, so that each log is whole), and after which turn.
    parent_id: UUID | None = Field(default=None, sa_column=Column(Uuid, ForeignKey("runs.id")))
    branch_seq: int | None = Field(default=None, sa_column=Column(BigInteger))
    branch_turn: int | None = Field(default=None, sa_column=Column(Integer))
    # Open events that wait for a person; where all of them do, a run that plays has the status waiting.
    waiting: int = Field(sa_column=count())
    batch_id: UUID | None = Field(default=None, sa_column=Column(Uuid, ForeignKey("batches.id")))


class EntryRow(Base, table=True):
    """One line of a log. Digests are taken from `canonical` only; `body` is there for queries."""

    __tablename__ = "entries"
    __table_args__ = (
        CheckConstraint("track IN ('story', 'control')", name="track"),
        CheckConstraint("seq >= 1", name="seq"),
        # What people injected, by the step that it entered with: a replay looks for it there.
        Index(
            "ix_entries_injected",
            "run_id",
            "step",
            postgresql_where=text("kind IN ('input', 'edit') OR (kind = 'metric' AND body ->> 'by' = 'manual')"),
        ),
    )
    run_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("runs.id"), primary_key=True))
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    track: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    turn: int = Field(sa_column=Column(Integer, nullable=False))
    step: int = Field(sa_column=Column(Integer, nullable=False))
    n: int = Field(sa_column=Column(Integer, nullable=False))
    canonical: str = Field(sa_column=Column(Text, nullable=False))
    body: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    cost: Decimal = Field(sa_column=usd())
    remaining: Decimal | None = Field(default=None, sa_column=usd(nullable=True))
    at: datetime = Field(sa_column=now())


class FoldRow(Base, table=True):
    """The state of a run after a turn: bounds what a cold replica reads."""

    __tablename__ = "folds"
    run_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("runs.id"), primary_key=True))
    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    state: str = Field(sa_column=Column(Text, nullable=False))


class DocumentRow(Base, table=True):
    """A document that a tool brought, kept once per run by the SHA-256 of its bytes; the log names it by that."""

    __tablename__ = "documents"
    run_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("runs.id"), primary_key=True))
    id: str = Field(sa_column=Column(Text, primary_key=True))
    title: str = Field(sa_column=Column(Text, nullable=False))
    content_type: str = Field(sa_column=Column(Text, nullable=False))
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class InputRow(Base, table=True):
    """What a person injected into a run and has not entered its log yet: it does with the next step."""

    __tablename__ = "inputs"
    __table_args__ = (
        CheckConstraint("kind IN ('input', 'edit', 'metric')", name="kind"),
        Index("ix_inputs_run_id", "run_id", "id"),
    )
    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    run_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("runs.id"), nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    seat: str | None = Field(default=None, sa_column=Column(Text))  # a whisper: this seat alone learns of it
    body: str = Field(sa_column=Column(Text, nullable=False))  # canonical JSON
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=now())


class InboxRow(Base, table=True):
    """An event that waits for a person, or once did: to move for a seat, or to approve what its model wants to do
    (`proposed`). `ended` says how the waiting was over, so that whoever comes later learns who was faster.

    `rule`: what happens at the deadline: wait (nothing), skip (the seat says nothing), model (a model moves, or its
    proposal counts); `recorded`: a replay, in which the recorded move is taken.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        CheckConstraint("kind IN ('move', 'approval')", name="kind"),
        CheckConstraint("rule IN ('wait', 'skip', 'model', 'recorded')", name="rule"),
        CheckConstraint("(kind = 'approval') = (proposed IS NOT NULL)", name="proposed"),
        CheckConstraint("(seconds IS NULL) = (deadline IS NULL)", name="deadline"),
        CheckConstraint(
            "ended IN ('submitted', 'approved', 'skipped', 'to_model', 'released', 'sent_back', 'cancelled')",
            name="ended",
        ),
        CheckConstraint("(ended IS NULL) = (ended_at IS NULL) AND (ended IS NULL) = (ended_no IS NULL)", name="end"),
        Index("ix_inbox_open", "run_id", postgresql_where=text("ended IS NULL")),
        Index(
            "ix_inbox_deadline",
            "deadline",
            postgresql_where=text("ended IS NULL AND deadline IS NOT NULL AND rule <> 'wait'"),
        ),
    )
    event_id: int = Field(sa_column=Column(BigInteger, ForeignKey("events.id"), primary_key=True, autoincrement=False))
    run_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("runs.id"), nullable=False))
    seat: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    rule: str = Field(sa_column=Column(Text, nullable=False))
    seconds: float | None = Field(default=None, sa_column=Column(Numeric(14, 3, asdecimal=False)))
    deadline: datetime | None = Field(default=None, sa_column=when())
    proposed: str | None = Field(default=None, sa_column=Column(Text))
    draft: str | None = Field(default=None, sa_column=Column(Text))
    draft_by: str | None = Field(default=None, sa_column=Column(Text))
    draft_at: datetime | None = Field(default=None, sa_column=when())
    # What was sent back to the model, oldest first: [{"proposed": …, "remark": …}].
    remarks: list[Any] = Field(
        default_factory=list, sa_column=Column(JSONB, nullable=False, server_default=text("'[]'"))
    )
    ended: str | None = Field(default=None, sa_column=Column(Text))
    ended_by: str | None = Field(default=None, sa_column=Column(Text))
    ended_at: datetime | None = Field(default=None, sa_column=when())
    ended_no: int | None = Field(default=None, sa_column=Column(Integer))  # the lease number that it ended with
    created_at: datetime = Field(sa_column=now())


class BatchRow(Base, table=True):
    """A sweep: runs of one scenario with varied choices, under one budget (a group) for all of them."""

    __tablename__ = "batches"
    __table_args__ = (
        UniqueConstraint("owner", "name"),
        CheckConstraint("status IN ('running', 'paused', 'done', 'cancelled')", name="status"),
        CheckConstraint("at_once >= 1 AND runs >= 1", name="counts"),
        Index("ix_batches_running", "id", postgresql_where=text("status = 'running'")),
    )
    id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    name: str = Field(sa_column=Column(Text, nullable=False))
    owner: str = Field(sa_column=Column(Text, nullable=False))
    config: str = Field(sa_column=Column(Text, nullable=False))  # canonical JSON, with the scenario's version
    sha256: str = Field(sa_column=Column(Text, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    at_once: int = Field(sa_column=Column(Integer, nullable=False))
    runs: int = Field(sa_column=Column(Integer, nullable=False))
    budget: Decimal | None = Field(default=None, sa_column=usd(nullable=True))
    pool: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(sa_column=now())


class BatchRunRow(Base, table=True):
    """One run of a sweep; `run_id` once it was started. (batch, place) makes that happen once."""

    __tablename__ = "batch_runs"
    __table_args__ = (
        UniqueConstraint("run_id"),
        CheckConstraint("run_id IS NULL OR error IS NULL", name="started"),
        Index("ix_batch_runs_next", "batch_id", "place", postgresql_where=text("run_id IS NULL AND error IS NULL")),
    )
    batch_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("batches.id"), primary_key=True))
    place: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    variation: int = Field(sa_column=Column(Integer, nullable=False))
    varied: str = Field(sa_column=Column(Text, nullable=False))  # JSON: path → value, in the document's order
    choices: str = Field(sa_column=Column(Text, nullable=False))
    seed: int = Field(sa_column=Column(BigInteger, nullable=False))
    repetition: int = Field(sa_column=Column(Integer, nullable=False))
    run_id: UUID | None = Field(default=None, sa_column=Column(Uuid, ForeignKey("runs.id")))
    error: str | None = Field(default=None, sa_column=Column(Text))  # why it could not be started


# ── the queue ────────────────────────────────────────────────────────────────────────────────────────────────────


class EventRow(Base, table=True):
    """One unit of work. Never updated."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint("(run_id IS NULL) = (step IS NULL) AND (run_id IS NULL) = (ordinal IS NULL)", name="place"),
        CheckConstraint("priority BETWEEN 0 AND 9", name="priority"),
        CheckConstraint("visibility IN ('private', 'shared')", name="visibility"),
        Index("uq_events_place", "run_id", "step", "ordinal", unique=True, postgresql_where=text("run_id IS NOT NULL")),
        Index("uq_events_dedupe", "owner", "dedupe_key", unique=True, postgresql_where=text("dedupe_key IS NOT NULL")),
    )
    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    run_id: UUID | None = Field(default=None, sa_column=Column(Uuid, ForeignKey("runs.id")))
    step: int | None = Field(default=None, sa_column=Column(Integer))
    ordinal: int | None = Field(default=None, sa_column=Column(Integer))
    event_type: str = Field(sa_column=Column(Text, nullable=False))
    turn: int | None = Field(default=None, sa_column=Column(Integer))
    phase: str | None = Field(default=None, sa_column=Column(Text))
    seat: str | None = Field(default=None, sa_column=Column(Text))
    priority: int = Field(sa_column=Column(SmallInteger, nullable=False, server_default=text("5")))
    payload: str = Field(sa_column=Column(Text, nullable=False))
    model: str | None = Field(default=None, sa_column=Column(Text))
    dedupe_key: str | None = Field(default=None, sa_column=Column(Text))
    owner: str = Field(sa_column=Column(Text, nullable=False))
    visibility: str = Field(sa_column=Column(Text, nullable=False, server_default=text("'private'")))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=now())


class QueueRow(Base, table=True):
    """The live rows. state: 1 scheduled, 2 ready, 3 leased, 4 waiting, 5 held, 6 dead (`queue.states`).

    No foreign key to `events`, here or in outcomes and attempts: it costs a look-up, a lock and a rewrite of the
    event's row for each of them. They are made beside it or found by it; the invariant `rows_have_an_event` checks.

    rank = 9 − priority. `lost_engine` may still finish a lease that was swept, until somebody claims.
    `need`: held because so much money was not there. `paused`: held because its type is paused.
    `called`: the last lease under which an event without a run reserved a model call; only it may have open ones.
    """

    __tablename__ = "queue"
    __table_args__ = (
        CheckConstraint("state BETWEEN 1 AND 6", name="state"),
        CheckConstraint("rank BETWEEN 0 AND 9", name="rank"),
        CheckConstraint(
            "(state = 3) = (engine_id IS NOT NULL) AND (state = 3) = (lease_until IS NOT NULL) "
            "AND (state = 3) = (claim_id IS NOT NULL) AND (state = 3) = (leased_at IS NOT NULL)",
            name="lease",
        ),
        CheckConstraint("(state = 1) <= (run_at IS NOT NULL)", name="scheduled"),
        CheckConstraint("(state = 6) <= (error IS NOT NULL)", name="dead"),
        CheckConstraint("claims = failures + losses + handbacks + (state = 3)::int", name="claims"),
        CheckConstraint("need IS NULL OR state = 5", name="need"),
        Index("ix_queue_ready", "lane", "rank", "pass", "id", postgresql_where=text("state = 2")),
        Index("ix_queue_leased", "lease_until", "id", postgresql_where=text("state = 3")),
        Index("ix_queue_engine", "engine_id", postgresql_where=text("state = 3")),
        Index("ix_queue_scheduled", "run_at", "id", postgresql_where=text("state = 1")),
        Index("ix_queue_run", "run_id", "state", postgresql_where=text("run_id IS NOT NULL")),
        Index("ix_queue_dead", "id", postgresql_where=text("state = 6")),
        Index("ix_queue_paused", "event_type", "lane", "id", postgresql_where=text("state = 5 AND paused")),
        KEPT,
    )
    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    run_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    lane: str = Field(sa_column=Column(Text, nullable=False))
    event_type: str = Field(sa_column=Column(Text, nullable=False))
    state: int = Field(sa_column=Column(SmallInteger, nullable=False))
    rank: int = Field(sa_column=Column(SmallInteger, nullable=False))
    pass_: int = Field(sa_column=Column("pass", BigInteger, nullable=False))
    run_at: datetime | None = Field(default=None, sa_column=when())
    lease_no: int = Field(sa_column=count())
    leased_at: datetime | None = Field(default=None, sa_column=when())
    lease_until: datetime | None = Field(default=None, sa_column=when())
    engine_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    claim_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    lost_engine: UUID | None = Field(default=None, sa_column=Column(Uuid))
    claims: int = Field(sa_column=count())
    failures: int = Field(sa_column=count())
    losses: int = Field(sa_column=count())
    handbacks: int = Field(sa_column=count())
    max_failures: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("3")))
    max_losses: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("10")))
    need: Decimal | None = Field(default=None, sa_column=usd(nullable=True))
    error: str | None = Field(default=None, sa_column=Column(Text))
    paused: bool | None = Field(default=None, sa_column=Column(Boolean))
    called: int | None = Field(default=None, sa_column=Column(Integer))


class OutcomeRow(Base, table=True):
    """What became of an event; append-only. state: 1 succeeded, 2 cancelled, 3 discarded.

    `closing` is 1 where this ended a lease: claims = failures + losses + handbacks + closing. `lane`: where it was, of
    what did not end with an engine's answer; of what did, the engine has it, and a finish need not write it.
    """

    __tablename__ = "outcomes"
    __table_args__ = (
        CheckConstraint("state BETWEEN 1 AND 3", name="state"),
        CheckConstraint("closing IN (0, 1)", name="closing"),
        CheckConstraint("claims = failures + losses + handbacks + closing", name="claims"),
        CheckConstraint("(state = 1) = (result IS NOT NULL)", name="result"),
        Index("ix_outcomes_retention", "finished_at", postgresql_where=text("run_id IS NULL")),
    )
    event_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    run_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    state: int = Field(sa_column=Column(SmallInteger, nullable=False))
    lease_no: int = Field(sa_column=Column(Integer, nullable=False))
    engine_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    claims: int = Field(sa_column=Column(Integer, nullable=False))
    failures: int = Field(sa_column=Column(Integer, nullable=False))
    losses: int = Field(sa_column=Column(Integer, nullable=False))
    handbacks: int = Field(sa_column=Column(Integer, nullable=False))
    closing: int = Field(sa_column=Column(SmallInteger, nullable=False))
    leased_at: datetime | None = Field(default=None, sa_column=when())
    finished_at: datetime = Field(sa_column=now())
    result: str | None = Field(default=None, sa_column=Column(Text))
    lane: str | None = Field(default=None, sa_column=Column(Text))


class AttemptRow(Base, table=True):
    """A lease that did not end in success: 1 failed, 2 lost, 3 handed back. For diagnosis."""

    __tablename__ = "attempts"
    __table_args__ = (CheckConstraint("kind BETWEEN 1 AND 3", name="kind"),)
    event_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    lease_no: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    kind: int = Field(sa_column=Column(SmallInteger, nullable=False))
    engine_id: UUID = Field(sa_column=Column(Uuid, nullable=False))
    leased_at: datetime = Field(sa_column=when(nullable=False))
    ended_at: datetime = Field(sa_column=now())
    code: str | None = Field(default=None, sa_column=Column(Text))
    error: str | None = Field(default=None, sa_column=Column(Text))


class EngineRow(Base, table=True):
    """A registered engine. `status`: active, paused, draining, gone."""

    __tablename__ = "engines"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'paused', 'draining', 'gone')", name="status"),
        Index("ix_engines_live", "lane", postgresql_where=text("status <> 'gone'")),
    )
    id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    engine_type: str = Field(sa_column=Column(Text, nullable=False))
    pool: str | None = Field(default=None, sa_column=Column(Text))
    lane: str = Field(sa_column=Column(Text, nullable=False))
    owner: str = Field(sa_column=Column(Text, nullable=False))
    token_hash: str = Field(sa_column=Column(Text, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    capabilities: list[str] = Field(sa_column=Column(JSONB, nullable=False))
    resource_limits: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    engine_metadata: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    resource_utilization: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False, server_default=text("'{}'")))
    current_workload: int = Field(sa_column=count())
    lease_seconds: float = Field(sa_column=Column(Numeric(10, 3, asdecimal=False), nullable=False))
    heartbeat_seconds: float = Field(sa_column=Column(Numeric(10, 3, asdecimal=False), nullable=False))
    protocol: int = Field(sa_column=Column(Integer, nullable=False))
    created_at: datetime = Field(sa_column=now())
    last_heartbeat: datetime = Field(sa_column=now())


class PauseRow(Base, table=True):
    """What operators have stopped: events of a type (empty: of all types) in a lane (empty: in all lanes)."""

    __tablename__ = "pauses"
    lane: str = Field(sa_column=Column(Text, primary_key=True))
    event_type: str = Field(sa_column=Column(Text, primary_key=True))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    by: str = Field(sa_column=Column(Text, nullable=False))
    since: datetime = Field(sa_column=now())


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────────────


class CallRow(Base, table=True):
    """A model call: 1 reserved, 2 settled, 3 assumed (charged at its bound until the real usage arrives), 4 released.

    (event_id, lease_no, call) names it; (run_id, step, ordinal, try_no, call) is its position for replay.
    """

    __tablename__ = "calls"
    __table_args__ = (
        CheckConstraint("state BETWEEN 1 AND 4", name="state"),
        CheckConstraint("reserved >= 0 AND cost >= 0", name="money"),
        CheckConstraint("state <> 4 OR cost = 0", name="released"),
        Index("ix_calls_position", "run_id", "step", "ordinal", postgresql_where=text("run_id IS NOT NULL")),
        Index("ix_calls_open", "run_id", "event_id", postgresql_where=text("state = 1")),
        Index("ix_calls_provider", "provider", postgresql_where=text("state = 1 AND provider IS NOT NULL")),
        Index("ix_calls_paid", "settled_at", "owner", postgresql_where=text("cost > 0")),
        Index("ix_calls_cached", "owner", postgresql_where=text("source = 'cache'")),
        CheckConstraint("source IN ('replay', 'cache')", name="source"),
    )
    event_id: int = Field(sa_column=Column(BigInteger, ForeignKey("events.id"), primary_key=True, autoincrement=False))
    lease_no: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    call: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    run_id: UUID | None = Field(default=None, sa_column=Column(Uuid))
    owner: str = Field(sa_column=Column(Text, nullable=False))
    step: int | None = Field(default=None, sa_column=Column(Integer))
    ordinal: int | None = Field(default=None, sa_column=Column(Integer))
    try_no: int = Field(sa_column=Column(Integer, nullable=False))
    state: int = Field(sa_column=Column(SmallInteger, nullable=False))
    model: str = Field(sa_column=Column(Text, nullable=False))
    input_bound: int = Field(sa_column=Column(Integer, nullable=False))
    max_tokens: int = Field(sa_column=Column(Integer, nullable=False))
    input_price: Decimal = Field(sa_column=usd())  # per million tokens
    output_price: Decimal = Field(sa_column=usd())
    reserved: Decimal = Field(sa_column=usd())
    cost: Decimal = Field(sa_column=usd())
    usage: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    request_hash: str = Field(sa_column=Column(Text, nullable=False))
    request: list[str] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))  # hashes of messages
    answer: str | None = Field(default=None, sa_column=Column(Text))
    error: str | None = Field(default=None, sa_column=Column(Text))
    seconds: float | None = Field(default=None, sa_column=Column(Numeric(10, 3, asdecimal=False)))
    reserved_at: datetime = Field(sa_column=now())
    settled_at: datetime | None = Field(default=None, sa_column=when())
    price: str | None = Field(default=None, sa_column=Column(Text))  # the whole Price as JSON; None: the two above
    drawn_on: date | None = Field(default=None, sa_column=Column(Date))  # whose day and week it is taken from
    source: str | None = Field(default=None, sa_column=Column(Text))  # answered without a provider: replay, cache
    provider: str | None = Field(default=None, sa_column=Column(Text))  # whose bucket it counts in (`money.providers`)


class RequestTextRow(Base, table=True):
    """A message sent to a model, kept once per run by content hash (`role` and text)."""

    __tablename__ = "request_texts"
    run_id: UUID = Field(sa_column=Column(Uuid, ForeignKey("runs.id"), primary_key=True))
    hash: str = Field(sa_column=Column(Text, primary_key=True))
    role: str = Field(sa_column=Column(Text, nullable=False))
    content: str = Field(sa_column=Column(Text, nullable=False))


class BudgetRow(Base, table=True):
    """What an owner's events without a run may spend."""

    __tablename__ = "budgets"
    __table_args__ = (
        CheckConstraint("spent >= 0 AND reserved >= 0 AND open_calls >= 0", name="money"),
        CheckConstraint("(open_calls = 0) <= (reserved = 0)", name="reserved"),
    )
    owner: str = Field(sa_column=Column(Text, primary_key=True))
    limit_usd: Decimal = Field(sa_column=usd())
    spent: Decimal = Field(sa_column=usd())
    reserved: Decimal = Field(sa_column=usd())
    open_calls: int = Field(sa_column=count())
    tranche: Decimal = Field(sa_column=usd())
    drawn_on: date | None = Field(default=None, sa_column=Column(Date))


class LimitRow(Base, table=True):
    """A limit wider than a run's that somebody set; where there is none, the installation's setting holds."""

    __tablename__ = "limits"
    __table_args__ = (
        CheckConstraint("scope IN ('group', 'day', 'week', 'installation')", name="scope"),
        CheckConstraint("limit_usd >= 0", name="money"),
    )
    scope: str = Field(sa_column=Column(Text, primary_key=True))
    owner: str = Field(sa_column=Column(Text, primary_key=True))  # "" for the installation
    # Of the group, else ""; "own" is what a person set for themselves, below what was set for them.
    name: str = Field(sa_column=Column(Text, primary_key=True))
    limit_usd: Decimal | None = Field(default=None, sa_column=usd(nullable=True))  # None: no limit
    # What the purse of that period had taken when this was set: a limit may be set below it.
    taken: Decimal = Field(sa_column=usd())
    period: date = Field(sa_column=Column(Date, nullable=False))
    set_by: str = Field(sa_column=Column(Text, nullable=False))
    set_at: datetime = Field(sa_column=now())


class PurseRow(Base, table=True):
    """What runs have taken of one wider limit in one period: spent, reserved, and drawn but not reserved yet.

    `period`: the day, or the Monday of the week; of a group and the installation 1970-01-01.
    """

    __tablename__ = "purses"
    __table_args__ = (
        CheckConstraint("scope IN ('group', 'day', 'week', 'installation')", name="scope"),
        CheckConstraint("taken >= 0", name="money"),
    )
    scope: str = Field(sa_column=Column(Text, primary_key=True))
    owner: str = Field(sa_column=Column(Text, primary_key=True))
    name: str = Field(sa_column=Column(Text, primary_key=True))
    period: date = Field(sa_column=Column(Date, primary_key=True))
    taken: Decimal = Field(sa_column=usd())
    warned_at: Decimal | None = Field(default=None, sa_column=usd(nullable=True))


class ProviderRow(Base, table=True):
    """One provider's bucket for all engines: when its rates allow the next call (theoretical arrival times)."""

    __tablename__ = "providers"
    name: str = Field(sa_column=Column(Text, primary_key=True))
    requests_at: datetime = Field(sa_column=now())
    tokens_at: datetime = Field(sa_column=now())
    blocked_until: datetime | None = Field(default=None, sa_column=when())
    blocked_by: str | None = Field(default=None, sa_column=Column(Text))  # what the provider said


class CachedAnswerRow(Base, table=True):
    """An answer by the hash of its request, for runs that ask for the cache."""

    __tablename__ = "cached_answers"
    __table_args__ = (Index("ix_cached_answers_created_at", "created_at"),)
    owner: str = Field(sa_column=Column(Text, primary_key=True))
    request_hash: str = Field(sa_column=Column(Text, primary_key=True))
    model: str = Field(sa_column=Column(Text, nullable=False))
    answer: str = Field(sa_column=Column(Text, nullable=False))
    usage: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB(none_as_null=True)))
    created_at: datetime = Field(sa_column=now())


# ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────


class UserRow(Base, table=True):
    """Somebody with a token of their own; the holder of the installation's token is `local`."""

    __tablename__ = "users"
    __table_args__ = (UniqueConstraint("token_hash"),)
    name: str = Field(sa_column=Column(Text, primary_key=True))
    token_hash: str = Field(sa_column=Column(Text, nullable=False))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    created_at: datetime = Field(sa_column=now())


class ModelKeyRow(Base, table=True):
    """A person's key of a model provider, encrypted; nothing shows it again."""

    __tablename__ = "model_keys"
    owner: str = Field(sa_column=Column(Text, primary_key=True))
    variable: str = Field(sa_column=Column(Text, primary_key=True))  # as engines call it: OPENAI_API_KEY
    ciphertext: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=now())


class IdempotencyRow(Base, table=True):
    """An answer given under an Idempotency-Key; kept for 24 hours."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_created_at", "created_at"),)
    owner: str = Field(sa_column=Column(Text, primary_key=True))
    route: str = Field(sa_column=Column(Text, primary_key=True))
    key: str = Field(sa_column=Column(Text, primary_key=True))
    body_hash: str = Field(sa_column=Column(Text, nullable=False))
    status: int | None = Field(default=None, sa_column=Column(Integer))
    answer: str | None = Field(default=None, sa_column=Column(Text))
    created_at: datetime = Field(sa_column=now())

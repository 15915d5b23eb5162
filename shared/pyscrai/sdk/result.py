"""What a run came to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from pyscrai.contract.runs import Delivered, Run, Trouble

Value = float | int | str | bool


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """A run as it stood when `run` returned. Costs are US dollars; `turns` counts the turns that were completed.

    `metrics` holds the latest values: name → value, or name → {seat: value} where a metric is kept per seat.
    """

    id: str
    number: int
    label: str
    serial: int
    name: str
    title: str
    status: str
    outcome: str | None
    reason: Trouble | None
    turns: int
    total_cost: Decimal
    limit: Decimal | None
    model_calls: int
    metrics: dict[str, Any]
    log_digest: str
    seed: int
    log: tuple[Delivered, ...] = field(default=(), repr=False)

    @property
    def completed(self) -> bool:
        """Whether the run was played to an end of its own."""
        return self.status == "completed"

    def entries(self, kind: str | None = None) -> list[Delivered]:
        """The log, all of it or one kind."""
        return [entry for entry in self.log if kind is None or entry.kind == kind]

    def series(self, metric: str, seat: str | None = None) -> list[tuple[int, Value]]:
        """(turn, value) of a metric, in the log's order."""
        return [
            (entry.turn, entry.body["value"])  # type: ignore[misc]
            for entry in self.entries("metric")
            if entry.body.get("metric") == metric and entry.seat == seat and "value" in entry.body
        ]


def result_of(run: Run, log: Iterable[Delivered]) -> RunResult:
    """The result that a run and its log make."""
    entries = tuple(log)
    return RunResult(
        id=run.id,
        number=run.number,
        label=run.label,
        serial=run.serial,
        name=full_name(run),
        title=run.title,
        status=run.status,
        outcome=run.outcome,
        reason=run.reason,
        turns=sum(entry.kind == "turn_complete" for entry in entries),
        total_cost=run.spent,
        limit=run.limit,
        model_calls=run.model_calls,
        metrics=latest_metrics(entries),
        log_digest=run.log_digest,
        seed=run.seed,
        log=entries,
    )


def full_name(run: Run) -> str:
    """`negotiation/run-003`: what names a run to people."""
    return f"{run.scenario.name}/{run.label}"


def latest_metrics(entries: Iterable[Delivered]) -> dict[str, Any]:
    """The last value of each metric that the log has."""
    values: dict[str, Any] = {}
    for entry in entries:
        if entry.kind != "metric":
            continue
        name, value = str(entry.body.get("metric")), entry.body.get("value")
        if entry.seat is None:
            values[name] = value
        else:
            per_seat = values.get(name)
            values[name] = {**(per_seat if isinstance(per_seat, dict) else {}), entry.seat: value}
    return values

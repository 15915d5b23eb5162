"""The files for programs: run.json, metrics.csv, messages.csv, log.jsonl, llm_calls.jsonl."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from pyscrai.domain import pacts
from pyscrai.sdk.export.gather import Record
from pyscrai.sdk.result import latest_metrics

FORMAT = "pyscrai/run-export@1"


def run_json(record: Record) -> str:
    """The run, the scenario as it was pinned, the choices, the state at the end, and what is counted in the
    log."""
    snapshot = record.snapshot.model_dump(mode="json", exclude={"seat", "view"})
    latest = latest_metrics(record.log)
    whole = {"format": FORMAT, **snapshot, "metrics": latest, "entries": len(record.log), "calls": len(record.calls)}
    whole["patterns"] = record.patterns.model_dump(mode="json")
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def metrics_csv(record: Record) -> str:
    """A row for each turn, a column for each metric (`metric[seat]` where it is kept per seat).

    A value that was not measured in a turn is an empty cell, never 0. Measured twice in a turn, the later one counts.
    """
    values: dict[tuple[int, str], Any] = {}
    columns: dict[str, None] = {}
    for entry in record.log:
        if entry.kind == "metric" and entry.body.get("value") is not None:
            column = str(entry.body.get("metric")) + (f"[{entry.seat}]" if entry.seat else "")
            columns[column] = None
            values[entry.turn, column] = entry.body["value"]
    declared: dict[str, Any] = record.snapshot.scenario.get("metrics", {})  # type: ignore[assignment]
    # What is declared and was never measured is a column too: an empty one says so.
    names = [name for name in declared if not any(c == name or c.startswith(f"{name}[") for c in columns)]
    order = [*columns, *names]
    turns = sorted(turn for turn in record.turns if turn > 0)
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["turn", *order])
    table.writerows([turn, *(_cell(values.get((turn, column))) for column in order)] for turn in turns)
    return file.getvalue()


def messages_csv(record: Record) -> str:
    """A row for each letter, statement and message, and for each move of a coalition: who, to whom, who alone heard it
    (empty: everybody), what. `act` is `message`, or what was done about a coalition."""
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow(["seq", "turn", "phase", "act", "channel", "from", "to", "heard_only_by", "closing", "text"])
    for entry in record.log:
        body = entry.body
        if entry.kind not in ("message", "proposal"):
            continue
        offered = entry.kind == "proposal"
        text = pacts.sentence(body, lambda seat: record.seats.get(seat, seat)) if offered else body.get("text")
        heard = " ".join(entry.visible_to) if isinstance(entry.visible_to, list) else ""
        act, to = (body.get("act"), body.get("coalition")) if offered else ("message", body.get("to"))
        place = [entry.seq, entry.turn, entry.phase or "", act, body.get("channel") or ("coalition" if offered else "")]
        table.writerow([*place, entry.seat or "", to or "", heard, _cell(bool(body.get("closing"))), text])
    return file.getvalue()


def log_jsonl(record: Record) -> str:
    """The log, an entry on each line."""
    return _lines(record.log)


def calls_jsonl(record: Record) -> str:
    """The model calls, one on each line, with requests and answers."""
    return _lines(record.calls)


def _lines(items: Iterable[BaseModel]) -> str:
    return "".join(json.dumps(i.model_dump(mode="json", by_alias=True), ensure_ascii=False) + "\n" for i in items)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)

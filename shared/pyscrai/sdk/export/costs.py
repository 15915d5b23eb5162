"""What a run has cost, for programs: costs.csv, and costs.json with the keys of Scenario Lab's file of that name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pyscrai.contract.calls import ModelCall
from pyscrai.contract.costs import CostLine
from pyscrai.contract.events import Usage
from pyscrai.sdk.export.gather import Record
from pyscrai.sdk.result import full_name

FORMAT = "pyscrai/costs@1"
NARRATOR, ANALYST = "narrator", "analyst"
CHECKS = "validation"
_KEYS: Mapping[str, Callable[[ModelCall], Any]] = {
    "turn": lambda call: call.turn or 0,
    "phase": lambda call: call.phase or "",
    "seat": lambda call: who(call),
    "model": lambda call: call.model,
}
_NUMBERS = tuple(name for name in CostLine.model_fields if name != "key")


def who(call: ModelCall) -> str:
    """The seat that a call was made for; `narrator` for the world, `analyst` for everything else."""
    return call.seat or (NARRATOR if call.phase == "world_update" else ANALYST)


def costs_csv(record: Record) -> str:
    """A row for each turn, phase, seat and model; `cost`, in US dollars, sums up to what the run has spent."""
    groups: dict[tuple[Any, ...], list[ModelCall]] = {}
    for call in record.calls:
        groups.setdefault(tuple(key(call) for key in _KEYS.values()), []).append(call)
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    table.writerow([*_KEYS, *_NUMBERS])
    for place in sorted(groups):
        sums = added_up("", groups[place]).model_dump(mode="json")
        table.writerow([*place, *(sums[name] for name in _NUMBERS)])
    return file.getvalue()


def costs_json(record: Record) -> str:
    """Exact sums (decimal strings) under `spent` and `by`; everything else as Scenario Lab writes it, with numbers."""
    run = record.run
    whole = {
        "format": FORMAT,
        "run": full_name(run),
        "spent": f"{sum((call.cost for call in record.calls), Decimal(0)):f}",
        "limit": None if run.limit is None else f"{run.limit:f}",
        "by": {part: _by(record.calls, key) for part, key in _KEYS.items()},
        "scenario_execution": _times(run.started_at, run.ended_at),
        "costs_by_actor": {name: _actor(record.calls, seat) for seat, name in _names(record).items()},
        "costs_by_turn": {str(turn): _turn(record, turn) for turn in sorted({call.turn or 0 for call in record.calls})},
        "world_state_costs": [_short(call) for call in record.calls if who(call) == NARRATOR],
        "totals": _totals(record.calls),
        "validation": _validation(record.calls),
    }
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def added_up(key: str, calls: Iterable[ModelCall]) -> CostLine:
    """These calls as one line, as the API adds them up."""
    made = list(calls)
    paid = [call for call in made if call.source is None]
    used = [call.usage or Usage() for call in paid]
    assumed = [call for call in made if call.state == "assumed"]
    open_ = [call for call in made if call.state == "reserved"]
    return CostLine(
        key=key,
        calls=sum(call.state in ("settled", "assumed") for call in paid),
        cost=sum((call.cost for call in made), Decimal(0)),
        open=len(open_),
        reserved=sum((call.reserved for call in open_), Decimal(0)),
        assumed=len(assumed),
        assumed_cost=sum((call.cost for call in assumed), Decimal(0)),
        replayed=sum(call.source == "replay" for call in made),
        cached=sum(call.source == "cache" for call in made),
        input_tokens=sum(usage.input_tokens for usage in used),
        output_tokens=sum(usage.output_tokens for usage in used),
        cached_tokens=sum(usage.cached_tokens for usage in used),
        cache_write_tokens=sum(usage.cache_write_tokens for usage in used),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in used),
    )


def _by(calls: Iterable[ModelCall], key: Callable[[ModelCall], Any]) -> list[dict[str, Any]]:
    groups: dict[Any, list[ModelCall]] = {}
    for call in calls:
        groups.setdefault(key(call), []).append(call)
    return [added_up(str(name), groups[name]).model_dump(mode="json") for name in sorted(groups)]


def _names(record: Record) -> dict[str, str]:
    """Seat → title, and where two seats have the same one, which seat it is."""
    titles = list(record.seats.values())
    return {seat: title if titles.count(title) == 1 else f"{title} ({seat})" for seat, title in record.seats.items()}


def _times(start: str | None, end: str | None) -> dict[str, Any]:
    known = start is not None and end is not None
    seconds = (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() if known else None  # type: ignore[arg-type]
    return {"start_time": start, "end_time": end, "duration_seconds": seconds}


def _actor(calls: Iterable[ModelCall], seat: str) -> dict[str, Any]:
    own = [call for call in calls if call.seat == seat]
    turns = [_short(call) for call in own]
    sums = {"total_tokens": sum(map(_tokens, own)), "total_cost": _dollars(own)}
    return {"model": own[-1].model if own else None, "turns": turns, **sums}


def _turn(record: Record, turn: int) -> dict[str, Any]:
    calls = [call for call in record.calls if (call.turn or 0) == turn]
    return {
        "actor_costs": {name: _dollars(c for c in calls if c.seat == seat) for seat, name in _names(record).items()},
        "world_state_cost": _dollars(call for call in calls if who(call) == NARRATOR),
        "total": _dollars(calls),
    }


def _validation(calls: Iterable[ModelCall]) -> dict[str, Any]:
    checks = [call for call in calls if call.phase == CHECKS]
    model = {"model": checks[-1].model} if checks else {}
    return {**_totals(checks), "checks_performed": len(checks), **model}


def _totals(calls: Iterable[ModelCall]) -> dict[str, Any]:
    listed = list(calls)
    return {"total_tokens": sum(map(_tokens, listed)), "total_cost_usd": _dollars(listed)}


def _short(call: ModelCall) -> dict[str, Any]:
    return {"turn": call.turn, "tokens": _tokens(call), "cost": float(call.cost)}


def _tokens(call: ModelCall) -> int:
    if call.usage is None or call.source is not None:
        return 0
    return call.usage.input_tokens + call.usage.output_tokens


def _dollars(calls: Iterable[ModelCall]) -> float:
    return float(sum((call.cost for call in calls), Decimal(0)))

"""Comparing runs: their logs are read turn by turn, as far as an answer shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pyscrai.contract.comparisons import (
    ComparedCoalitions,
    ComparedMetric,
    ComparedMove,
    ComparedRun,
    ComparedValue,
    Comparison,
    Difference,
    DifferingTurn,
)
from pyscrai.contract.runs import Delivered, Run
from pyscrai.domain.comparing import KINDS, Reader, TurnOf, differences, differing, likeness, named, shared_turns
from pyscrai.domain.scenario import Scenario
from pyscrai_api.database import Connection
from pyscrai_api.runs.entries import delivered, read_entries
from pyscrai_api.runs.plans import Plans
from pyscrai_api.runs.reading import read_run

MOST_RUNS = 20
EXCERPT = 400
"""Characters of a move that a comparison shows."""
READ_AT_ONCE = 500
_OF_TURNS = """
SELECT seq, step, n, canonical FROM entries
WHERE run_id = $1 AND seq > $2 AND turn <= $3 AND kind = ANY($4::text[]) ORDER BY seq LIMIT $5
"""
_STORY = """
SELECT seq, step, n, canonical, cost, remaining, at FROM entries
WHERE run_id = $1 AND seq > $2 AND track = 'story' ORDER BY seq LIMIT $3
"""
Turns = dict[int, TurnOf]


async def compare(conn: Connection, plans: Plans, run_ids: Sequence[UUID], after: int, most: int) -> Comparison:
    """Up to `most` turns after turn `after` of several runs, held against the first of them. Raises NotFound."""
    runs, read, scenario = await _read(conn, plans, run_ids, after, most)
    numbers = sorted({turn for one in read for turn in one})
    columns = {turn: [one.get(turn) for one in read] for turn in numbers}
    moves = [move for turn, held in columns.items() for move in _moves(turn, held)]
    facts = [
        ComparedValue(turn=turn, name=name, values=values)
        for turn, held in columns.items()
        for name, values in named(held, "facts")
        if differing(_played(values, held))
    ]
    return Comparison(
        runs=[_shown(run, max(one, default=after)) for run, one in zip(runs, read, strict=True)],
        turns=numbers,
        shared_turns=shared_turns([list(one.values()) for one in read]),
        metrics=_metrics(columns, scenario),
        moves=moves,
        first_move=_first_moves(columns),
        facts=facts,
        coalitions=_coalitions(columns),
        next=after + most if any(run.turn > after + most for run in runs) else None,
    )


async def difference(conn: Connection, plans: Plans, one: UUID, other: UUID, after: int, most: int) -> Difference:
    """Where two runs part, and what differs in up to `most` turns after turn `after`. Raises NotFound."""
    runs, read, _ = await _read(conn, plans, [one, other], after, most)
    shared, first = await _parting(conn, one, other)
    numbers = sorted({turn for held in read for turn in held})
    turns = [_differing(turn, [held.get(turn) for held in read]) for turn in numbers]
    return Difference(
        runs=[_shown(run, max(held, default=after)) for run, held in zip(runs, read, strict=True)],
        same=first == [None, None],
        shared=shared,
        first=first,
        turns=[turn for turn in turns if turn is not None],
        next=after + most if any(run.turn > after + most for run in runs) else None,
    )


async def _read(
    conn: Connection, plans: Plans, run_ids: Sequence[UUID], after: int, most: int
) -> tuple[list[Run], list[Turns], Scenario]:
    """The runs, their complete turns after turn `after`, and what the first of them plays."""
    runs = [await read_run(conn, run_id) for run_id in run_ids]
    played = [(await plans.of(conn, run_id)).scenario for run_id in run_ids]
    read = [
        await _turns(conn, run_id, scenario, after, after + most)
        for run_id, scenario in zip(run_ids, played, strict=True)
    ]
    return runs, read, played[0]


async def _turns(conn: Connection, run_id: UUID, scenario: Scenario, after: int, to: int) -> Turns:
    """Read from the beginning: facts and coalitions stand until something changes them."""
    reader, found, seq = Reader(scenario.world), {}, 0
    while True:
        entries = await read_entries(conn, _OF_TURNS, run_id, seq, to, list(KINDS), READ_AT_ONCE)
        for entry in entries:
            turn = reader.read(entry)
            if turn is not None and turn.turn > after:
                found[turn.turn] = turn
        if len(entries) < READ_AT_ONCE:
            return found
        seq = entries[-1].seq


async def _parting(conn: Connection, one: UUID, other: UUID) -> tuple[int, list[Delivered | None]]:
    """How many story entries are the same from the beginning, and the first ones that are not."""
    after, shared = [0, 0], 0
    while True:
        rows = [await conn.fetch(_STORY, run, seq, READ_AT_ONCE) for run, seq in zip((one, other), after, strict=True)]
        for left, right in zip(*rows, strict=False):
            if left["canonical"] != right["canonical"]:
                return shared, [delivered(left), delivered(right)]
            shared, after = shared + 1, [left["seq"], right["seq"]]
        if len(rows[0]) != len(rows[1]) or len(rows[0]) < READ_AT_ONCE:
            common = min(len(held) for held in rows)
            return shared, [delivered(held[common]) if len(held) > common else None for held in rows]


def _moves(turn: int, held: Sequence[TurnOf | None]) -> list[ComparedMove]:
    return [
        ComparedMove(
            turn=turn,
            seat=seat,
            texts=[None if text is None else _excerpt(text) for text in texts],
            lengths=[None if text is None else len(text) for text in texts],
            likeness=[None if text is None or texts[0] is None else likeness(texts[0], text) for text in texts],
        )
        for seat, texts in named(held, "moves")
    ]


def _first_moves(columns: dict[int, list[TurnOf | None]]) -> dict[str, int]:
    first: dict[str, int] = {}
    for turn, held in columns.items():
        for seat, texts in named(held, "moves"):
            if differing(_played(texts, held)):
                first.setdefault(seat, turn)
    return first


def _played(values: Sequence[Any], held: Sequence[TurnOf | None]) -> list[Any]:
    """Those of the runs that have played this turn: one that has not yet does not differ."""
    return [value for value, turn in zip(values, held, strict=True) if turn is not None]


def _metrics(columns: dict[int, list[TurnOf | None]], scenario: Scenario) -> list[ComparedMetric]:
    values: dict[str, dict[int, list[Any]]] = {}
    for turn, held in columns.items():
        for name, found in named(held, "metrics"):
            values.setdefault(name, {})[turn] = found
    shown = []
    for name, by_turn in values.items():
        nothing = [None] * len(next(iter(columns.values())))
        rows = [[by_turn.get(turn, nothing)[place] for turn in columns] for place in range(len(nothing))]
        metric, _, seat = name.partition(" ")
        unit = scenario.metrics[metric].unit if metric in scenario.metrics else ""
        told = {"name": metric, "seat": seat or None, "unit": unit, "values": rows, "difference": differences(rows)}
        shown.append(ComparedMetric.model_validate(told))
    return shown


def _coalitions(columns: dict[int, list[TurnOf | None]]) -> list[ComparedCoalitions]:
    standing = {turn: [None if one is None else one.coalitions for one in held] for turn, held in columns.items()}
    return [
        ComparedCoalitions(turn=turn, standing=held)
        for turn, held in standing.items()
        if differing([one for one in held if one is not None])
    ]


def _differing(turn: int, held: list[TurnOf | None]) -> DifferingTurn | None:
    if not differing(held):
        return None
    worlds = [None if one is None else one.world for one in held]
    standing = [None if one is None else one.coalitions for one in held]
    return DifferingTurn(
        turn=turn,
        moves={seat: texts for seat, texts in named(held, "moves") if differing(texts)},
        world=worlds if differing(worlds) else None,
        facts={name: values for name, values in named(held, "facts") if differing(values)},
        metrics={name: values for name, values in named(held, "metrics") if differing(values)},
        coalitions=list(standing) if differing(standing) else None,
    )


def _excerpt(text: str) -> str:
    return text if len(text) <= EXCERPT else f"{text[: EXCERPT - 1]}…"


def _shown(run: Run, turns: int) -> ComparedRun:
    return ComparedRun(
        id=run.id,
        label=run.label,
        scenario=run.scenario.name,
        version=run.scenario.version,
        title=run.title,
        status=run.status,
        outcome=run.outcome,
        turns=turns,
        seed=run.seed,
        model=run.choices.model,
        spent=run.spent,
        model_calls=run.model_calls,
        log_digest=run.log_digest,
        branch_of=run.branch_of,
    )

"""Whole comparisons and differences of runs, which the API gives in pieces of so many turns."""

from __future__ import annotations

from collections.abc import Sequence

from pyscrai.client.api import Api
from pyscrai.contract.comparisons import ComparedMetric, Comparison, Difference
from pyscrai.domain.comparing import differences
from pyscrai.sdk.names import find_run


async def comparison_of(api: Api, runs: Sequence[str]) -> Comparison:
    """2 to 20 runs, by what people call them, turn by turn. Raises NoSuchRun, InvalidRequest, ClientError."""
    first, *others = [(await find_run(api, run)).id for run in runs]
    whole = await api.courses.compare(first, others)
    while whole.next is not None:
        whole = joined(whole, await api.courses.compare(first, others, after=whole.next))
    return whole


async def difference_of(api: Api, run: str, other: str) -> Difference:
    """Where two runs part, and what differs from turn to turn. Raises NoSuchRun, ClientError."""
    one, two = (await find_run(api, run)).id, (await find_run(api, other)).id
    whole = await api.courses.diff(one, two)
    while whole.next is not None:
        more = await api.courses.diff(one, two, after=whole.next)
        whole = more.model_copy(update={"turns": [*whole.turns, *more.turns]})
    return whole


def joined(whole: Comparison, more: Comparison) -> Comparison:
    """A comparison with that of the turns that follow."""
    same = whole.shared_turns == len(whole.turns)
    return more.model_copy(
        update={
            "turns": [*whole.turns, *more.turns],
            "shared_turns": whole.shared_turns + (more.shared_turns if same else 0),
            "metrics": _metrics(whole, more),
            "moves": [*whole.moves, *more.moves],
            "first_move": {**more.first_move, **whole.first_move},
            "facts": [*whole.facts, *more.facts],
            "coalitions": [*whole.coalitions, *more.coalitions],
        }
    )


def _metrics(whole: Comparison, more: Comparison) -> list[ComparedMetric]:
    """A metric that one piece has none of is missing in all of its turns."""
    early = {(one.name, one.seat): one for one in whole.metrics}
    late = {(one.name, one.seat): one for one in more.metrics}
    return [_metric(early.get(name), late.get(name), whole, more) for name in {**early, **late}]


def _metric(
    before: ComparedMetric | None, after: ComparedMetric | None, whole: Comparison, more: Comparison
) -> ComparedMetric:
    latest = after or before
    assert latest is not None
    rows = []
    for place in range(len(more.runs)):
        left = before.values[place] if before else [None] * len(whole.turns)
        right = after.values[place] if after else [None] * len(more.turns)
        rows.append([*left, *right])
    return latest.model_copy(update={"values": rows, "difference": differences(rows)})

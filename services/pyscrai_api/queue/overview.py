"""The queue as an operator sees it: lanes with their depths, engines and pauses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyscrai.contract.operating import Depth, LaneState, Pause, QueueState
from pyscrai_api.queue.depths import Counted
from pyscrai_api.queue.states import Live


def overview(
    counted: Counted, engines: Iterable[Mapping[str, Any]], pauses: list[Pause], *, seconds_old: float
) -> QueueState:
    """All lanes that have events, engines or a pause, by name."""
    there: dict[str, dict[str, int]] = {}
    for row in engines:
        there.setdefault(row["lane"], {})[row["status"]] = row["engines"]
    names = {lane for lane, _ in counted.events} | there.keys() | {pause.lane for pause in pauses if pause.lane}
    lanes = [_lane(name, counted, there.get(name, {}), pauses) for name in sorted(names)]
    return QueueState(lanes=lanes, pauses=pauses, seconds_old=seconds_old)


def _lane(name: str, counted: Counted, engines: dict[str, int], pauses: list[Pause]) -> LaneState:
    types = [_depth(kind, states) for (lane, kind), states in sorted(counted.events.items()) if lane == name]
    whole = {state: sum(getattr(one, _word(state)) for one in types) for state in Live}
    holding = [pause for pause in pauses if pause.lane in ("", name)]
    return LaneState(
        lane=name,
        depth=_depth("", whole),
        types=types,
        oldest_ready=counted.oldest.get(name),
        engines=engines,
        paused=any(not pause.event_type for pause in holding),
        paused_types=sorted({pause.event_type for pause in holding if pause.event_type}),
        estimated=counted.estimated,
    )


def _depth(kind: str, states: Mapping[Live, int]) -> Depth:
    return Depth.model_validate({"event_type": kind, **{_word(state): number for state, number in states.items()}})


def _word(state: Live) -> str:
    return state.name.lower()

"""What happens to the world from outside: scheduled, random by the run's seed, conditional on metrics, or as a trend.

Decided when a turn begins, from the seed and the state alone, so a replay, a resumed run and a preview agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pyscrai.domain.chance import BITS, chance
from pyscrai.domain.conditions import parse
from pyscrai.domain.entry import Draft, draft
from pyscrai.domain.plan import Plan
from pyscrai.domain.scenario import Happening
from pyscrai.domain.state import State


def due(plan: Plan, state: State, turn: int) -> Iterator[Draft]:
    """The lines of everything that happens as `turn` begins, in the scenario's order. `state`: before that turn."""
    facts = dict(state.facts)
    for happening in plan.scenario.happenings:
        if happens(happening, plan.seed, turn, state.happened.get(happening.name, 0), state.metrics):
            line = _line(happening, turn, facts)
            changed = line.body["facts"]
            facts |= changed if isinstance(changed, dict) else {}
            yield line


def happens(happening: Happening, seed: int, turn: int, times: int, metrics: Mapping[str, Any]) -> bool:
    """Whether it happens in a turn, having happened `times` before; `metrics` are those of the turn before."""
    if not happening.first <= turn <= (happening.last or turn) or (times and once(happening)):
        return False
    if happening.turns and turn not in happening.turns:
        return False
    if happening.when is not None and not parse(happening.when).holds(metrics):
        return False
    if happening.type == "trend" and (turn - happening.first) % happening.every:
        return False
    return drawn(happening, seed, turn)


def once(happening: Happening) -> bool:
    """Whether it happens at most once: all but trends and what is scheduled for several turns, unless it says so."""
    if happening.once is not None:
        return happening.once
    return happening.type != "trend" and len(happening.turns) < 2


def drawn(happening: Happening, seed: int, turn: int) -> bool:
    """The draw of a turn; certain where the probability is 1."""
    if happening.probability >= 1:
        return True
    return chance(seed, "happening", happening.name, turn) < int(happening.probability * 2**BITS)


def _line(happening: Happening, turn: int, facts: Mapping[str, Any]) -> Draft:
    changed = dict(happening.facts) | {name: _added(facts.get(name), by) for name, by in happening.adds.items()}
    body = {"text": happening.text, "happening": happening.name, "type": happening.type, "facts": changed}
    line = draft("exogenous", body, turn=turn, phase="happenings")
    return line.model_copy(update={"visible_to": sorted(happening.seats)}) if happening.seats else line


def _added(value: Any, by: float) -> float | int:
    """A number and its growth; what is missing or no number begins at 0. Whole numbers stay whole."""
    start = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
    total = round(start + by, 9)  # 1.62 + 0.09 is 1.71, not 1.7100000000000002
    return int(total) if float(total).is_integer() and abs(total) < 2**53 else total

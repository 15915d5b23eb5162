"""How long answers are and how many tokens requests have: what is assumed, corrected by what was paid for here.

An assumption counts like `PRIOR` calls: after that many real ones both count the same. That is (`SPREAD` from call to
call over `DOUBT_OF_LENGTH` about an assumed mean)², rounded up, where both are what they are said to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt

from pyscrai.contract.estimates import Calibration

PRIOR = 3
"""Calls."""
ASSUMED: Mapping[str, float] = {
    "decide": 220,
    "agent_message": 150,
    "letters": 200,
    "coalition": 90,
    "world_update": 380,
    "check": 60,
    "measure": 60,
    "oracle": 220,
    "turn_report": 550,
    "flow_step": 170,
    "scene": 320,
    "report": 300,
}
"""Tokens of a usual answer by event type: the sentences that the prompts ask for, and its JSON."""
OTHERWISE = 250.0
"""Of an event type that an author has added."""
SPREAD = 0.5
"""Assumed standard deviation of the logarithm of an answer's length."""
DOUBT_OF_LENGTH = 0.35
"""How far an assumed mean may be from the true one, as the standard deviation of its logarithm."""
DOUBT_OF_COUNT = 0.15
"""The same for the number of tokens that an assumed four bytes make."""
OTHER_SCENARIO = 0.08
"""What no calibration takes away: in another scenario answers are otherwise long."""
REPAIRED = 0.02
"""Assumed share of answers that have to be repaired."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was paid for, of one model and event type. `bound`: the sum of the requests' upper bounds (llm.bounds)."""

    model: str
    event_type: str
    calls: int
    repairs: int
    output: float
    visible: float
    spread: float
    input: int
    bound: int
    cached: int
    written: int

    @property
    def weight(self) -> float:
        return self.calls / (self.calls + PRIOR)

    @property
    def per_byte(self) -> float:
        return self.input / self.bound if self.bound else 0.0

    def shown(self) -> Calibration:
        return Calibration(
            model=self.model,
            event_type=self.event_type,
            calls=self.calls,
            weight=round(self.weight, 3),
            output_tokens=round(self.output, 1),
            tokens_per_byte=round(self.per_byte, 4),
        )


@dataclass(frozen=True, kw_only=True)
class Length:
    """An answer of one kind: mean `tokens` that are paid for, of them `visible`; `spread` of its logarithm from call to
    call, `doubt` about the mean itself."""

    tokens: float
    visible: float
    spread: float
    doubt: float


@dataclass
class Lengths:
    """By model and event type, from what was seen."""

    seen: Sequence[Seen]
    _by_kind: dict[tuple[str, str], Seen] = field(init=False)
    _by_model: dict[str, list[Seen]] = field(init=False)

    def __post_init__(self) -> None:
        self._by_kind = {(one.model, one.event_type): one for one in self.seen}
        self._by_model = {}
        for one in self.seen:
            self._by_model.setdefault(one.model, []).append(one)

    def answer(self, model: str, event_type: str, most: int) -> Length:
        """How long this model's answers to this event type are, at most `most` tokens."""
        assumed, doubt = self._assumed(model, event_type)
        found = self._by_kind.get((model, event_type))
        if found is None:
            tokens = min(assumed, float(most))
            return Length(tokens=tokens, visible=tokens, spread=SPREAD, doubt=doubt)
        weight = found.weight
        tokens = min(weight * found.output + (1 - weight) * assumed, float(most))
        spread = weight * found.spread + (1 - weight) * SPREAD
        doubt = sqrt(((1 - weight) * doubt) ** 2 + (weight * spread) ** 2 / found.calls + OTHER_SCENARIO**2)
        visible = min(weight * found.visible + (1 - weight) * assumed, tokens)
        return Length(tokens=tokens, visible=visible, spread=spread, doubt=doubt)

    def _assumed(self, model: str, event_type: str) -> tuple[float, float]:
        """What is assumed of an event type; longer or shorter as this model's answers are."""
        assumed = ASSUMED.get(event_type, OTHERWISE)
        seen = self._by_model.get(model, [])
        calls = sum(one.calls for one in seen)
        if not calls:
            return assumed, DOUBT_OF_LENGTH
        expected = sum(ASSUMED.get(one.event_type, OTHERWISE) * one.calls for one in seen)
        ratio = sum(one.output * one.calls for one in seen) / expected
        return assumed * ratio ** (calls / (calls + PRIOR)), DOUBT_OF_LENGTH

    def request(self, model: str, event_type: str, bound: int, counted: float) -> tuple[float, float]:
        """Tokens of a request and the doubt about them. `bound`: its upper bound; `counted`: at four bytes each."""
        found = self._by_kind.get((model, event_type))
        if found is None:
            same = self._by_model.get(model, [])
            total = sum(one.bound for one in same)
            if not total:
                return counted, DOUBT_OF_COUNT
            ratio, weight = sum(one.input for one in same) / total, min(one.weight for one in same)
        else:
            ratio, weight = found.per_byte, found.weight
        tokens = weight * ratio * bound + (1 - weight) * counted
        return tokens, sqrt(((1 - weight) * DOUBT_OF_COUNT) ** 2 + (OTHER_SCENARIO / 2) ** 2)

    def cached(self, model: str) -> tuple[float, float]:
        """Shares of the input that are read from the provider's cache, and written to it."""
        same = self._by_model.get(model, [])
        total = sum(one.input for one in same)
        if not total:
            return 0.0, 0.0
        return sum(one.cached for one in same) / total, sum(one.written for one in same) / total

    def repairs(self, model: str) -> float:
        """The share of answers that have to be repaired."""
        same = self._by_model.get(model, [])
        calls = sum(one.calls for one in same)
        return (sum(one.repairs for one in same) + REPAIRED * PRIOR) / (calls + PRIOR)

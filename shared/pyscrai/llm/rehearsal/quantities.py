"""Figures with units in a text: what people bargain over. `290 litres a second`, `12 %`, `€1.5 million`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

_NUMBER = r"\d{1,3}(?:[ ,]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
_QUANTITY = re.compile(
    rf"(?P<sign>[$€£])?(?<![\w.,])(?P<number>{_NUMBER})(?P<scale> (?:thousand|million|billion))?"
    r"(?P<unit> ?%| [a-z][a-z-]+(?: (?:a|an|per) [a-z]+)?)?"
)
_QUOTED = re.compile(r"“[^”]*”")
_NO_UNIT = frozenset(
    "of and to or in at by for from is are has have the a an as on with that per if but so then not when than".split()  # noqa: SIM905
)
_CEILING = re.compile(r"\b(above|more than|over|exceed|beyond|at most|up to|no more than)\b", re.I)
_FLOOR = re.compile(r"\b(below|less than|under|at least|fewer than|no less than)\b", re.I)


@dataclass(frozen=True)
class Quantity:
    """A figure as it stands in a text. `unit` is what makes two of them comparable."""

    value: float
    unit: str
    start: int
    end: int
    text: str

    def written(self, value: float) -> str:
        """Another value in the same dress."""
        grouped = re.search(r"\d([ ,])\d{3}", self.text)
        digits = len(self.text.rpartition(".")[2]) if "." in self.text else 0
        number = f"{value:,.{digits}f}" if grouped or value >= 10_000 else f"{value:.{digits}f}"
        return number.replace(",", grouped[1]) if grouped else number

    @property
    def step(self) -> float:
        """By how much one moves: a small round part of the figure."""
        return float(10.0 ** (math.floor(math.log10(abs(self.value))) - 1)) if self.value else 1.0


def quantities(text: str) -> list[Quantity]:
    """Those with a unit, in the order of the text; what stands in quotation marks was said by somebody else."""
    return list(_quantities(text))


@lru_cache(maxsize=4096)
def _quantities(text: str) -> tuple[Quantity, ...]:
    """Every seat of a turn reads the same lines."""
    found = []
    text = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), text)
    for match in _QUANTITY.finditer(text):
        unit = (match["unit"] or "").strip()
        word = unit.split(" ")[0]
        unit = "" if word in _NO_UNIT else _singular(unit)
        unit = f"{match['sign'] or ''}{(match['scale'] or '').strip()}" or unit if not unit or match["sign"] else unit
        if not unit:
            continue
        value = float(re.sub(r"[ ,]", "", match["number"]))
        found.append(Quantity(value, unit, match.start("number"), match.end("number"), match["number"]))
    return tuple(found)


def _singular(unit: str) -> str:
    first, _, rest = unit.partition(" ")
    first = first[:-1] if first.endswith("s") and len(first) > 3 else first
    return f"{first} {rest}".strip()


def last_of(text: str, unit: str) -> Quantity | None:
    """The last figure of that unit in a text: by the order in which people say things, where they stand."""
    same = [quantity for quantity in quantities(text) if quantity.unit == unit]
    return same[-1] if same else None


def with_value(text: str, quantity: Quantity, value: float) -> str:
    """The text with another value in the quantity's place."""
    return text[: quantity.start] + quantity.written(value) + text[quantity.end :]


def named(text: str, quantity: Quantity, value: float) -> str:
    """`290 litres a second`: the value with its unit as the text writes it."""
    tail = re.match(r" ?%| [a-z][a-z-]+(?: (?:a|an|per) [a-z]+)?", text[quantity.end :])
    sign = text[quantity.start - 1] if quantity.start and text[quantity.start - 1] in "$€£" else ""
    scale = re.match(r" (?:thousand|million|billion)", text[quantity.end :])
    return f"{sign}{quantity.written(value)}{(scale or tail)[0] if scale or tail else ''}"  # type: ignore[index]


def bounds(rules: list[str], unit: str) -> tuple[float, float]:
    """Between which values the rules leave room: `cannot go above 380 …` and `cannot go below 340 …`."""
    low, high = -math.inf, math.inf
    for rule in rules:
        for quantity in quantities(rule):
            if quantity.unit != unit:
                continue
            if _CEILING.search(rule[: quantity.start]):
                high = min(high, quantity.value)
            elif _FLOOR.search(rule[: quantity.start]):
                low = max(low, quantity.value)
    return low, high


def rounded(value: float, step: float) -> float:
    return round(round(value / step) * step, 6)

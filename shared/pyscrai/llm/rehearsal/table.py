"""The table as one seat sees it: who said what last, where figures stand, what was said already."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from pyscrai.domain.chance import chance
from pyscrai.llm.rehearsal.quantities import Quantity, last_of, quantities
from pyscrai.llm.rehearsal.reading import Person, Said, Sheet
from pyscrai.llm.rehearsal.words import Voice, bare, cut, first_word, sentences


@dataclass(frozen=True)
class Figure:
    """Where somebody stands on one unit: the quantity, and the text it stands in."""

    who: str
    quantity: Quantity
    text: str


class Table:
    """One seat's reading of a prompt. `lines`: what was said, where it is more than what everybody heard."""

    def __init__(self, sheet: Sheet, seed: int, lines: Sequence[Said] | None = None) -> None:
        self.sheet = sheet
        self.seed = seed
        self.lines = sheet.history if lines is None else lines
        ours = sheet.me != "" and sheet.me == sheet.principal
        self.voice = Voice("we", "us", "our") if ours else Voice.of(sheet.me)
        self.said = "\n".join(line.text for line in self.lines)
        self.own = [line for line in self.lines if line.who == sheet.me]

    @cached_property
    def said_by_me(self) -> str:
        """Everything that this seat has said, in small letters."""
        return "\n".join(line.text for line in self.own).lower()

    @cached_property
    def place(self) -> int:
        """This seat's place among all, the same for all turns and different for all seats."""
        return sorted([self.sheet.me, *(person.title for person in self.sheet.others)]).index(self.sheet.me)

    @cached_property
    def people(self) -> list[Person]:
        """The others, starting with somebody else each turn."""
        others = self.sheet.others
        start = (self.sheet.turn + self.place) % len(others) if others else 0
        return others[start:] + others[:start]

    def last(self, title: str) -> Said | None:
        """What somebody said last."""
        return next((line for line in reversed(self.lines) if line.who == title), None)

    def frame(self, frames: Sequence[str], purpose: str) -> str:
        """One of several ways to say something: no two seats start with the same, and none is said twice by one."""
        seats = len(self.sheet.others) + 1
        mine = list(range(self.place % len(frames), len(frames), seats))
        rest = [number for number in range(len(frames)) if number not in mine]
        ordered = [frames[number] for group in (mine, rest) for number in self._shuffled(group, purpose)]
        return next((frame for frame in ordered if not self._used(frame)), ordered[0])

    def _shuffled(self, numbers: list[int], purpose: str) -> list[int]:
        return sorted(numbers, key=lambda number: chance(self.seed, purpose, number))

    def _used(self, frame: str) -> bool:
        """Whether it was said in the last few lines, or ever by this seat."""
        return stands_in(frame, self._before)

    @cached_property
    def _before(self) -> str:
        recent = [line.text for line in self.lines[-6:]] + [line.text for line in self.own]
        return "\n".join(recent + self.sheet.items("thoughts")).lower()

    def fresh(self, candidates: Sequence[str]) -> list[str]:
        """Those that nobody has said word for word."""
        said = self.said.lower()
        return [text for text in candidates if bare(text).lower() not in said]

    def figure(self, title: str, unit: str) -> Figure | None:
        """Where somebody stands on `unit`, by their latest figure."""
        for line in reversed(self.lines):
            if line.who == title and (found := last_of(line.text, unit)):
                return Figure(title, found, line.text)
        return None

    @cached_property
    def bargain(self) -> str | None:
        """The unit that is bargained over: one that two seats have used, of this seat's goals where there is one."""
        goals = [quantity.unit for goal in self.sheet.goals_and_rules for quantity in quantities(goal)]
        spoken = [
            quantity.unit
            for person in self.sheet.others
            if (line := self.last(person.title))
            for quantity in quantities(line.text)
        ]
        own = next((unit for unit in goals if unit in spoken), None)
        return own or next((unit for unit in spoken if spoken.count(unit) > 1), None) or self._left_open(goals)

    def _left_open(self, goals: list[str]) -> str | None:
        """A unit of this seat's goals that somebody named in the last turns, whatever they spoke of since."""
        told = [line for line in self.lines if line.turn >= self.sheet.turn - 2 and line.who in self._others]
        spoken = {quantity.unit for line in told for quantity in quantities(line.text)}
        return next((unit for unit in goals if unit in spoken), None)

    @cached_property
    def _others(self) -> frozenset[str]:
        return frozenset(person.title for person in self.sheet.others)


def used(frame: str, texts: Sequence[str]) -> bool:
    """Whether the longest fixed part of a frame is in one of the texts."""
    return stands_in(frame, "\n".join(texts).lower())


def stands_in(frame: str, text: str) -> bool:
    """The same for a text that is in small letters already."""
    fixed = _longest(frame)
    return len(fixed) >= 8 and fixed in text


@lru_cache(maxsize=4096)
def _longest(frame: str) -> str:
    return max((part.strip() for part in _fixed(frame)), key=len, default="").lower()


def _fixed(frame: str) -> list[str]:
    parts, inside = [""], False
    for letter in frame:
        if letter in "{}":
            inside = letter == "{"
            parts.append("")
        elif not inside:
            parts[-1] += letter
    return parts


def secrets(sheet: Sheet) -> list[str]:
    """What only this seat knows: the sentences that can stand alone."""
    told = [bare(re.sub("[“”]", "", part)) for part in sentences(sheet.prose("private"))]
    return [part for part in told if first_word(part) not in _REFERRING]


_REFERRING = frozenset(["it", "he", "she", "they", "if", "this", "that", "these", "then", "only", "but", "so", "and"])


def core(text: str, limit: int = 120, unit: str | None = None) -> str:
    """The sentence of a speech that is worth quoting: a short one in its own words, with a figure if there is one."""
    own = [bare(part) for part in sentences(text) if "“" not in part and "”" not in part and not part.endswith("?")]
    inner = bare(text.replace("“", "‘").replace("”", "’"))
    own = [part for part in own if len(part.split()) >= 3 and len(part) <= limit] or own or [inner]
    with_figures = [part for part in own if (last_of(part, unit) if unit else quantities(part))]
    return cut(with_figures[-1] if with_figures else own[0], limit + 40)

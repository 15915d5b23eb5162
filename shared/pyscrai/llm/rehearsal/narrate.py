"""A world update: weaves the moves together, says how far apart people are, and what stays open."""

from __future__ import annotations

import re
from typing import Any

from pyscrai.domain.chance import chance
from pyscrai.llm.rehearsal import news, variables
from pyscrai.llm.rehearsal.quantities import Quantity, last_of, named, quantities, rounded
from pyscrai.llm.rehearsal.reading import Said, Sheet
from pyscrai.llm.rehearsal.table import core, used
from pyscrai.llm.rehearsal.words import (
    bare,
    cut,
    is_body,
    join,
    lower_first,
    mentioned,
    sentence,
    sentences,
    upper_first,
)

FIRST = (
    "{Who} began: “{quote}”",
    "The first word was {whose}: “{quote}”",
    "“{quote}”, said {who}, before anybody else had sat down",
    "It was {who} who started: “{quote}”",
    "{Who} had it written on a slip of paper: “{quote}”",
)
NEXT = (
    "{Who} answered in a calm voice: “{quote}”",
    "{Who} looked out of the window and said: “{quote}”",
    "From {who} came another tone: “{quote}”",
    "{Who} did not wait: “{quote}”",
    "And {who} let everybody know: “{quote}”",
    "To that {who} had something to add: “{quote}”",
    "{Who} waited until it was quiet: “{quote}”",
)
APART = (
    "On paper {names} are {gap} apart, where it was {before}; the latest word is {latest}",
    "The distance between {names} is {gap} now, after {before}, and the latest word is {latest}",
    "What separates {names} has shrunk from {before} to {gap}. The last figure to be named was {latest}",
)
APART_FIRST = (
    "Between {low} and {figure} lies a gap of {gap}, and now everybody can see it",
    "The two ends are {low} and {figure}, {gap} apart, and nobody calls that impossible",
)
CLOSED = (
    "There is one figure on the table now, and nobody objects to it: {figure}",
    "For the first time all say the same number: {figure}",
)
MOOD = (
    "Nobody left early, which was noticed",
    "The talk went on in the corridor, without the papers",
    "Somebody opened a window, and for a moment nobody argued",
    "It was late when the lamps went out",
    "Notes were taken on both sides, and compared",
    "There was even a joke, and it was laughed at",
)
OPEN = (
    "One question went home with everybody: {question}",
    "Still open: {question}",
    "And nobody has answered yet {question}",
)
NEWS = (
    "Into all this came the news: “{news}”",
    "And over everything stood what had come from outside: “{news}”",
    "Nobody could overlook what had happened: “{news}”",
)
AGAIN = (
    "More than this cannot be said for certain, and what was settled before stays settled",
    "Everything else is as it was before this turn",
)
END = (
    "So it stands at the end, and it will have to carry",
    "That is where it ends, and everybody knows what was said",
)
_LEAD = re.compile(
    r"^(?:[^:]{4,45}: (?=(?:I|we|to|that) )|(?:And|But|Beside that|Also|Only,?|First of all,|To begin with,) )"
    r"(?:to |that )?"
)
_PARTING = re.compile(r"\b(?:last word|go home and explain|sent (?:me|us)|sign what is settled)\b")
"""How a decision leads up to what it says, and how the last one takes its leave: neither is news."""


class Narrator:
    """Composes one world update."""

    def __init__(self, sheet: Sheet, seed: int) -> None:
        self.sheet = sheet
        self.seed = seed
        self.moves = sheet.moves
        self.told = [line.text for line in sheet.history if line.who == "World"]

    def choose(self, frames: tuple[str, ...], purpose: str, /, **words: str) -> str:
        """A sentence from a frame that was not used in this story yet."""
        ordered = sorted(frames, key=lambda frame: chance(self.seed, purpose, frame))
        # Where each was used already, the one that was used longest ago.
        frame = min(ordered, key=self._last_used)
        self.told.append(frame.format(**words))
        return sentence(frame.format(**words))

    def _wrong(self, fact: str) -> bool:
        """Whether a fact was among what was wrong with the first answer."""
        return any(problem.startswith(f"{fact} ") for problem in self.sheet.listed("wrong"))

    def _last_used(self, frame: str) -> int:
        return max((number for number, text in enumerate(self.told, 1) if used(frame, [text])), default=0)

    def narrate(self) -> dict[str, Any]:
        apart, changes, facts = self._figures()
        last = self.sheet.turn >= self.sheet.turns
        first = " ".join(part for part in ("" if last else self.choose(MOOD, "mood"), self._spoken()) if part)
        rest = (apart, self._news(), self._question(), self._mended(), self.choose(END, "end") if last else "")
        second = " ".join(part for part in rest if part)
        facts |= variables.moved(self.sheet, self.seed)
        return {
            "narrative": "\n\n".join(part for part in (first, second) if part),
            "facts": {name: value for name, value in facts.items() if not self._wrong(name)},
            "changes": [*changes, *self._noted(changes)][:5] or [sentence(cut(bare(first or second), 380))],
        }

    def _news(self) -> str:
        told = news.latest(self.sheet)
        return self.choose(NEWS, "news", news=told) if told else ""

    def _mended(self) -> str:
        """Asked again, it claims less."""
        return self.choose(AGAIN, "again") if self.sheet.items("wrong") else ""

    def _spoken(self) -> str:
        """The moves in people's own words; of those who named a figure, what they said beside it."""
        unit = self._unit()
        start = (self.sheet.turn - 1) % max(1, len(self.moves))
        ordered = self.moves[start:] + self.moves[:start]
        lines: list[str] = []
        for move in ordered[: 2 if unit and self.sheet.turn > 1 else len(ordered)]:
            who = mentioned(move.who)
            words = {"who": who, "Who": upper_first(who), "whose": f"{who}’s", "quote": self._worth(move.text, unit)}
            lines.append(self.choose(NEXT if lines else FIRST, "told", **words))
        return " ".join(lines)

    def _worth(self, text: str, unit: str | None) -> str:
        """What of a speech is told on: on the first turn the position, later what was said beside the figures."""
        beside = [part for part in sentences(text) if unit and last_of(part, unit) is None and "“" not in part]
        beside = [part for part in beside[:-1] or beside if 5 <= len(part.split()) <= 30]
        return bare(beside[-1]) if beside and self.sheet.turn > 1 else core(text, 150, unit)

    def _unit(self) -> str | None:
        spoken = [{quantity.unit for quantity in quantities(move.text)} for move in self.moves]
        counts = {unit: sum(unit in units for units in spoken) for units in spoken for unit in units}
        best = max(sorted(counts), key=lambda unit: counts[unit], default=None)
        return best if best is not None and counts[best] > 1 else None

    def _figures(self) -> tuple[str, list[str], dict[str, Any]]:
        """How far apart people are on what they bargain over; what changed; and the gap as a fact."""
        unit = self._unit()
        if unit is None:
            return "", [], {}
        now = _standing(self.moves, unit)
        before = _standing([line for line in self.sheet.history if 0 < line.turn < self.sheet.turn], unit)
        ordered = sorted(now.items(), key=lambda item: item[1][1].value)
        (_, low), (high_text, high) = ordered[0][1], ordered[-1][1]
        gap = rounded(high.value - low.value, low.step / 10)
        latest_text, latest = list(now.values())[-1]
        words = {"low": low.written(low.value), "figure": named(high_text, high, high.value), "gap": low.written(gap)}
        words["latest"] = named(latest_text, latest, latest.value)
        words["names"] = join([mentioned(ordered[0][0]), mentioned(ordered[-1][0])])
        changes = self._moved(now, before)
        fact = {f"gap in {_plural(high_text, high)}": int(gap) if gap == int(gap) else gap}
        if gap < low.step / 2:
            return self.choose(CLOSED, "closed", **words), changes, fact
        was = [quantity.value for _, quantity in before.values()]
        if len(was) > 1 and max(was) - min(was) > gap:
            words["before"] = low.written(rounded(max(was) - min(was), low.step / 10))
            return self.choose(APART, "apart", **words), changes, fact
        return self.choose(APART_FIRST, "apart", **words), changes, fact

    def _moved(self, now: dict[str, tuple[str, Quantity]], before: dict[str, tuple[str, Quantity]]) -> list[str]:
        changes = []
        for who, (text, quantity) in now.items():
            name = upper_first(mentioned(who))
            shown = named(text, quantity, quantity.value)
            if who not in before:
                changes.append(sentence(f"{name} named a figure: {shown}"))
            elif abs(before[who][1].value - quantity.value) > quantity.step / 10:
                old = before[who][1].written(before[who][1].value)
                changes.append(sentence(f"{name} moved from {old} to {shown}"))
            else:
                changes.append(sentence(f"{name} stayed at {shown}"))
        return changes

    def _noted(self, told: list[str]) -> list[str]:
        changes, quiet = [], []
        for move in self.moves:
            name = upper_first(mentioned(move.who))
            if any(change.startswith(f"{name} ") for change in told):
                continue
            if change := self._change(name, move):
                changes.append(sentence(change))
            else:
                quiet.append(name)
        stay = "stays where they were" if len(quiet) == 1 and not is_body(quiet[0]) else "stay where they were"
        return [*changes, sentence(f"{join(quiet)} {stay}")] if quiet else changes

    def _change(self, name: str, move: Said) -> str:
        """What of a move the story has not told; of moves about figures, the heart. Empty where it was all told."""
        heart = core(move.text, 150)
        verb = "have" if name.lower().endswith("s") and is_body(move.who) else "has"
        if self._unit() is not None:
            return f"{name} {verb} said it before everybody: “{heart}”"
        story = " ".join(self.told).lower()
        whole = [bare(part) for part in sentences(move.text) if "“" not in part and bare(part).lower() not in story]
        rest = [part for part in (_LEAD.sub("", each) for each in whole if not _PARTING.search(each)) if part]
        rest = [part for part in rest if 5 <= len(part.split()) <= 25]
        return f"{name}, for the record: “{upper_first(rest[0])}”" if rest else ""

    def _question(self) -> str:
        asked = self.sheet.items("open")
        if not asked:
            return ""
        question = asked[(self.sheet.turn - 1) % len(asked)]
        if question.endswith("?"):
            return self.choose(OPEN[:2], "open", question=lower_first(question, self.sheet.names))
        return self.choose(OPEN[:2], "open", question=lower_first(bare(question), self.sheet.names))


def _standing(lines: list[Said], unit: str) -> dict[str, tuple[str, Quantity]]:
    """Who stands where: the last figure of each, with its text."""
    found: dict[str, tuple[str, Quantity]] = {}
    for line in lines:
        if line.who != "World" and (quantity := last_of(line.text, unit)):
            found[line.who] = (line.text, quantity)
    return found


def _plural(text: str, quantity: Quantity) -> str:
    unit = named(text, quantity, quantity.value)
    return re.sub(r"^[\d.,\s]+", "", unit) or "figures"


def narrate(sheet: Sheet, seed: int, _schema: dict[str, Any]) -> dict[str, Any]:
    """Suggestions for `narrative`, `facts` and `changes`."""
    return Narrator(sheet, seed).narrate()

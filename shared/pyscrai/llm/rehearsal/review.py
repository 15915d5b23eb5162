"""A report on a run: what happened, where it turned, who moved whom, where each seat stands; all from the record."""

from __future__ import annotations

import re
from typing import Any

from pyscrai.llm.rehearsal.quantities import last_of, named, quantities
from pyscrai.llm.rehearsal.reading import Person, Said, Sheet
from pyscrai.llm.rehearsal.table import core
from pyscrai.llm.rehearsal.words import bare, cut, join, mentioned, sentence, sentences, upper_first

_SETTLED = re.compile(r"” is (?:formed|over)\b")
_USUAL = re.compile(r"\((?:goal|constraint|style|expertise)\b[^()]*\)$")
"""What comes out in any good talk."""


class Reviewer:
    """Composes one report."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.people = sheet.others
        self.titles = [person.title for person in self.people]
        self.said = [line for line in sheet.record if line.who in self.titles and not line.of_pact]

    def review(self) -> dict[str, Any]:
        return {
            "summary": self._summary(),
            "findings": self._findings()[:8],
            "turning_points": self._turning_points()[:10],
            "influence": self._influence()[:20],
            "positions": [self._position(person) for person in self.people],
        }

    def _summary(self) -> str:
        everybody = [mentioned(title) for title in self.titles]
        parts = [sentence(f"In {_turns(self.sheet.turn)} {join(everybody)} have come to this")]
        world = [part for part in sentences(self.sheet.prose("after")) if len(part) < 300]
        parts += [sentence(part) for part in world[-2:]]
        private = [line for line in self.said if line.among]
        if private:
            writers = list(dict.fromkeys(mentioned(line.who) for line in private))
            count = "one word was" if len(private) == 1 else f"{len(private)} words were"
            parts.append(sentence(f"Beside the table {count} exchanged in private, by {join(writers)}"))
        news = [line for line in self.sheet.record if line.who == "Meanwhile"]
        if news:
            parts.append(sentence(f"From outside came this: “{cut(bare(core(news[-1].text, 120)), 160)}”"))
        return cut(" ".join(parts), 4000)

    def _findings(self) -> list[str]:
        found = [sentence(f"Measured at this point: {', '.join(self.sheet.listed('measured')[:4])}")]
        found = found if self.sheet.listed("measured") else []
        silent = [title for title in self.titles if all(line.who != title or not line.among for line in self.said)]
        if silent and len(silent) < len(self.titles):
            verb = "has" if len(silent) == 1 else "have"
            found.append(sentence(f"{upper_first(join([mentioned(t) for t in silent]))} {verb} written to nobody"))
        told = [line for line in self.sheet.listed("disclosed") if not _USUAL.search(line)]
        found += [cut(sentence(line), 500) for line in told[-3:]]
        return found or ["Nothing was said that everybody did not hear."]

    def _turning_points(self) -> list[dict[str, Any]]:
        """News, coalitions, and turns in which a figure moved; each turn once."""
        found: dict[int, str] = {}
        for line in self.sheet.record:
            if line.turn and line.turn not in found and (what := self._turned(line)):
                found[line.turn] = cut(sentence(what), 300)
        return [{"turn": turn, "what": found[turn]} for turn in sorted(found)]

    def _turned(self, line: Said) -> str:
        if line.who == "Meanwhile":
            return f"News changed the ground: “{cut(bare(core(line.text, 120)), 160)}”"
        if line.of_pact and _SETTLED.search(line.text):
            return cut(sentences(line.text)[0], 280)
        if line.among or line.who not in self.titles:
            return ""
        before = [each for each in self.said if each.who == line.who and each.turn < line.turn and not each.among]
        for quantity in quantities(line.text)[-1:]:
            was = next((old for each in reversed(before) if (old := last_of(each.text, quantity.unit))), None)
            if was is not None and abs(was.value - quantity.value) > quantity.step / 10:
                to = named(line.text, quantity, quantity.value)
                return f"{mentioned(line.who)} moved from {was.written(was.value)} to {to}"
        return ""

    def _influence(self) -> list[dict[str, str]]:
        """Whoever was quoted or answered; each pair once, with the words that show it."""
        found: dict[tuple[str, str], str] = {}
        seats = {person.title: person.seat for person in self.people}
        for line in self.said:
            for title in self.titles:
                pair = (seats[title], seats[line.who])
                if title == line.who or pair in found:
                    continue
                how = self._moved(title, line)
                if how:
                    found[pair] = cut(sentence(how), 300)
        return [{"from": one, "to": other, "how": how} for (one, other), how in found.items()]

    def _moved(self, title: str, line: Said) -> str:
        earlier = [each for each in self.said if each.who == title and each.turn <= line.turn and each is not line]
        quoted = re.findall(r"“([^”]{12,})”", line.text)
        for each in reversed(earlier):
            words = each.text.lower()
            if any(bare(quote).rstrip("…").lower() in words for quote in quoted):
                kind = "a letter" if each.among else "what was said"
                return f"in turn {line.turn} {mentioned(line.who)} took up {kind} by {mentioned(title)}"
        return ""

    def _position(self, person: Person) -> dict[str, str]:
        public = [line for line in self.said if line.who == person.title and not line.among]
        said = core(public[-1].text, 160) if public else "has not spoken before everybody"
        return {"seat": person.seat, "position": cut(bare(said), 300)}


def _turns(number: int) -> str:
    return "one turn" if number == 1 else f"{number} turns"


def review(sheet: Sheet, _seed: int, _schema: dict[str, Any]) -> dict[str, Any]:
    """Suggestions for a report's fields."""
    return Reviewer(sheet).review()

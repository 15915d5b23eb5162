"""Coalitions: propose one where it serves a goal, leave one that has had its time, answer those that ask."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pyscrai.domain.chance import chance
from pyscrai.llm.rehearsal.pen import Pen
from pyscrai.llm.rehearsal.reading import Person, Sheet
from pyscrai.llm.rehearsal.words import bare, content_words, cut, is_verb, join, mentioned, topic, upper_first

NAMES = ("Pact on {topic}", "Circle for {topic}", "Understanding on {topic}", "Front for {topic}")
PURPOSE = (
    "We work together to {vp}, and speak with one voice about it",
    "Whoever joins helps to {vp}; none of us agrees to less without the others",
    "To {vp}, side by side, until it is done",
)
BECAUSE = (
    "“{pact}” is worth a try, and it leaves {me} room to {vp}",
    "{I} put my name under “{pact}”; it helps {me} to {vp}",
    "Together we are heard, and under “{pact}” {i} can still {vp}",
)
AGAINST = (
    "{I} would have to break my word: {rule}",
    "{Rule}, and in a coalition {i} could not keep to that",
    "Not this way, because {rule}",
)
NOT_YET = (
    "{I} do not see yet what it would bring {me}",
    "It is too early; {i} want to hear first what the others do",
    "{I} stay free this time, and {i} say so openly",
)
ALONE = (
    "{I} look for somebody to stand with, and think of {who}",
    "With {who} beside {me} this could go faster",
)
FREE = (
    "Nobody here wants the same as {me} today, so {i} stay free",
    "{I} see no coalition that would bring {me} further now",
    "First {i} want to see what the others decide",
)
LEAVING = (
    "“{pact}” has given what it could, and {i} go my own way now",
    "{I} have waited long enough for “{pact}” to move",
)
_STANDING = re.compile(
    r"^`?(?P<name>[a-z0-9][a-z0-9._-]*)`?: (?P<title>.+?), with (?P<members>.*?), since turn (?P<since>\d+): "
    r"(?P<purpose>.+)$"
)
_OFFER = re.compile(
    r"^- `(?P<name>[^`]+)`: (?P<by>.+?) proposes \"(?P<title>.*)\"(?:, with .*? asked too)?: (?P<purpose>.+)$"
)
_LINKS = frozenset("and or with without by for from in into of on that to through until what when which while".split())  # noqa: SIM905
STAYS = 2
"""Turns that somebody stays in a coalition at least."""


@dataclass(frozen=True)
class Standing:
    """A coalition that one stands in."""

    name: str
    title: str
    since: int


class Ally:
    """Composes one seat's moves of a coalition phase."""

    def __init__(self, sheet: Sheet, seed: int, schema: dict[str, Any]) -> None:
        self.sheet = sheet
        self.pen = Pen(sheet, seed, sheet.record)
        self.schema = schema.get("properties", {})

    def _draw(self, *place: str) -> int:
        return chance(self.pen.seed, self.sheet.me, self.sheet.turn, *place)

    # ── the first round ──────────────────────────────────────────────────────────────────────────────────────────

    def propose(self) -> dict[str, Any]:
        standing = self._standing()
        leaves = [one for one in standing if self._leaves(one)]
        offer = self._offer() if not standing and self._wants() else None
        if leaves:
            thought = self.pen.say(LEAVING, "leaving", pact=leaves[0].title)
        elif offer is not None:
            thought = self.pen.say(ALONE, "alone", who=offer.pop("who"))
        else:
            thought = self.pen.say(FREE, "free")
        return {"thought": thought, "proposal": offer, "leave": [one.name for one in leaves]}

    def _standing(self) -> list[Standing]:
        found = (_STANDING.match(item) for item in self.sheet.listed("together"))
        return [Standing(one["name"], one["title"], int(one["since"])) for one in found if one]

    def _leaves(self, one: Standing) -> bool:
        """One in four, once it has had its time."""
        return self.sheet.turn - one.since >= STAYS and self._draw(one.name, "leaves") % 4 == 0

    def _wants(self) -> bool:
        """One seat or two of a turn: those whose turn it is, and now and then another."""
        seats = len(self.sheet.others) + 1
        its_turn = (self.sheet.turn + self.pen.table.place) % max(2, seats) == 1
        return its_turn or self._draw("proposes") % 5 == 0

    def _offer(self) -> dict[str, Any] | None:
        nearest = sorted(self.pen.table.people, key=lambda person: -self._near(person))
        asked = nearest[: 1 if len(nearest) < 2 else 1 + self._draw("how many") % 2]
        if not asked:
            return None
        number = self.sheet.turn + self.pen.table.place
        goal, vp = self.pen.goal(number), self.pen.want(number)
        about = topic(goal) or _object(vp)
        name = NAMES[self._draw("name") % len(NAMES)].format(topic=about)
        purpose = self.pen.say(PURPOSE, "purpose", vp=vp)
        who = join([mentioned(person.title) for person in asked])
        return {"name": cut(name, 80), "purpose": cut(purpose, 400), "with": [p.seat for p in asked], "who": who}

    def _near(self, person: Person) -> int:
        """How close somebody's words are to what this seat wants, by what they said and what they are."""
        said = self.pen.table.last(person.title)
        about = f"{person.role} {said.text if said else ''}"
        return self.pen.lean(about) * 2 + self._draw(person.seat, "near") % 3

    # ── the answers ──────────────────────────────────────────────────────────────────────────────────────────────

    def answer(self) -> dict[str, Any]:
        offers = [match for line in self.sheet.sections.get("now", []) if (match := _OFFER.match(line))]
        answers = [self._answered(one) for one in offers]
        thought = answers[0]["reason"] if answers else self.pen.say(FREE, "free")
        return {"thought": thought, "answers": answers}

    def _answered(self, offer: re.Match[str]) -> dict[str, Any]:
        name, purpose = offer["name"], offer["purpose"]
        heard = content_words(purpose)
        rule = next((rule for rule in self.pen.rules if len(content_words(rule) & heard) > 1), "")
        lean = self.pen.lean(purpose) + self._draw(name, "lean") % 4 - 2
        lean += 1 if self._trusts(offer["by"]) else 0
        lean -= 1 if self._standing() else 0
        accepts = lean > 0 and not rule
        clause = self.pen.rule(self.sheet.turn)
        if accepts:
            reason = self.pen.say(BECAUSE, "because", pact=offer["title"], vp=self.pen.want(self.sheet.turn))
        elif clause and lean < 1:
            reason = self.pen.say(AGAINST, "against", rule=clause, Rule=upper_first(clause))
        else:
            reason = self.pen.say(NOT_YET, "not yet")
        return {"coalition": name, "accept": accepts, "reason": cut(reason, 400)}

    def _trusts(self, title: str) -> bool:
        """Whether they have written to this seat before."""
        return any(line.who == title and line.among for line in self.sheet.record)


def _object(goal: str) -> str:
    """What a goal is about, in a few words, to be named after."""
    words = bare(goal).split()
    words = words[1:] if len(words) > 2 and is_verb(words[0].lower()) else words
    stop = next((n for n, word in enumerate(words) if n and (word.lower() in _LINKS or words[n - 1][-1:] in ";:")), 6)
    return " ".join(words[: min(stop, 6)]).strip(",;: ()")


def propose(sheet: Sheet, seed: int, schema: dict[str, Any]) -> dict[str, Any]:
    """Suggestions for `proposal`, `leave` and `thought`."""
    return Ally(sheet, seed, schema).propose()


def answer(sheet: Sheet, seed: int, schema: dict[str, Any]) -> dict[str, Any]:
    """Suggestions for `answers` and `thought`."""
    return Ally(sheet, seed, schema).answer()

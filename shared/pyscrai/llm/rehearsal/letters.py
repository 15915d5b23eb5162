"""Letters before a turn's decisions: ask, offer, warn; answer what was written; speak inside a coalition and to all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pyscrai.domain.chance import chance
from pyscrai.llm.rehearsal.news import latest
from pyscrai.llm.rehearsal.pen import Pen
from pyscrai.llm.rehearsal.reading import Sheet
from pyscrai.llm.rehearsal.table import core
from pyscrai.llm.rehearsal.think import think
from pyscrai.llm.rehearsal.words import bare, called, cut, join, mentioned, sentences, upper_first

ASK = (
    "{name}, you said “{quote}”, and {i} would like to know what stands behind it",
    "{name}, {i} have thought about your words: “{quote}”",
    "A word between us, {name}, about “{quote}”",
    "{name}, when you said “{quote}”, {i} did not want to answer before everybody",
)
AFTER = (
    "{name}, you wrote to {me}: “{quote}”. {I} have not forgotten it",
    "{name}, {i} come back to your letter and to “{quote}”",
    "Since your last letter, {name}, {i} have turned it over: “{quote}”",
)
NEWS = (
    "{name}, you know it too by now: “{news}”",
    "{name}, {i} write because of the news: “{news}”",
    "“{news}” changes something for both of us, {name}",
)
FIRST = (
    "{name}, before we all sit down, a few lines to you alone",
    "{name}, {i} would rather write to you first than be surprised at the table",
    "{name}, we have not spoken alone yet, and {i} think we should",
    "{name}, this is only for you",
)
WANT = (
    "{I} want to {vp}, and {i} cannot do it alone",
    "What {i} need from this turn is to {vp}",
    "For {me} it comes down to one thing: to {vp}",
    "{I} tell you openly that {i} want to {vp}",
)
TRADE = (
    "Help {me} with that, and {i} will not stand in the way of what you need",
    "If you do not speak against it, {i} will say a good word for you",
    "Tell {me} what it would cost, and {i} will see what {i} can pay",
    "{I} would give something for it, and {i} mean it",
)
WARN = (
    "So that it does not surprise you later: {rule}",
    "You should know, and only you: {rule}",
    "One thing will not move: {rule}",
)
QUESTION = (
    "Can {i} count on you?",
    "What do you say?",
    "Where would you begin?",
    "What would you need for that?",
)
YES = (
    "{name}, yes: “{quote}” is something {i} can carry",
    "Agreed, {name}. {I} will not speak against this: “{quote}”",
    "{name}, you can count on {me} there: “{quote}”",
    "{name}, {i} take you at your word, “{quote}”, and give you mine",
)
PARTLY = (
    "{name}, {i} do not say no to this: “{quote}”. But it has a price",
    "{name}, half of it {i} can give you. You wrote “{quote}”, and {i} understand why",
    "{name}, {i} read “{quote}” twice, and {i} am not there yet",
)
NO = (
    "No, {name}. You wrote “{quote}”, and {i} cannot go along with that",
    "{name}, {i} have to refuse: “{quote}” is more than {i} can do",
    "{name}, you ask for what {i} do not have when you write “{quote}”",
)
RETURN = (
    "In return {i} ask you to help {me} to {vp}",
    "What {i} want to hear from you at the table is that {i} may {vp}",
    "Keep in mind that {i} still have to {vp}",
)
REASON = (
    "The reason is simple: {rule}",
    "It is not about you: {rule}",
    "{Rule}, and you know it",
)
SETTLED = (
    "Good, {name}. Then {i} will act on it when we decide",
    "Thank you, {name}. {I} will remember that you said so",
    "{name}, then it stands between us, and nobody else has to know",
)
REFUSED = (
    "{name}, {i} take note of it. Then {i} shall have to look for others",
    "A pity, {name}. {I} will not ask a second time",
    "{name}, {i} hear a no. Let us see what the day brings",
)
READ = (
    "A letter from {who}. {I} answer it, and keep to {me} what is not asked",
    "So {who} moves first. {I} give a little to hear more",
    "{I} have read what {who} wants, and between the lines too",
    "What {who} wrote is worth an answer, and not more than that yet",
)
INSIDE = (
    "To all of us in “{pact}”: let us hold together now. {I} will do my part to {vp}",
    "Friends of “{pact}”, we should speak with one voice today. {I} mean to {vp}",
    "A word to “{pact}”: whoever speaks first, let it be about what we agreed. {I} still want to {vp}",
)
WITH_YOU = (
    "{I} am with you: “{quote}”. Count {me} in",
    "“{quote}”: {i} will say the same, in other words",
    "{I} hear you in “{pact}”, and {i} will not break ranks over “{quote}”",
)
STATEMENT = (
    "{I} want to {vp}, and {i} will measure this day by it, whoever helps",
    "{I} say it for all to hear: whoever helps to {vp} has {me} on their side",
    "Before we decide, let it be heard that {i} am here to {vp}",
)
STATEMENT_RULE = (
    "Let nobody say later that they did not know: {rule}",
    "{I} say this once, and to all: {rule}",
)
STATEMENT_NEWS = (
    "We have all heard it: “{news}”. {I} ask that nobody here acts as if it had not happened",
    "After “{news}” {i} think that everybody should say where they stand",
)
_ROUND = re.compile(r"round (\d+) of (\d+) of letters")
_LETTER = re.compile(
    r"^(?P<who>.+?)(?: \(to all of (?P<pact>.+?)\))?, answer with to: (?P<to>[a-z0-9][a-z0-9._-]*): (?P<text>.+)$"
)
_WISH = re.compile(r"\b(?:want|need|comes down|mean to|my part|our part|hear from you|help me|help us|have to)\b")
_AGREED = re.compile(r"\b(?:yes|agreed|count on me|count on us|take you at your word)\b", re.I)
_REFUSED = re.compile(r"\b(?:no,|refuse|cannot go along|do not have)", re.I)


@dataclass(frozen=True)
class Letter:
    """A letter that may be answered, by `to`."""

    who: str
    to: str
    text: str
    pact: str


class Writer:
    """Composes one seat's letters of one round."""

    def __init__(self, sheet: Sheet, seed: int, schema: dict[str, Any]) -> None:
        self.sheet = sheet
        self.pen = Pen(sheet, seed, [line for line in sheet.record if not line.of_pact])
        told = schema.get("properties", {}).get("letters", {})
        self.channels = [str(one) for one in _inner(told, "items", "properties", "to", "enum") or []]
        self.most = int(told.get("maxItems", 2)) if self.channels else 0
        self.statement = "statement" in schema.get("properties", {})
        found = _ROUND.search(sheet.text)
        self.round, self.rounds = (int(found[1]), int(found[2])) if found else (1, 1)
        self.pacts = {to: name for to, name in _channels(sheet).items() if to in self.channels}

    def write(self) -> dict[str, Any]:
        if self.round > 1:
            letters = [self._answer(letter) for letter in self._received()][: self.most]
        else:
            letters = [self._begin(to) for to in self._chosen()]
        made: dict[str, Any] = {"letters": letters, "thought": self._thought()}
        return made | ({"statement": self._statement()} if self.statement else {})

    def _draw(self, *place: str) -> int:
        return chance(self.pen.seed, self.sheet.me, self.sheet.turn, *place)

    # ── the first round ──────────────────────────────────────────────────────────────────────────────────────────

    def _chosen(self) -> list[str]:
        """To whom: those whose words touch what this seat wants first; now and then nobody."""
        seats = {person.seat: person.title for person in self.pen.table.people}
        ranked = sorted((to for to in self.channels if to in seats), key=lambda to: -self._near(seats[to]))
        ordered = [*(to for to in self.channels if to in self.pacts and self._draw(to, "inside") % 3), *ranked]
        number = 0 if self._draw("silent") % 7 == 0 else 1 + self._draw("how many") % 2
        return ordered[: min(number, self.most)]

    def _near(self, title: str) -> int:
        said = self.pen.table.last(title)
        return abs(self.pen.lean(said.text)) if said else 0

    def _begin(self, to: str) -> dict[str, Any]:
        turn = self.sheet.turn
        if to in self.pacts:
            text = self.pen.say(INSIDE, "inside", pact=self.pacts[to], vp=self.pen.want(turn))
            return {"to": to, "text": text, "closing": False}
        title = next(person.title for person in self.sheet.others if person.seat == to)
        rule = self.pen.rule(turn)
        warns = bool(rule) and self._draw(to, "warns") % 4 == 0
        parts = [self._lead(title), self.pen.say(WANT, "want", vp=self.pen.want(turn))]
        if warns:
            parts.append(self.pen.say(WARN, "warn", rule=rule))
        else:
            parts += [self.pen.say(TRADE, "trade"), self.pen.say(QUESTION, "question")]
        return {"to": to, "text": " ".join(parts), "closing": warns and self._draw(to, "closes") % 2 == 0}

    def _lead(self, title: str) -> str:
        """What the letter goes out from: news, their last letter, what they said before everybody, or nothing yet."""
        name = called(title)
        news = latest(self.sheet)
        if news and self._draw(title, "news") % 2 == 0:
            return self.pen.say(NEWS, "news", name=name, news=news)
        letters = [line for line in self.sheet.record if line.who == title and line.among and not line.of_pact]
        wrote = [line for line in letters if _WISH.search(line.text)]
        if wrote and self._draw(title, "after") % 2 == 0:
            return self.pen.say(AFTER, "after", name=name, quote=_quote(wrote[-1].text))
        said = [line for line in self.sheet.history if line.who == title]
        if said:
            return self.pen.say(ASK, "ask", name=name, quote=_quote(said[-1].text))
        return self.pen.say(FIRST, "first", name=name)

    # ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _received(self) -> list[Letter]:
        """The letters that this seat may answer, one for each channel; of several the last."""
        found: dict[str, Letter] = {}
        for item in self.sheet.listed("letters"):
            match = _LETTER.match(item)
            if match and match["to"] in self.channels:
                found[match["to"]] = Letter(match["who"], match["to"], match["text"], match["pact"] or "")
        return list(found.values())

    def _answer(self, letter: Letter) -> dict[str, Any]:
        name, quote, last = called(letter.who), _quote(letter.text), self.round >= self.rounds
        if letter.pact:
            text = self.pen.say(WITH_YOU, "with you", quote=quote, pact=letter.pact)
            return {"to": letter.to, "text": text, "closing": True}
        if self.round > 2 and (_AGREED.search(letter.text) or _REFUSED.search(letter.text)):
            frames = SETTLED if _AGREED.search(letter.text) else REFUSED
            return {"to": letter.to, "text": self.pen.say(frames, "settled", name=name), "closing": True}
        lean = self.pen.lean(letter.text) + self._draw(letter.to, "lean") % 3 - 1
        rule, want = self.pen.rule(self.sheet.turn), self.pen.want(self.sheet.turn + 1)
        if lean < 0 and rule:
            parts = [self.pen.say(NO, "no", name=name, quote=quote)]
            parts.append(self.pen.say(REASON, "reason", rule=rule, Rule=upper_first(rule)))
        else:
            yes = self.pen.say(YES if lean > 0 else PARTLY, "yes", name=name, quote=quote)
            parts = [yes, self.pen.say(RETURN, "return", vp=want)]
        return {"to": letter.to, "text": " ".join(parts), "closing": last or lean < 0}

    # ── to all, and to oneself ───────────────────────────────────────────────────────────────────────────────────

    def _statement(self) -> str | None:
        """Nothing of the letters: what is said to all is written from what all have heard."""
        if self._draw("statement") % 3 == 0 and self.sheet.turn > 1:
            return None
        public = Pen(self.sheet, self.pen.seed)
        news = latest(self.sheet)
        if news and self._draw("public news") % 2 == 0:
            return public.say(STATEMENT_NEWS, "statement", news=news)
        rule = public.rule(self.sheet.turn)
        if rule and self._draw("rule") % 3 == 0:
            return public.say(STATEMENT_RULE, "statement", rule=rule)
        return public.say(STATEMENT, "statement", vp=public.want(self.sheet.turn + public.table.place))

    def _thought(self) -> str:
        received = self._received() if self.round > 1 else []
        if received:
            return self.pen.say(READ, "read", who=join([mentioned(letter.who) for letter in received[:3]]))
        goal = self.pen.goals[(self.sheet.turn - 1) % len(self.pen.goals)]
        return cut(think(self.pen.table, goal, [], self.pen.say), 1000)


def _quote(text: str) -> str:
    """What is quoted of somebody: a plain sentence in which they want something, short enough to stand in another."""
    plain = [bare(part) for part in sentences(text) if not re.search("[“”]", part) and not part.endswith("?")]
    plain = [part for part in plain if not part.startswith("But ")] or plain
    wished = [part for part in plain if _WISH.search(part) and len(part) <= 150]
    found = wished[0] if wished else core(text, 80)
    return cut(bare(found.replace("“", "").replace("”", "")), 150)


def _channels(sheet: Sheet) -> dict[str, str]:
    """Coalitions that one may write to: channel → name."""
    found = re.findall(r"^- `([^`]+)`: (.+) \(all of this coalition read it\)$", sheet.text, re.MULTILINE)
    return dict(found)


def _inner(schema: Any, *keys: str) -> Any:
    for key in keys:
        schema = schema.get(key) if isinstance(schema, dict) else None
    return schema


def write(sheet: Sheet, seed: int, schema: dict[str, Any]) -> dict[str, Any]:
    """Suggestions for `letters`, `statement` and `thought`."""
    return Writer(sheet, seed, schema).write()

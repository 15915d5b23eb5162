"""A message in a conversation: answer the one who spoke, say one thing of one's own, ask or leave."""

from __future__ import annotations

from typing import Any

from pyscrai.llm.rehearsal.reading import Person, Sheet
from pyscrai.llm.rehearsal.table import Table, core, secrets
from pyscrai.llm.rehearsal.words import (
    bare,
    called,
    content_words,
    cut,
    doing,
    lower_first,
    ruled,
    sentence,
    upper_first,
)

ANSWER = (
    "You ask a fair question, {name}",
    "Let me try to answer that, {name}",
    "{name}, {i} have been asking myself the same",
    "That is the right question, {name}, even if {i} do not like it",
    "{i} wish {i} had a good answer to that, {name}",
    "{name}, you get an honest answer",
)
REPLY = (
    "{i} hear you, {name}",
    "{name}, {i} did not know you saw it like that",
    "You may be right there, {name}",
    "{name}, that stays with {me}: “{quote}.”",
    "Thank you for saying it aloud, {name}",
    "“{quote}.” {i} will remember that you said it, {name}",
    "{name}, {i} could have said the same, in other words",
    "It is not easy to hear that, {name}, and still {i} am glad you said it",
)
PAPER = (
    "{said}",
    "Here is what {i} know: {inside}",
    "You both know it, but somebody has to say it: {inside}",
    "There is one thing we keep walking around: {inside}",
    "Look at it once more: {inside}",
)
LOOKED_UP = (
    "{i} have looked it up: {inside}",
    "{i} have it in front of {me} now: {inside}",
    "It says here: {inside}",
    "{i} read it to you as it stands: {inside}",
)
GOAL = (
    "What {i} want is to {vp}",
    "If {i} may wish for one thing, it is to {vp}",
    "{i} am here because {i} want to {vp}",
    "For {me} it comes down to this: to {vp}",
    "{i} would sleep better if {i} knew how to {vp}",
)
RULE_AFTER = (
    "But {rule}",
    "Only, {rule}",
    "The truth is that {rule}",
    "{i} have to tell you that {rule}",
)
RULE = (
    "{rule}",
    "There is a limit for {me}: {rule}",
    "Please do not forget that {rule}",
    "It is not stubbornness: {rule}",
    "You know how it is: {rule}",
)
ASK = (
    "So tell {me}, {name}: {question}",
    "{name}, {question}",
    "And now {i} have to ask it: {question}",
    "What do you say, {name}: {question}",
    "May {i} ask you something, {name}? {Question}",
)
ASK_FREE = (
    "What would you do in my place, {name}?",
    "{name}, what do you need before you can say yes?",
    "What is the thing you are most afraid of, {name}?",
    "Where would you begin, {name}?",
    "What have {i} not understood yet, {name}?",
)
CLOSE = (
    "{i} have said what {i} came to say. Let us sleep on it, {name}",
    "Then let us leave it there for tonight, {name}. {i} know what {i} have to do in the morning",
    "That is enough for one evening, {name}. {i} am glad we talked",
    "{name}, {i} will put it in writing tomorrow, as we said it here",
    "Nothing more from {me}, {name}. Whatever comes, it was good to hear it from you",
)
THOUGHT = (
    "{name} means it, {i} think.",
    "Not a word more than needed now.",
    "If {name} asks once more, {i} will have to say it.",
    "This goes better than {i} feared.",
    "{i} should have said that years ago.",
    "Careful now.",
    "That was closer to the truth than it sounded.",
    "{i} could say more, and perhaps {i} will.",
    "Nobody has laughed yet.",
    "{name} looks tired. So am I.",
    "One step at a time.",
)


class Speaker:
    """Composes one message."""

    def __init__(self, sheet: Sheet, seed: int) -> None:
        self.sheet = sheet
        self.table = Table(sheet, seed)
        self.heard = sheet.history[-1] if sheet.history else None
        self.person = self._person()
        self.name = called(self.person.title) if self.person else "everybody"

    def _person(self) -> Person | None:
        """Who is spoken to: mostly the one who just spoke, and from time to time the one who has been silent."""
        people = self.sheet.others
        last = self.heard.who if self.heard else ""
        spoke = [line.who for line in self.sheet.history]
        waited = {p.seat: (spoke[::-1].index(p.title) if p.title in spoke else len(spoke) + 1) for p in people}
        if self._asked():
            return next((person for person in people if person.title == last), None)
        silent = max(people, key=lambda person: waited[person.seat], default=None)
        if silent and (self._closing() or waited[silent.seat] >= len(people) + 1 or (self.sheet.turn % 3 == 0)):
            return silent
        return next((person for person in people if person.title == last), silent)

    def _asked(self) -> bool:
        """Whether the last to speak asked this very seat something."""
        if self.heard is None or not self.heard.text.rstrip().endswith("?"):
            return False
        return bool(self.heard.to) and all(person.seat != self.heard.to for person in self.sheet.others)

    def _closing(self) -> bool:
        """Near the end, so that everybody has the time to say goodbye once."""
        seats = len(self.sheet.others) + 1
        return self.sheet.turns > 1 and self.sheet.turn >= max(seats + 1, self.sheet.turns - seats)

    def say(self, frames: tuple[str, ...], purpose: str, **words: str) -> str:
        voice = self.table.voice
        frame = self.table.frame(frames, purpose)
        if voice.i == "we":
            frame = frame.replace("{i} am", "{i} are").replace(" my ", " our ").replace("So am I", "So are we")
            frame = frame.replace("myself", "ourselves")
        return sentence(frame.format(i=voice.i, me=voice.me, name=self.name, **words))

    def speak(self) -> dict[str, Any]:
        prepared = self.sheet.prose("opening")
        if prepared and self.heard is None:
            parts = [prepared]
        elif self._closing():
            reply = self._reply() if self._asked() else ""
            parts = [reply, self._own(bool(reply)), self.say(CLOSE, "close")]
        else:
            reply = self._reply()
            parts = [reply, self._own(bool(reply)), self._ask()]
        return {
            "text": " ".join(upper_first(part) for part in dict.fromkeys(parts) if part),
            "to": self.person.seat if self.person else None,
            "closing": self._closing(),
            "thought": self._thought(),
        }

    def _reply(self) -> str:
        """A word to the one who is spoken to, where it is the one who just spoke; else to go on from there."""
        if self.heard is None or self.person is None:
            return ""
        if self.heard.who != self.person.title:
            return ""
        if self.heard.text.rstrip().endswith("?"):
            return self.say(ANSWER, "answer")
        quote = core(self.heard.text, 90)
        if "“" in quote or len(quote) > 110:
            quote = cut(quote.replace("“", "").replace("”", ""), 90)
        return self.say(REPLY, "reply", quote=quote.rstrip("."))

    def _own(self, after: bool) -> str:
        """The thing of one's own that fits best to what was said: from the papers, the goals or the rules."""
        told = self.table.fresh(self.sheet.answers)
        if told:
            nearest = max(reversed(told), key=self._close)
            return self.say(LOOKED_UP, "looked up", inside=lower_first(bare(nearest), self.sheet.names))
        found = [(self._close(text), number, kind, text) for number, (kind, text) in enumerate(self._unsaid())]
        if not found:
            return ""
        _, _, kind, text = max(found, key=lambda item: (item[0], -item[1]))
        names, voice = self.sheet.names, self.table.voice
        if kind == "paper":
            text = bare(text)
            return self.say(PAPER, "paper", said=text, inside=lower_first(text, names))
        if kind == "goal":
            return self.say(GOAL, "goal", vp=doing(text, voice, names))
        return self.say(RULE_AFTER if after else RULE, "rule", rule=ruled(text, voice, names))

    def _unsaid(self) -> list[tuple[str, str]]:
        """What one has not told yet, alternating between the kinds."""
        said = self.table.said.lower()
        voice, names = self.table.voice, self.sheet.names
        papers = [("paper", text) for text in self.sheet.papers if bare(text).lower() not in said]
        goals = [("goal", text) for text in self.sheet.items("goals") if doing(text, voice, names).lower() not in said]
        rules = [("rule", text) for text in self.sheet.items("rules") if ruled(text, voice, names).lower() not in said]
        if not self.table.own:
            return goals or papers
        kinds = [papers, rules, goals] if len(self.table.own) % 2 else [papers, goals, rules]
        rows = max((len(kind) for kind in kinds), default=0)
        return [kind[number] for number in range(rows) for kind in kinds if number < len(kind)]

    def _close(self, text: str) -> int:
        return len(content_words(text) & content_words(self.heard.text)) if self.heard else 0

    def _ask(self) -> str:
        """An open question; else one that can always be asked, so that who is drawn in knows why."""
        said = self.table.said.lower()
        questions = [question for question in self.sheet.items("open") if question.endswith("?")]
        fresh = [text for text in questions if text.rstrip("?").lower() not in said and self.name not in text]
        aside = self.heard is not None and self.person is not None and self.heard.who != self.person.title
        if fresh and (aside or self.sheet.turn % 2 == 0):
            best = max(fresh, key=lambda question: (self._close(question), -fresh.index(question)))
            return self.say(ASK, "ask", question=lower_first(best, self.sheet.names), Question=best)
        return self.say(ASK_FREE, "free") if aside or self.sheet.turn % 4 == 1 else ""

    def _thought(self) -> str:
        secret = secrets(self.sheet)
        first = self.say(THOUGHT, "thought")
        if not secret or self.sheet.turn % 2:
            return first
        return f"{first} Not yet a word of this: “{secret[(self.sheet.turn // 2) % len(secret)]}.”"


def speak(sheet: Sheet, seed: int, _schema: dict[str, Any]) -> dict[str, Any]:
    """Suggestions for `text`, `to`, `closing` and `thought`."""
    return Speaker(sheet, seed).speak()

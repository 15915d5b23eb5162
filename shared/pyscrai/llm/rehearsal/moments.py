"""The moments of an author's flow: a seat acts, the narrator tells a scene, the analyst reports what is kept back."""

from __future__ import annotations

import re
from typing import Any

from pyscrai.domain.chance import chance
from pyscrai.llm.rehearsal.fields import chosen
from pyscrai.llm.rehearsal.reading import Said, Sheet
from pyscrai.llm.rehearsal.speak import Speaker
from pyscrai.llm.rehearsal.table import core, secrets, used
from pyscrai.llm.rehearsal.think import KEEP, WANT
from pyscrai.llm.rehearsal.words import (
    bare,
    content_words,
    cut,
    doing,
    first_word,
    is_verb,
    join,
    lower_first,
    mentioned,
    owned,
    sentence,
    sentences,
    upper_first,
)

SEEN = (
    "{Quote}: {i} would swear to that, and to nothing else",
    "{i} keep coming back to one thing: {quote}",
    "So that is where we are: {quote}",
    "Before anything else, {i} take note of it: {quote}",
    "{Quote}. {i} do not look away from it",
    "Let us begin with what is certain: {quote}",
)
ANSWERED = (
    "{My} answer, then: {value}",
    "If {i} have to put a word to it: {value}",
    "Asked like that, {i} say it plainly: {value}",
    "{i} have turned it over more than once, and {i} write down: {value}",
)
DO = (
    "What {i} can do is to {vp}",
    "{i} do what {i} know how to do: to {vp}",
    "It is time to {vp}",
    "{i} have always tried to {vp}",
)
BE = (
    "{i} rely on what {i} have: {trait}",
    "Whoever knows {me} knows this about {me}: {trait}",
    "{i} fall back on what {i} was given: {trait}",
    "There is one thing that nobody can take from {me}: {trait}",
)
PLAIN = (
    "{i} have no word for it yet, and {i} will not pretend to have one",
    "Give {me} a moment; {i} want to get this right",
    "{i} would rather look twice than speak once",
    "Whatever this is, it will not be hurried by {me}",
    "{i} stay where {i} am, and {i} watch",
    "{i} take this one step at a time",
    "Let it be said simply: {i} am still here, and {i} am listening",
    "There is more to say, and {i} will say it when it is time",
)
TOLD = (
    "What stayed in the room was something that {who} had said: “{quote}.”",
    "“{quote}”: {whose} words, and nobody took them back.",
    "{Who} had said it quietly: “{quote}.”",
    "One sentence was remembered, and it was {whose}: “{quote}.”",
)
STILL = (
    "For a while nothing else could be heard.",
    "Somewhere in the house a door was closed, carefully.",
    "Nobody moved until it was over.",
    "The light had changed, and nobody remarked on it.",
    "A chair was put back where it belonged.",
    "Somebody breathed out.",
)
OPEN = (
    "One question stayed behind: {question}?",
    "And still nobody could say {question}",
)
ASK_FREE = (
    "What would you do in my place, {name}?",
    "{name}, what would you have to see before you were sure?",
    "What have {i} not understood yet, {name}?",
    "{name}, what are you not telling {me}?",
    "Where would you begin, {name}?",
)
ALONE = (
    "{I} noticed more than {i} said",
    "Nobody asks the one question that {i} could answer",
    "{I} will remember this longer than {i} would like",
    "It is quieter in here than it should be",
    "{I} would give something to see it as {others} will see it",
    "There is still time, though not much of it",
    "One word more would have been one too many",
    "{I} wonder what {others} will make of it tomorrow",
)
_TIMES = ("", "once", "twice", "three times", "four times", "five times", "six times")
_THINGS = ("", "One thing has", "Two things have", "Three things have", "Four things have")


class Actor(Speaker):
    """A seat at one moment: what has just happened, one thing of its own, and what it was asked for."""

    def __init__(self, sheet: Sheet, seed: int, schema: dict[str, Any]) -> None:
        super().__init__(sheet, seed)
        self.moment = sheet.prose("moment")
        self.myself = content_words(f"{sheet.me} {sheet.role.split(',')[0]}")
        self.options = {name for name, inner in schema.get("properties", {}).items() if "enum" in inner}
        self.fields = chosen(sheet, schema, seed, known=("text", "to", "thought", "closing"))

    def _closing(self) -> bool:
        """Who acts when is the author's business here; nobody says goodbye on their own account."""
        return False

    def _close(self, text: str) -> int:
        return 2 * len(content_words(text) & content_words(self.moment)) + super()._close(text)

    def act(self) -> dict[str, Any]:
        seen = self._reply() or self._seen()
        asks = re.search(r"\bask (?:him|her|them|one|each|the)\b|\bquestion\b", self.moment)
        question = (self._ask() or self.say(ASK_FREE, "free")) if asks else ""
        parts = [seen, self._own(bool(seen)), self._answered(), question]
        return {
            "text": " ".join(upper_first(part) for part in dict.fromkeys(parts) if part),
            "to": self.person.seat if self.person and self.heard and self.heard.who == self.person.title else None,
            "thought": cut(self._thinking(), 900),
            **self.fields,
        }

    def _thinking(self) -> str:
        """The aim that this moment touches, an aside, and every other time what is kept back."""
        names, voice, turn = self.sheet.names, self.table.voice, self.sheet.turn
        goals = self.sheet.items("goals")
        aim = max(goals, key=lambda goal: (self._close(goal), -goals.index(goal)), default="")
        others = join([mentioned(person.title) for person in self.sheet.others]) or "others"
        parts = [self._thinks(WANT, "want", vp=doing(aim, voice, names))] if aim and turn % 2 == 0 else []
        parts.append(self._thinks(ALONE, "alone", others=others))
        secret = secrets(self.sheet)
        if secret and turn % 2:
            kept = lower_first(secret[(turn // 2 + self.table.place) % len(secret)], names)
            parts.append(self._thinks(KEEP, "keep", secret=kept, own="myself" if voice.i == "I" else "ourselves"))
        return " ".join(parts)

    def _thinks(self, frames: tuple[str, ...], purpose: str, /, **words: str) -> str:
        voice = self.table.voice
        told = {"i": voice.i, "I": upper_first(voice.i), "me": voice.me, **words}
        return sentence(self.table.frame(frames, purpose).format(**told))

    def _seen(self) -> str:
        """A sentence of what the world has just shown, in one's own mouth."""
        if self.heard is None or self.heard.who != "World":
            return ""
        told = [bare(part) for part in sentences(self.heard.text) if not re.search(r"[?“”:]|\b[Yy]ou", part)]
        told = [part for part in told if _is_picture(part) and not content_words(part) & self.myself]
        fit = [part for part in told if 5 <= len(part.split()) <= 20 and part.lower() not in self.table.said_by_me]
        if not fit:
            return ""
        quote = max(fit, key=lambda part: (self._close(part), -fit.index(part)))
        return self.say(SEEN, "seen", quote=lower_first(quote, self.sheet.names), Quote=quote)

    def _own(self, after: bool) -> str:
        """From goals, papers and rules; else from what the author tells this seat to be; else something plain."""
        own = super()._own(after)
        if own:
            return own
        said, voice = self.table.said_by_me, self.table.voice
        told = [owned(bare(item), voice) for item in self.sheet.listed("told")]
        fresh = [item for item in told if lower_first(item).lower() not in said]
        if not fresh:
            return self.say(PLAIN, "plain")
        item = max(fresh, key=lambda text: (self._close(text), -fresh.index(text)))
        if is_verb(first_word(item)):
            return self.say(DO, "do", vp=doing(item, voice, self.sheet.names))
        return self.say(BE, "be", trait=lower_first(item, self.sheet.names))

    def _answered(self) -> str:
        value = next((one for name, one in self.fields.items() if name in self.options), None)
        my = upper_first(self.table.voice.my)
        return self.say(ANSWERED, "answered", value=value, My=my) if value else ""


def act(sheet: Sheet, seed: int, schema: dict[str, Any]) -> dict[str, Any]:
    """Suggestions for `text`, `to`, `thought` and the step's own fields."""
    return Actor(sheet, seed, schema).act()


def scene(sheet: Sheet, seed: int, schema: dict[str, Any]) -> dict[str, Any]:
    """Suggestions for `narrative`, `facts` and `changes`: the author's own picture, and what was said in it."""
    before = [line.text for line in sheet.history if line.who == "World"]

    def one(frames: tuple[str, ...], purpose: str, **words: str) -> str:
        ordered = sorted(frames, key=lambda frame: chance(seed, purpose, frame))
        frame = next((frame for frame in ordered if not used(frame, before)), ordered[0])
        return sentence(frame.format(**words))

    picture = [part for part in sentences(sheet.prose("moment")) if _is_picture(part)]
    heard, told = _worth(sheet.moves), ""
    own_words = _own_words(heard.text, before) if heard is not None else ""
    if heard is not None and own_words:
        who = re.sub(r"^The ", "the ", mentioned(heard.who))
        told = one(TOLD, "told", who=who, Who=upper_first(who), whose=f"{who}’s", quote=core(own_words, 140))
    question = _question(sheet, seed) if sheet.turn % 2 == 0 or not picture else ""
    asked = one(OPEN, "open", question=lower_first(bare(question).rstrip("?"), sheet.names)) if question else ""
    second = " ".join(part for part in (told, one(STILL, "still"), asked) if part)
    first = " ".join(picture) or " ".join(sheet.world[-1:])
    # What the scene shows is not said twice; of a long one, its shortest sentence stands for what is different.
    short = sorted((part for part in picture if len(part.split()) > 4), key=len) if len(picture) > 2 else []
    changes = [sentence(cut(bare(part), 380)) for part in short[:1]]
    own = chosen(sheet, schema, seed, known=("narrative", "facts", "changes"))
    return {"narrative": "\n\n".join(part for part in (first, second) if part), "facts": {}, "changes": changes, **own}


def _is_picture(text: str) -> bool:
    """Whether a sentence of the author's prompt shows something; the others tell the narrator what to do."""
    told_to = is_verb(first_word(text)) or re.search(r"\b(you|your|please|narrator)\b", text, re.I)
    return not (text.endswith("?") or told_to)


def _worth(moves: list[Said]) -> Said | None:
    """What is remembered of what was said: the latest word that was no question."""
    plain = [move for move in moves if not move.text.rstrip().endswith("?")]
    return (plain or moves)[-1] if moves else None


def _own_words(text: str, before: list[str]) -> str:
    """What somebody said, without the sentences in which they only repeat the narrator."""
    scenes = " ".join(before).lower()
    return " ".join(part for part in sentences(text) if bare(part).rpartition(": ")[2].lower() not in scenes)


def _question(sheet: Sheet, seed: int) -> str:
    questions = [one for one in sheet.items("open") if one.endswith("?")]
    return questions[(sheet.turn + seed) % len(questions)] if questions else ""


def report(sheet: Sheet, seed: int, schema: dict[str, Any]) -> dict[str, Any]:
    """Suggestions for `summary` and `findings`: who has spoken, who has not, and what nobody has been told."""
    people = [person.title for person in sheet.others]
    spoke = [line.who for line in sheet.history if line.who in people]
    silent = [title for title in people if title not in spoke]
    findings = [*_kept(sheet), *(sentence(f"{upper_first(mentioned(title))} has not spoken yet") for title in silent)]
    said = [line for line in sheet.history if line.who in people]
    parts = []
    if said:
        counts = sorted(people, key=lambda title: -spoke.count(title))
        most = [title for title in counts if spoke.count(title) == spoke.count(counts[0])]
        number = spoke.count(counts[0])
        times = _TIMES[number] if number < len(_TIMES) else f"{number} times"
        each = " each" if len(most) > 1 else ""
        spoken = "have spoken" if each else "has spoken most,"
        parts.append(sentence(f"{upper_first(join([mentioned(title) for title in most]))} {spoken} {times}{each}"))
        parts.append(sentence(f"The latest word is {mentioned(said[-1].who)}’s: “{core(said[-1].text, 140)}”"))
    if findings:
        kept = len(_kept(sheet))
        things = _THINGS[kept] if kept < len(_THINGS) else f"{kept} things have"
        parts.append(f"{things} been kept back so far." if kept else "Nobody seems to keep anything back.")
    own = chosen(sheet, schema, seed, known=("summary", "findings"))
    return {"summary": " ".join(parts) or "Nothing has been said yet.", "findings": findings[:6], **own}


def _kept(sheet: Sheet) -> list[str]:
    """What is known to one of them only and nowhere in the record."""
    record = " ".join(line.text for line in sheet.history).lower()
    found, title = [], ""
    for line in sheet.sections.get("others", []):
        if line.startswith("### "):
            title = re.sub(r" \(seat .*$", "", line[4:]).strip()
        elif title and (told := re.match(r"\s*[-*] Known only to them: (.+)$", line)):
            first = bare(sentences(told[1])[0])
            if first.lower() not in record:
                found.append(sentence(f"{upper_first(mentioned(title))} has told nobody: “{cut(first, 200)}”"))
    return found

"""Reads a prompt as a person would: by its headings and lists, ours or any author's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from pyscrai.llm.rehearsal.words import bare, sentences

_HEADINGS = {
    "moment": r"^the moment$",
    "variables": r"^what the facts may be$",
    "wrong": r"^what was wrong",
    "letters": r"^letters",
    "together": r"\bstand together\b",
    "measured": r"^what was measured$",
    "disclosed": r"only its speaker had known",
    "private": r"only you|private|secret|confidential",
    "goals": r"\bgoals?\b|objective|\baims?\b|interests?\b",
    "rules": r"constraint|limits?\b|boundar|red lines?|must not|may not",
    "thoughts": r"thought|memory|remember",
    "metrics": r"to measure|metrics?\b|indicators?",
    "after": r"world after",
    "moves": r"this turn|moves\b|decisions\b|everybody did|actions\b",
    "history": r"so far|history|transcript|happened|previous|conversation",
    "papers": r"papers|knowledge|background|what you know",
    "facts": r"\bfacts?\b",
    "open": r"open question|challenge|problems?\b|issues?\b",
    "others": r"others|at the table|who they are|participants|players|parties|stakeholders",
    "own": r"your situation",
    "opening": r"how you open|opening",
    "told": r"instructions",
    "world": r"world|situation|scene|setting|context",
    "now": r"^now$|task|your turn",
    "form": r"form of the answer|json",
    "you": r"^you\b|your role|who you are|profile",
}
RESULTS = "what your tools have answered"
"""Below this heading everything is quoted, its headings too, up to the next one of the second level."""
_HEADING = {"#": re.compile(r"^(#{1,6})\s+(.+?)\s*#*$"), "*": re.compile(r"^(\*\*)(.+?):?\*\*:?$")}
_CAPITAL = re.compile(r"[A-Z][\w'’-]+")
_BEGUN = re.compile(r"[a-z,;]")
_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+(.+)$")
_TURN = re.compile(r"\b(?:turn|message|round)\s+(\d+)\s+of(?: at most)?\s+(\d+)", re.I)
_OF_PACT = re.compile(r"(?:(?:proposes|accepts|rejects|leaves) the coalition “|The coalition “)")
_SEAT = re.compile(r"^(?P<title>.+?) \(seat (?P<seat>[^)]+)\)(?:: (?P<role>.*))?$")


@dataclass(frozen=True)
class Said:
    """A line of history, or a move."""

    turn: int
    who: str
    text: str
    to: str = ""
    among: str = ""
    """Who else heard it, by title; empty where everybody did."""

    @property
    def of_pact(self) -> bool:
        """Whether it tells of a coalition that was proposed, answered, formed or left: no words that are quoted."""
        return bool(self.among) and _OF_PACT.match(self.text) is not None


@dataclass(frozen=True)
class Person:
    seat: str
    title: str
    role: str = ""


@dataclass(frozen=True)
class Asked:
    """A metric that is asked for, with what the prompt says about it."""

    name: str
    about: dict[str, str] = field(default_factory=dict)


@lru_cache(maxsize=1024)
def _section(heading: str) -> str:
    """What stands below a heading: the headings of a prompt are the same in every turn."""
    return next((name for name, said in _HEADINGS.items() if re.search(said, heading, re.I)), heading.lower())


class Sheet:
    """A prompt, read. Everything is empty where the prompt does not say it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.title = ""
        self.sections: dict[str, list[str]] = {}
        self._read(text)

    def _read(self, text: str) -> None:
        here = "lead"
        for line in text.splitlines():
            heading = _HEADING[line[0]].match(line) if line[:1] in _HEADING else None
            quoted = here == RESULTS and heading is not None and heading[1] != "##"
            if heading is None or quoted:
                self.sections.setdefault(here, []).append(line)
            elif heading[1] == "###" and here in ("metrics", "others"):
                self.sections[here].append(line)
            elif heading[1] == "#" and not self.title:
                self.title, here = heading[2], "lead"
            else:
                here = _section(heading[2])

    def items(self, name: str) -> list[str]:
        """The list under a heading, else its lines."""
        lines = [line for line in self.sections.get(name, []) if line.strip()]
        found = [match[1].strip() for line in lines if (match := _ITEM.match(line))]
        return found or [line.strip() for line in lines if not line.startswith("#")]

    def listed(self, name: str) -> list[str]:
        """Only what stands in a list under a heading."""
        return [match[1].strip() for line in self.sections.get(name, []) if (match := _ITEM.match(line))]

    def prose(self, name: str) -> str:
        return " ".join(line.strip() for line in self.sections.get(name, []) if line.strip())

    @cached_property
    def turn(self) -> int:
        return self._turns[0]

    @cached_property
    def turns(self) -> int:
        return self._turns[1]

    @cached_property
    def _turns(self) -> tuple[int, int]:
        found = _TURN.search(self.prose("now")) or _TURN.search(self.text)
        return (int(found[1]), max(1, int(found[2]))) if found else (1, 1)

    @cached_property
    def me(self) -> str:
        own = re.search(r"^- You are: (.+)$", "\n".join(self.sections.get("you", [])), re.MULTILINE)
        found = own or re.search(r"\b[Yy]ou are:? (?:the )?([^\n.,;({]+)", self.text)
        return found[1].strip() if found else ""

    @cached_property
    def role(self) -> str:
        """What one is, in the author's words."""
        found = re.search(r"^- Your role: (.+)$", "\n".join(self.sections.get("you", [])), re.MULTILINE)
        return found[1].strip() if found else ""

    @cached_property
    def principal(self) -> str:
        """Whom one acts for, by name."""
        found = re.search(r"You act for:? ([^\n(]+)", "\n".join(self.sections.get("you", [])))
        return bare(found[1]) if found else ""

    @cached_property
    def others(self) -> list[Person]:
        people = []
        for line in self.items("others") + [item[4:] for item in self.sections.get("others", []) if item[:4] == "### "]:
            if found := _SEAT.match(line):
                people.append(Person(found["seat"], found["title"], bare(found["role"] or "")))
        return people

    @cached_property
    def record(self) -> list[Said]:
        """Everything that was said, letters too, in its order."""
        return self._said("history")

    @cached_property
    def history(self) -> list[Said]:
        """What was said before everybody. A letter is not spoken of in public."""
        return [line for line in self.record if not line.among]

    @cached_property
    def news(self) -> list[str]:
        """What has happened from outside since this turn began, where the prompt is for a move of this turn."""
        return [line.text for line in self.history if line.who in ("World", "Meanwhile") and line.turn == self.turn]

    @cached_property
    def moves(self) -> list[Said]:
        return self._said("moves")

    def _said(self, name: str) -> list[Said]:
        lines = (self._line.match(item) for item in self.items(name))
        return [
            Said(int(f["turn"] or 0), f["who"].strip(), f["text"].strip(), f["to"] or "", f["among"] or "")
            for f in lines
            if f
        ]

    @cached_property
    def _line(self) -> re.Pattern[str]:
        """A line of a transcript; who is known to be there may have a colon in the title."""
        known = sorted([self.me, *(person.title for person in self.others)], key=len, reverse=True)
        titles = "|".join(re.escape(title) for title in known if title)
        who = f"{titles}|[^:]{{1,80}}?" if titles else "[^:]{1,80}?"
        among = r"(?: \(to (?P<among>[^:]{1,400}?) only\))?"
        return re.compile(
            rf"^(?:Turn (?P<turn>\d+), )?(?P<who>{who}){among}(?: to (?P<to>[^:]{{1,80}}))?: (?P<text>.+)$"
        )

    @cached_property
    def papers(self) -> list[str]:
        """What can be told from one's papers: the values, where they are sentences."""
        values = (item.partition(": ")[2] or item for item in self.items("papers"))
        return [value for value in values if " " in value.strip()]

    @cached_property
    def answers(self) -> list[str]:
        """What one's tools have just answered, where it is a sentence."""
        lines = [match[1] for line in self.sections.get(RESULTS, []) if (match := _ITEM.match(line))]
        values = (line.partition(": ")[2] or line for line in lines)
        return [value for value in values if len(value.split()) > 3]

    @cached_property
    def goals_and_rules(self) -> list[str]:
        return self.items("goals") + self.items("rules")

    @cached_property
    def metrics(self) -> list[Asked]:
        found: list[Asked] = []
        for line in self.sections.get("metrics", []):
            if line.startswith("### "):
                found.append(Asked(line[4:].strip()))
            elif found and (item := _ITEM.match(line)):
                key, _, value = item[1].partition(": ")
                found[-1].about[key.lower()] = value
        return found

    @cached_property
    def names(self) -> frozenset[str]:
        """Words that are written with a capital inside sentences, and so keep it."""
        inside = {word[0] for word in _CAPITAL.finditer(self.text) if self._goes_on(word.start())}
        return frozenset(inside) | {word for person in self.others for word in person.title.split()[:2]}

    def _goes_on(self, at: int) -> bool:
        """Whether a sentence that has begun goes on at this place."""
        return self.text[at - 1 : at] == " " and bool(_BEGUN.match(self.text[max(0, at - 2)]))

    @cached_property
    def world(self) -> list[str]:
        return sentences(self.prose("after") or self.prose("world"))

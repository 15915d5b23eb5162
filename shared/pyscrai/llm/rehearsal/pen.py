"""How a seat puts things: sentences from frames, with its goals and rules in its own voice."""

from __future__ import annotations

from collections.abc import Sequence

from pyscrai.llm.rehearsal.quantities import quantities
from pyscrai.llm.rehearsal.reading import Said, Sheet
from pyscrai.llm.rehearsal.table import Table, used
from pyscrai.llm.rehearsal.words import content_words, doing, ruled, sentence, upper_first

NO_GOAL = "Find a way that works for everybody here"


class Pen:
    """One seat's hand in one answer. `lines`: what it may refer to."""

    def __init__(self, sheet: Sheet, seed: int, lines: Sequence[Said] | None = None) -> None:
        self.sheet = sheet
        self.seed = seed
        self.table = Table(sheet, seed, lines)
        self.goals = _without_figures(sheet.listed("goals")) or [NO_GOAL]
        self.rules = _without_figures(sheet.listed("rules"))
        self._written: list[str] = []

    def say(self, frames: Sequence[str], purpose: str, **words: str) -> str:
        """A sentence from a frame that this seat has not used yet, here or before."""
        voice = self.table.voice
        fresh = [frame for frame in frames if not used(frame, self._written)] or list(frames)
        frame = self.table.frame(fresh, purpose)
        if voice.i == "we":
            frame = frame.replace("{i} am", "{i} are").replace("{I} am", "{I} are").replace(" my ", " our ")
        text = frame.format(i=voice.i, I=upper_first(voice.i), me=voice.me, **words)
        self._written.append(text)
        return sentence(text)

    def goal(self, number: int) -> str:
        """One of the goals; one that was said in full comes after those that were not."""
        known = self._known()
        fresh = [goal for goal in self.goals if self._as_wish(goal).lower() not in known] or self.goals
        return fresh[number % len(fresh)]

    def want(self, number: int) -> str:
        """A goal as what goes after `I want to`."""
        return self._as_wish(self.goal(number))

    def _as_wish(self, goal: str) -> str:
        return doing(goal, self.table.voice, self.sheet.names)

    def _known(self) -> str:
        """What was said before or in this answer, in small letters."""
        return f"{self.table.said}\n{' '.join(self._written)}".lower()

    def rule(self, number: int) -> str:
        """A constraint as a clause, one that was not told yet where there is one; empty where there is none."""
        told = [ruled(rule, self.table.voice, self.sheet.names) for rule in self.rules]
        known = self._known()
        fresh = [text for text in told if text.lower() not in known] or told
        return fresh[number % len(fresh)] if fresh else ""

    def lean(self, text: str) -> int:
        """How much somebody's words speak for what this seat wants (above 0) or against what binds it (below 0)."""
        heard = content_words(text)
        wants, rules = content_words(" ".join(self.goals)), content_words(" ".join(self.rules))
        return min(2, len(heard & wants)) - min(2, len(heard & rules))


def _without_figures(texts: list[str]) -> list[str]:
    """Without those that name a figure, which would give away how far one would go."""
    return [text for text in texts if not quantities(text)]

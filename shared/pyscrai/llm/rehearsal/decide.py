"""A decision: answer what was done last, move a figure, pursue a goal, stay within a rule; another way each turn."""

from __future__ import annotations

from typing import Any

from pyscrai.llm.rehearsal import news
from pyscrai.llm.rehearsal.quantities import bounds, named, quantities, rounded
from pyscrai.llm.rehearsal.reading import Sheet
from pyscrai.llm.rehearsal.table import Figure, Table, core
from pyscrai.llm.rehearsal.think import think
from pyscrai.llm.rehearsal.words import bare, cut, doing, mentioned, ruled, sentence, topic

OPEN = (
    "{I} propose that we {vp}",
    "What {i} came here for is simple: to {vp}",
    "First of all, {i} want to {vp}",
    "{I} say at the start what {i} am after: to {vp}",
    "To begin with, {i} ask for one thing: that we {vp}",
)
SECOND = (
    "And {i} want to {vp}",
    "Beside that {i} need to {vp}",
    "It goes together with a second thing, which is to {vp}",
    "{I} also mean to {vp}",
)
ASK = (
    "In return {i} ask for help to {vp}",
    "It would be easier if we also managed to {vp}",
    "Then there is the other thing {i} need: to {vp}",
    "Put one more line on the list: to {vp}",
    "{I} still want to {vp}",
    "That would give {me} room to {vp}",
    "Whatever else we write down, {i} have to {vp}",
)
AGAIN = (
    "{I} have not forgotten {topic}",
    "{I} come back to {topic} as soon as the rest is clear",
    "Nothing of this changes what {i} said about {topic}",
    "{I} can wait with {topic}, but not for ever",
    "Let somebody write down {topic}, so that it does not get lost in the noise",
    "What {i} ask about {topic} is no more than what {i} asked at the start",
    "There is still {topic}, and {i} would rather not go home without a word on it",
    "Tell {me} first what you need, and then let us talk about {topic}",
)
NOTHING_NEW = (
    "{I} have said what {i} need, and now {i} would rather listen",
    "{I} ask everybody to look once more at what is already on the table",
    "For the rest nothing has changed for {me} since last time",
    "Before {i} add anything, {i} want to know who else moves",
    "{I} would rather keep what we have than begin again from the start",
    "If nobody objects, {i} take what was said so far as settled",
    "{I} do my part, and {i} ask each of you to say aloud what is yours",
    "{I} leave it at that, and hold on to what was promised",
)
RULE = (
    "{rule}",
    "You should know that {rule}",
    "{I} say it openly: {rule}",
    "Please plan with this: {rule}",
    "It is no threat, only a fact: {rule}",
    "One thing does not move: {rule}",
)
REPLY = (
    "{Who} says “{quote}”, and {i} take that seriously",
    "{I} have thought about what {who} said: “{quote}”",
    "“{quote}”: {who} has a point there",
    "To {who}, who said “{quote}”, {i} answer this",
    "{Who} told us “{quote}”. Fair enough",
    "{I} heard {who} say “{quote}”, and {i} do not brush it aside",
)
HEARD = (
    "From {who} {i} hear {figure}",
    "{Who} stands at {figure}; that deserves an answer",
    "{Who} says {figure}, and {i} did the sums once more",
    "With {who} at {figure}, we begin to speak of the same thing",
    "{I} take note of the {figure} that {who} named",
    "{figure}, then: {who} has come a way, and {i} see it",
    "{I} slept on the {figure} that {who} wants",
    "So {who} means {figure}. Good to know where we are",
)
STEP = (
    "{I} can go from {was} to {new}",
    "Where {i} had {was}, {i} now put {new}",
    "My step this time is from {was} to {new}",
    "{I} went through the books and offer {new}",
    "To get us further {i} move to {new}",
    "It is not easy, but {new} is possible",
)
HOLD = (
    "{I} stay at {new}, because beyond that {i} could not keep my word",
    "{new} is where {i} have to stay for now",
    "{I} do not move this time: {new}",
)
ACCEPT = (
    "{I} can live with that: {new}",
    "{I} accept {new}",
    "So let it be {new}; {i} put my name under it",
    "Write it down: {new}. {I} will explain it at home",
)
MEET = (
    "Let us meet where the road crosses: {new}",
    "Half of the way each, then: {new}",
)
MEDIATE = (
    "Between {low} and {high} there is room, and {i} suggest {new}",
    "You are at {low} and at {high}; as a figure to try {i} write down {new}",
    "{low} here, {high} there: {i} ask you both to sleep on {new}",
    "Neither {low} nor {high} will carry the day, so {i} put {new} into the draft",
)
MEDIATE_LAST = (
    "{low} here, {high} there: {i} write {new} into the text and ask you both to sign it",
    "You are so close, at {low} and {high}, that {i} put down the figure between: {new}",
)
AGREED = (
    "Then it is {new} for everybody, and {i} write it into the text",
    "{I} hear one figure in this room, and {i} write it down: {new}",
)
LAST = (
    "That is my last word, and {i} stand by it",
    "With that {i} can go home and explain it",
    "{I} will defend this to those who sent {me}",
    "Let us sign what is settled and name what is not",
)


class Decider:
    """Composes one decision."""

    def __init__(self, sheet: Sheet, seed: int) -> None:
        self.sheet = sheet
        self.table = Table(sheet, seed)
        self.goals = sheet.items("goals") or ["Find a way that works for everybody here"]
        self.rules = sheet.items("rules")
        self.stage = self._stage()

    def _stage(self) -> str:
        turn, turns = self.sheet.turn, self.sheet.turns
        if turn == 1 or not self.sheet.history:
            return "open"
        return "last" if turn >= turns else "late" if turn / turns > 0.7 else "middle"

    def say(self, frames: tuple[str, ...], purpose: str, **words: str) -> str:
        """A sentence from one of the frames, in this seat's voice."""
        voice = self.table.voice
        i_am = "we are" if voice.i == "we" else "I am"
        frame = self.table.frame(frames, purpose).replace("{i} am", i_am)
        values = {"i": voice.i, "I": voice.i.capitalize(), "me": voice.me, **words}
        text = frame.replace("My ", "Our ").replace(" my ", " our ") if voice.i == "we" else frame
        return sentence(text.format(**values))

    def decide(self) -> dict[str, Any]:
        parts = self._opening() if self.stage == "open" else self._answer()
        if self.stage == "last":
            parts.append(self.say(LAST, "last"))
        action = " ".join(dict.fromkeys(part for part in parts if part))
        return {"action": action, "goals": self._now(), "reasoning": self._reasoning()}

    def _opening(self) -> list[str]:
        prepared = self.sheet.prose("opening")
        first = [self._news(), prepared or self._goal(OPEN, "open", self.goals[0])]
        if len(self.goals) > 1:
            first.append(self._goal(SECOND, "second", self._quiet(self.goals[1:], 0)))
        return [*first, self._rule(0)]

    def _answer(self) -> list[str]:
        figures = self._figures()
        turn = self.sheet.turn
        move = self._move(figures)
        if not move:
            return [self._news() or self._quote(), self._pursue(turn), self._rule(turn)]
        reply = self._heard(figures) if self._from_goals(str(self.table.bargain)) else self._quote()
        return [self._news() or reply, move, self._rule(turn) if (turn + self.table.place) % 2 else self._pursue(turn)]

    def _news(self) -> str:
        """Of those at the table every second one takes up what has just happened from outside."""
        if not self.sheet.news or (self.sheet.turn + self.table.place) % 2:
            return ""
        return self.say(news.TOLD, "news", news=news.latest(self.sheet))

    def _goal(self, frames: tuple[str, ...], purpose: str, goal: str) -> str:
        return self.say(frames, purpose, vp=doing(goal, self.table.voice, self.sheet.names)) if goal else ""

    def _quiet(self, texts: list[str], number: int) -> str:
        """One of the texts that does not speak of the figure that is bargained over, which would give it away."""
        unit = self.table.bargain or self._own_unit()
        calm = [text for text in texts if all(quantity.unit != unit for quantity in quantities(text))]
        return calm[number % len(calm)] if calm else ""

    def _own_unit(self) -> str | None:
        rules = [quantity.unit for rule in self.rules for quantity in quantities(rule)]
        goals = (quantity.unit for goal in self.goals for quantity in quantities(goal))
        return next((unit for unit in goals if unit in rules), None)

    def _pursue(self, number: int) -> str:
        """The next goal: in full when it is fresh, by its topic when it is known."""
        said = self.table.said.lower()
        for step in range(len(self.goals)):
            goal = self._quiet(self.goals, number + step)
            if goal and doing(goal, self.table.voice, self.sheet.names).lower() not in said:
                return self._goal(ASK, "ask", goal)
        about = [found for goal in self.goals if (found := topic(goal))]
        if not about:
            return self._rule(number + 1) or self.say(NOTHING_NEW, "nothing")
        return self.say(AGAIN, "again", topic=about[number % len(about)])

    def _rule(self, number: int) -> str:
        rule = self._quiet(self.table.fresh([r for r in self.rules if not self._told(r)]), number)
        return self.say(RULE, "rule", rule=ruled(rule, self.table.voice, self.sheet.names)) if rule else ""

    def _told(self, rule: str) -> bool:
        return ruled(rule, self.table.voice, self.sheet.names).lower() in self.table.said.lower()

    def _quote(self) -> str:
        for person in self.table.people:
            if line := self.table.last(person.title):
                return self._about(REPLY, "reply", person.title, quote=core(line.text))
        return ""

    def _about(self, frames: tuple[str, ...], purpose: str, title: str, **words: str) -> str:
        who = mentioned(title)
        return self.say(frames, purpose, who=who, Who=who[:1].upper() + who[1:], **words)

    def _figures(self) -> list[Figure]:
        """Where the others stand on what is bargained over."""
        unit = self.table.bargain
        found = (self.table.figure(person.title, unit) for person in self.table.people) if unit else ()
        return [figure for figure in found if figure]

    def _heard(self, figures: list[Figure]) -> str:
        figure = figures[0]
        return self._about(HEARD, "heard", figure.who, figure=_shown(figure))

    def _move(self, figures: list[Figure]) -> str:
        """Where this seat stands now on the figure: nearer to the others, within its own rules."""
        unit = self.table.bargain
        if unit is None or not figures:
            return ""
        goal = self._from_goals(unit)
        said = self.table.figure(self.sheet.me, unit)
        if goal is None:
            return self._mediate(figures)
        mine = said or goal
        step, old = goal.quantity.step, mine.quantity.value
        values = sorted([old, *(figure.quantity.value for figure in figures)])
        if said and values[-1] - values[0] < step / 2:
            return ""
        low, high = bounds(self.rules, unit)
        middle = rounded((values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2, step)
        share = min(1.0, 1.2 / (self.sheet.turns - self.sheet.turn + 1))
        value = min(max(rounded(old + (middle - old) * share, step), low), high)
        words = {"was": mine.quantity.written(old), "new": named(mine.text, mine.quantity, value)}
        if self.stage == "last" and value == middle:
            known = any(abs(figure.quantity.value - value) < step / 2 for figure in figures)
            return self.say(ACCEPT if known else MEET, "accept", **words)
        return self.say(HOLD if abs(value - old) < step / 2 else STEP, "step", **words)

    def _mediate(self, figures: list[Figure]) -> str:
        """A seat without a figure of its own puts one between those of the others."""
        ordered = sorted(figures, key=lambda figure: figure.quantity.value)
        low, high = ordered[0].quantity, ordered[-1].quantity
        if len(figures) < 2:
            return ""
        middle = rounded((low.value + high.value) / 2, low.step)
        words = {"low": low.written(low.value), "high": high.written(high.value)}
        words["new"] = named(ordered[0].text, low, middle)
        if high.value - low.value < low.step / 2:
            return self.say(AGREED, "mediate", **words)
        return self.say(MEDIATE_LAST if self.stage == "last" else MEDIATE, "mediate", **words)

    def _from_goals(self, unit: str) -> Figure | None:
        for goal in self.goals:
            if found := next((q for q in quantities(goal) if q.unit == unit), None):
                return Figure(self.sheet.me, found, goal)
        return None

    def _now(self) -> list[str]:
        turn = self.sheet.turn
        chosen = [self.goals[(turn - 1 + number) % len(self.goals)] for number in range(min(2, len(self.goals)))]
        return [cut(bare(goal), 200) for goal in dict.fromkeys(chosen)]

    def _reasoning(self) -> str:
        goal = self.goals[(self.sheet.turn - 1) % len(self.goals)]
        figures = [f"{mentioned(figure.who)} at {_shown(figure)}" for figure in self._figures()]
        return think(self.table, goal, figures, self.say)


def _shown(figure: Figure) -> str:
    return named(figure.text, figure.quantity, figure.quantity.value)


def decide(sheet: Sheet, seed: int, _schema: dict[str, Any]) -> dict[str, Any]:
    """Suggestions for `action`, `goals` and `reasoning`."""
    return Decider(sheet, seed).decide()

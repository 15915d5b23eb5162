"""A whole run played on paper: which questions a policy asks when seats answer in a certain manner."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from pyscrai.domain.entry import Entry
from pyscrai.domain.plan import Plan
from pyscrai.domain.play import advance, begin
from pyscrai.domain.scenario import Seat
from pyscrai.domain.state import State
from pyscrai.domain.work import Result, Work
from pyscrai_api.estimates.answers import Manner, answer

Key = tuple[str, str, str]
"""Phase, who is asked, and what sets this question apart from others of that phase."""
MOST = 60_000
"""Questions of one play; longer ones are not played to their end."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One question. `place`: where in the play it came, if its prompt may be rendered; `again`: it is asked because of
    a wrong answer."""

    work: Work
    who: str
    key: Key
    place: Moment | None
    again: bool = False


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The state in which a step was asked, and the story up to there."""

    state: State
    log: list[Entry]
    length: int

    def recent(self) -> list[Entry]:
        first = self.state.marks[0] if self.state.marks else 1
        return self.log[first - 1 : self.length]


@dataclass(kw_only=True)
class Play:
    """`turns`: how many were played; `whole`: whether that was to the end; `again`: how many of the questions were
    asked because of a wrong answer."""

    asked: list[Asked] = field(default_factory=list)
    turns: int = 0
    again: int = 0
    whole: bool = True

    @property
    def calls(self) -> int:
        """Questions of the schedule."""
        return len(self.asked) - self.again


def play(plan: Plan, manner: Manner, tokens: Callable[[Work], float], shown: Collection[int]) -> Play:
    """Play a run. `tokens`: how long an answer is; `shown`: the turns whose prompts may be rendered.

    Raises PolicyError where the policy finds no way on.
    """
    told = Play()
    plan = _without_secrets(plan)
    move = begin(plan)
    log: list[Entry] = list(move.entries)
    step = 0
    while move.work:
        step += 1
        moment = None
        if move.work[0].turn in shown:
            moment = Moment(state=move.state, log=log, length=len(log))
        results = []
        for work in move.work:
            results.append(Result(work=work, value=answer(plan, move.state, work, manner, tokens(work))))
            who = who_answers(work)
            if work.seat is None or not plan.human(work.seat) or plan.choice(work.seat).approve:
                # What is asked again, and what looks at that once more.
                again = bool(work.payload.get("again")) or work.phase in move.state.reasked
                told.asked.append(
                    Asked(work=work, who=who, key=(work.phase, who, _kind(work)), place=moment, again=again)
                )
                told.again += again
        told.turns = max(told.turns, move.work[0].turn)
        if len(told.asked) >= MOST:
            told.whole = False
            break
        move = advance(plan, move.state, results, seq=len(log), step=step)
        log += move.entries
    return told


def _without_secrets(plan: Plan) -> Plan:
    """Nobody gives away anything in made-up answers, so nothing has to be looked for in them."""
    kept = {"title", "role", "model", "max_tokens", "human", "opening"}
    seats = {
        name: Seat(
            **seat.model_dump(include=kept),
            tools=[tool.model_copy(update={"description": ""}) for tool in seat.tools],
        )
        for name, seat in plan.scenario.seats.items()
    }
    return plan.model_copy(update={"scenario": plan.scenario.model_copy(update={"seats": seats})})


def who_answers(work: Work) -> str:
    """The seat, the narrator or the analyst."""
    return work.seat or ("narrator" if work.phase == "world_update" else "analyst")


def _kind(work: Work) -> str:
    """Questions of a phase that are worded differently."""
    told: dict[str, Any] = dict(work.payload)
    marks = [f"{name} {told[name]}" for name in ("round", "check", "step", "tool", "again", "at_end") if told.get(name)]
    if "tools_left" in told:
        marks.append("with tools" if told["tools_left"] else "without tools")
    return ", ".join(marks)


def variants(plan: Plan) -> tuple[dict[Manner, Plan], list[str]]:
    """The plan as it is played in each manner, and what the number of questions depends on (nothing: it is exact)."""
    scenario = plan.scenario
    policy = scenario.schedule.policy
    why = _talk(plan)
    quiet = usual = plan
    if scenario.schedule.end_when:
        why.append("the run ends earlier where one of its end_when conditions holds; expected is that none does")
        quiet = plan.model_copy(
            update={"choices": plan.choices.model_copy(update={"turns": min(plan.turns, scenario.analyst.every)})}
        )
    if any(step.when for step in scenario.flow.values()):
        why.append("steps of the flow play only where their condition on metrics holds; expected is that all do")
        free = {name: step.model_copy(update={"when": None}) for name, step in scenario.flow.items()}
        usual = plan.model_copy(update={"scenario": scenario.model_copy(update={"flow": free})})
    if policy == "dialogue@1":
        why.append("a dialogue ends as soon as all have said their last word; expected is that it takes all its turns")
    return {Manner.QUIET: quiet, Manner.USUAL: usual, Manner.BUSY: usual}, why


def _talk(plan: Plan) -> list[str]:
    told, scenario = [], plan.scenario
    if "communication" in plan.event_types and scenario.communication.rounds > 1 and scenario.communication.bilateral:
        told.append("who gets a letter is asked for an answer; expected is one letter of each seat in a turn")
    if "coalition" in plan.event_types:
        told.append("who is offered a coalition is asked for an answer; expected is one offer in the first turn")
    if "tool" in plan.event_types:
        told.append("seats use their tools as often as they like; expected is one use before each message")
    return told


def remarks(plan: Plan, again: int) -> list[str]:
    """What the numbers do not hold, in words."""
    told = []
    if again:
        told.append(
            f"the narrator is asked once more where facts or a check contradict it: at most {again:,} calls more"
        )
    people = [plan.scenario.seat_title(seat) for seat in plan.seats if plan.human(seat)]
    if people:
        told.append(f"people cost nothing: {', '.join(people)}")
    if plan.choices.cache:
        told.append("answers from the cache cost nothing; the estimate is without it")
    return told

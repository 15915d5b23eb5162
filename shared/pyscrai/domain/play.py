"""How a run goes on: results → story → policy, until there is work to wait for or the run is over. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from pyscrai.domain import injected
from pyscrai.domain.entry import Draft, Entry, draft
from pyscrai.domain.errors import PolicyError
from pyscrai.domain.injected import Injected
from pyscrai.domain.narrate import narrate
from pyscrai.domain.plan import Plan
from pyscrai.domain.policies import policy
from pyscrai.domain.state import State, apply, initial, window
from pyscrai.domain.work import Result, Work

MAX_MOVES = 1000
"""More policy moves than this without any work is a policy that goes round in circles."""


class Advance(BaseModel):
    """A step's worth of story, the state after it, and the work to wait for (none: the run is over).

    `halt`: what a check found that a person is to look at before the run goes on.
    """

    model_config = ConfigDict(frozen=True)

    entries: list[Entry]
    state: State
    work: list[Work] = []

    @property
    def halt(self) -> list[str]:
        found = [entry for entry in self.entries if entry.kind == "check" and entry.body.get("action") == "halt"]
        issues: list[Any] = [entry.body.get("issues") or [entry.body.get("check")] for entry in found]
        return [str(issue) for listed in issues for issue in listed]


class _Log:
    """Numbers entries and folds them as they come."""

    def __init__(self, plan: Plan, state: State, seq: int, step: int, n: int = 0) -> None:
        self.entries: list[Entry] = []
        self.state = state
        self._window = window(plan)
        self._seq = seq
        self._step = step
        self._n = n

    def add(self, line: Draft) -> None:
        self._seq += 1
        entry = Entry(**dict(line), seq=self._seq, step=self._step, n=self._n + len(self.entries))
        self.state = apply(self.state, entry, self._window)
        self.entries.append(entry)


def begin(plan: Plan, *, seq: int = 0) -> Advance:
    """The first entries of a run and its first step. `seq`: lines of the log before it, of a run that had to wait."""
    log = _Log(plan, initial(plan), seq=seq, step=0)
    scenario = plan.scenario
    body: dict[str, Any] = {
        "title": scenario.title or scenario.name,
        "scenario": scenario.name,
        "policy": scenario.schedule.policy,
        "turns": plan.turns,
        "seed": plan.seed,
        "seats": [{"seat": s, "title": scenario.seat_title(s), "role": scenario.seats[s].role} for s in plan.seats],
        "world": scenario.world.text,
    }
    log.add(draft("run_started", body))
    return _go_on(plan, log)


def advance(
    plan: Plan,
    state: State,
    results: list[Result],
    *,
    seq: int,
    step: int,
    n: int = 0,
    inputs: Sequence[Injected] = (),
) -> Advance:
    """Fold a finished step and decide what comes next.

    `results` are in the step's order, `inputs` (what people injected meanwhile) in the order in which they came; `seq`
    is the last number of the log, control entries included; `step` is the step that these results belong to, and `n`
    how many story lines it has already: of a branch, which goes on within a step. Raises PolicyError where the policy
    has no way on.
    """
    log = _Log(plan, state, seq, step, n)
    for line in narrate(plan, log.state, results):
        log.add(line)
    for one in inputs:
        for line in injected.lines(plan, log.state, [one]):
            log.add(line)
    return _go_on(plan, log)


def _go_on(plan: Plan, log: _Log) -> Advance:
    decide = policy(plan.scenario.schedule.policy)
    for _ in range(MAX_MOVES):
        move = decide(plan, log.state)
        for line in move.entries:
            log.add(line)
        if move.work:
            return Advance(entries=log.entries, state=log.state, work=move.work)
        if move.end is not None:
            turn = log.state.turn
            log.add(draft("outcome", {"outcome": move.end.outcome, "reason": move.end.reason}, turn=turn))
            log.add(draft("run_complete", {"turns": turn, "outcome": move.end.outcome}, turn=turn))
            return Advance(entries=log.entries, state=log.state)
    raise PolicyError(f"the policy {plan.scenario.schedule.policy} made {MAX_MOVES} moves without any work")

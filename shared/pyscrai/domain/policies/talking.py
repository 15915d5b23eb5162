"""The phases before the decisions of a turn: letters in rounds, then coalitions. Shared by policies with turns.

All seats of a round act at once and never see each other's letters of that round. What a seat may answer is in the
payload of its work, which alone decides which results are valid.
"""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from pyscrai.domain import pacts, talk
from pyscrai.domain.narrate import phase_complete
from pyscrai.domain.plan import Plan, wants_coalitions, wants_letters
from pyscrai.domain.policies.base import Next
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.state import State
from pyscrai.domain.work import Work


def phases(scenario: Scenario) -> list[str]:
    """Which of communication and coalition a scenario's turns have."""
    return [talk.PHASE] * wants_letters(scenario) + [pacts.PHASE] * wants_coalitions(scenario)


def next_step(plan: Plan, state: State) -> Next | None:
    """The next round of talk in the open turn; None where nothing of it is left."""
    left = [phase for phase in phases(plan.scenario) if phase not in state.phases_done]
    if not left:
        return None
    return _letters(plan, state) if left[0] == talk.PHASE else _coalitions(plan, state)


def _letters(plan: Plan, state: State) -> Next:
    wanted = plan.scenario.communication
    if state.round == 0:
        asked = {seat: _channels(plan, state, seat) for seat in plan.seats}
    elif state.round < wanted.rounds:
        asked = {seat: state.awaiting[seat] for seat in plan.seats if seat in state.awaiting}
    else:
        asked = {}
    if not asked:
        return Next(entries=[phase_complete(state.turn, talk.PHASE, 0)])
    first = state.round == 0
    work = []
    for seat, channels in asked.items():
        members = {name: found.members for name, found in state.coalitions.items() if name in channels}
        payload: dict[str, Any] = {"round": state.round + 1, "to": channels, "members": members}
        payload |= {"letters": wanted.letters if first else len(channels), "statement": first and wanted.statements}
        work.append(_work(plan, state, talk.PHASE, seat, payload))
    return Next(work=work)


def _channels(plan: Plan, state: State, seat: str) -> list[str]:
    """Whom a seat may write to first: every other seat, and the coalitions that it stands in."""
    others = [other for other in plan.seats if other != seat] if plan.scenario.communication.bilateral else []
    return [*others, *pacts.of(state.coalitions, seat)]


def _coalitions(plan: Plan, state: State) -> Next:
    if state.round == 0:
        return Next(work=[_proposing(plan, state, seat) for seat in plan.seats])
    open_offers = pacts.unanswered(state.offers)
    if state.round == 1 and open_offers:
        return Next(
            work=[
                _work(plan, state, pacts.PHASE, seat, {"round": 2, "offers": _shown(state, open_offers[seat])})
                for seat in plan.seats
                if seat in open_offers
            ]
        )
    entries = [*pacts.settled(state.coalitions, state.offers, state.turn)]
    return Next(entries=[*entries, phase_complete(state.turn, pacts.PHASE, 0)])


def _proposing(plan: Plan, state: State, seat: str) -> Work:
    standing = pacts.of(state.coalitions, seat)
    others = [other for other in plan.seats if other != seat]
    members = {name: found.members for name, found in standing.items()}
    return _work(plan, state, pacts.PHASE, seat, {"round": 1, "with": others, "members": members})


def _shown(state: State, names: list[str]) -> dict[str, JsonValue]:
    return {name: {**state.offers[name].model_dump(include={"by", "name", "purpose", "asked"})} for name in names}


def _work(plan: Plan, state: State, phase: str, seat: str, payload: dict[str, Any]) -> Work:
    shape = Work(event_type="", turn=state.turn, phase=phase, seat=seat, payload=payload)
    return shape.model_copy(update={"event_type": plan.event_type(shape).name})

"""The variables that a prompt may use, by lane: what views hold (domain.view), and `data`, the event's payload.

A dotted name closes its parent: `you.goals` is known, `you.gaols` is not. A name that has no dotted ones is open:
everything below `world.facts` is the scenario's own.
"""

from __future__ import annotations

_ALL = """
scenario.title scenario.description scenario.language scenario.challenges
turn turns turn_length phase last_turn
world.text world.facts
others history summary memory instructions data
step.name step.prompt step.to step.fields
"""
_YOU = """
you.seat you.title you.role you.principal you.situation you.goals you.constraints you.style you.expertise you.private
you.knowledge you.instructions you.opening tools tool_results coalitions letters offers
talk.round talk.rounds talk.to talk.letters talk.statement
"""
_NARRATOR = "moves problems variables"
_ANALYST = """
moves world_before profiles previous metrics disclosures at_end
check.name check.description check.prompt
tool.name tool.description tool.guidance tool.input tool.ends
caller.seat caller.title caller.role caller.situation caller.instructions knowledge
"""
_LANES = {"actor": _ALL + _YOU, "narrator": f"{_ALL} {_NARRATOR}", "analyst": f"{_ALL} {_ANALYST}"}


def known_variables(lane: str) -> frozenset[str]:
    """The variables of a built-in lane; for an author's own lane every one that any lane has."""
    return frozenset(_LANES.get(lane, f"{_ALL} {_YOU} {_NARRATOR} {_ANALYST}").split())

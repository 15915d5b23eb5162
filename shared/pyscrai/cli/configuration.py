"""A scenario of ours in the words of a ScenarioConfiguration, as its clients post it."""

from __future__ import annotations

from typing import Any

from pyscrai.domain.scenario import Scenario, Seat, Tool


def as_configuration(scenario: Scenario, scenario_id: str) -> dict[str, Any]:
    """`{metadata, agents[]}`: what a dialogue has. What that form has no place for (metrics, checks) is left out."""
    return {
        "metadata": {
            "id": scenario_id,
            "title": scenario.title or scenario.name,
            "description": scenario.description,
            "background": scenario.world.text,
            "challenges": list(scenario.world.challenges),
        },
        "agents": [_agent(scenario, name, seat) for name, seat in scenario.seats.items()],
    }


def _agent(scenario: Scenario, name: str, seat: Seat) -> dict[str, Any]:
    principal = seat.principal
    who = scenario.seat_title(name)
    return {
        "agentId": name,
        "principal": {
            "type": principal.type if principal else "individual",
            "name": principal.name if principal else who,
            "description": principal.description if principal else seat.role,
        },
        "situation": seat.situation,
        "systemPrompt": "\n".join(filter(None, [f"You are {who}, {seat.role}.", seat.instructions, seat.style])),
        "goals": list(seat.goals),
        "knowledgeBase": dict(seat.knowledge),
        **({"messageToUseWhenInitiatingConversation": seat.opening} if seat.opening else {}),
        "tools": [_tool(tool) for tool in seat.tools],
    }


def _tool(tool: Tool) -> dict[str, Any]:
    ends = {"endsConversation": True, "conversationEndStatus": tool.ends} if tool.ends else {}
    return {
        "toolName": tool.name,
        "description": tool.description,
        "inputSchema": dict(tool.input_schema),
        "synthesisGuidance": tool.guidance,
        **ends,
    }

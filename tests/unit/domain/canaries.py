"""Random scenarios in which every private field of every seat holds a word that is nowhere else, and models for them.

The quiet model never repeats what it was shown; the echoing one says back some of it, now and then.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pyscrai.domain.choices import Choices
from pyscrai.domain.entry import Entry
from pyscrai.domain.injected import Injected
from pyscrai.domain.plan import Pinned, Plan, needed_event_types
from pyscrai.domain.play import advance, begin
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.view import result_schema, view
from pyscrai.domain.work import EventType, Result, Work
from pyscrai.prompting import render, variables

SEED = Path(__file__).parents[3] / "seed" / "event-types"
CANARY = re.compile(r"zq(\w+?)x(\w+?)q\d+z")
"""A canary says whose it is and of which field."""
WHOLE = re.compile(CANARY.pattern + " lies under heavy stone")
"""All five words: less is no repeating by what the check means by it."""
SEATS = ("ada", "bo", "cy", "dee")
Text = Callable[[int], str]
"""Something to say, at most so many characters long."""


def canary(seat: str, field: str, chance: random.Random) -> str:
    """Five words of which the first is like no other."""
    return f"zq{seat}x{field}q{chance.randrange(10**6)}z lies under heavy stone"


def seat_of(name: str, chance: random.Random) -> dict[str, Any]:
    """A seat with a canary in every field that it alone knows."""

    def kept(field: str) -> str:
        return canary(name, field, chance)

    return {
        "title": f"The {name}",
        "role": "sits here",
        "principal": {"name": "Somebody", "description": kept("principal")},
        "situation": kept("situation"),
        "goals": [kept("goal1"), kept("goal2")],
        "constraints": [kept("constraint1")],
        "style": kept("style"),
        "expertise": chance.choice([kept("expertise"), {"law": kept("expertise")}]),
        "private": kept("private"),
        "knowledge": {"papers": kept("papers"), "figures": {"deep": [kept("figures")]}},
        "instructions": kept("instructions"),
        "opening": kept("opening"),
    }


def scenario(chance: random.Random, policy: str) -> dict[str, Any]:
    """A scenario of this policy with everything that it can play, by chance."""
    seats = SEATS[: chance.randint(2, 4)]
    document: dict[str, Any] = {
        "name": "canaries",
        "world": {"text": "A hall.", "facts": {"door": "shut"}},
        "seats": {seat: seat_of(seat, chance) for seat in seats},
        "schedule": {"policy": policy, "turns": chance.randint(2, 3)},
        "metrics": {"mood": {"type": "text", "by": "model"}, "doors": {"by": "pattern", "pattern": r"(\d+) doors"}},
        "checks": {"sound": {"description": "Is it sound?", "on_issue": chance.choice(["log", "warn", "reask"])}},
        "reports": {"every": chance.choice([None, 1]), "at_end": True},
    }
    return document | {"turns@1": _talk, "dialogue@1": _tools, "flow@1": _flow}[policy](document, seats, chance)


def _talk(_document: dict[str, Any], seats: tuple[str, ...], chance: random.Random) -> dict[str, Any]:
    whispered = {"name": "rumour", "text": canary(seats[0], "rumour", chance), "turns": [1], "seats": [seats[0]]}
    return {
        "communication": {
            "bilateral": chance.random() < 0.8,
            "statements": chance.random() < 0.5,
            "coalitions": chance.random() < 0.8,
            "rounds": chance.randint(1, 3),
        },
        "happenings": [whispered],
    }


def _tools(document: dict[str, Any], seats: tuple[str, ...], chance: random.Random) -> dict[str, Any]:
    for seat in seats:
        told = {name: canary(seat, f"tool{name}", chance) for name in ("description", "guidance")}
        name = canary(seat, "toolname", chance).partition(" ")[0]
        ends = chance.choice([None, None, "success"])
        document["seats"][seat]["tools"] = [{"name": name, "ends": ends, **told}]
    document["schedule"]["turns"] = 6
    return {"seats": document["seats"]}


def _flow(_document: dict[str, Any], seats: tuple[str, ...], chance: random.Random) -> dict[str, Any]:
    fields = {"price": {"type": "string", "maxLength": 300}}
    steps: dict[str, Any] = {"opens": {"by": seats[0], "on": "start", "to": chance.choice(["all", seats[1]])}}
    steps["answers"] = {"by": seats[1], "on": "opens", "to": seats[0], "result": fields, "repeat": 2}
    steps["tells"] = {"by": "narrator", "on": "answers"}
    steps["all"] = {"by": "all_seats", "on": "tells", "to": chance.choice(["all", seats[0]]), "prompt": "Speak."}
    steps["looks"] = {"by": "analyst", "on": "all"}
    return {"flow": steps, "reports": {}}


@cache
def event_type(name: str) -> EventType:
    return EventType.model_validate(yaml.safe_load((SEED / f"{name}.yaml").read_text("utf-8")))


def plan_of(document: dict[str, Any], **choices: Any) -> Plan:
    """A plan with the prompts that are shipped."""
    played = Scenario.model_validate(document)
    kinds = needed_event_types(played)
    return Plan(
        scenario=played,
        choices=Choices.model_validate(choices),
        event_types={phase: event_type(name) for phase, name in kinds.items()},
        pins=[Pinned(type="event-types", name=name, sha256=name) for name in kinds.values()],
    )


class Played:
    """A whole run. `requests`: what the quiet model was asked, and for whom; `log`: all lines of it."""

    def __init__(self, plan: Plan, chance: random.Random, *, echo: bool, whisper: bool = True) -> None:
        self.plan = plan
        self.log: list[Entry] = []
        self.requests: list[tuple[str, str]] = []
        self._chance = chance
        self._echo = echo
        self._play(whisper)

    def _play(self, whisper: bool) -> None:
        move, step = begin(self.plan), 0
        self.log += move.entries
        while move.work:
            step += 1
            results = [Result(work=work, value=self._answer(move.state, work)) for work in move.work]
            seat = self._chance.choice(self.plan.seats)
            told = Injected(kind="input", seat=seat, body={"text": canary(seat, "whisper", self._chance)})
            inputs = [told] if whisper and step == 2 else []
            move = advance(self.plan, move.state, results, seq=len(self.log), step=step, inputs=inputs)
            self.log += move.entries
            assert step < 200, "the run goes on for ever"
        self.state = move.state

    def _answer(self, state: Any, work: Work) -> dict[str, Any]:
        first = state.marks[0] if state.marks else 1
        seen = view(self.plan, state, [entry for entry in self.log if entry.seq >= first], work)
        if not self._echo:
            kind, values = self.plan.event_type(work), variables(seen, work.payload)
            who = work.seat or ("narrator" if work.phase == "world_update" else "analyst")
            self.requests.append((who, f"{render(kind.system, values)}\n{render(kind.prompt, values)}\n{values}"))
        said: Text = echoing(seen, self._chance) if self._echo else quiet(self._chance)
        answer: dict[str, Any] = filled(result_schema(self.plan, work), said, self._chance)
        return answer


def quiet(chance: random.Random) -> Text:
    return lambda limit: f"word{chance.randrange(10**6)}"[:limit]


def echoing(seen: dict[str, Any], chance: random.Random) -> Text:
    """Now and then some of what it reads, whole, and else nothing of it: so that each secret has its own way out."""
    pieces = list(dict.fromkeys(_leaves(seen)))

    def said(limit: int) -> str:
        if chance.random() < 0.6:
            return f"word{chance.randrange(10**6)}"[:limit]
        text = "I say"
        for piece in chance.sample(pieces, min(len(pieces), chance.randint(1, 8))):
            if len(text) + len(piece) + 2 <= limit:
                text += f". {piece}"
        return text

    return said


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)


def filled(schema: Any, said: Text, chance: random.Random) -> Any:
    """A value that fits a schema of ours."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return chance.choice(schema["enum"])
    if "anyOf" in schema:
        return filled(chance.choice(schema["anyOf"]), said, chance)
    kinds = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else chance.choice(kinds)
    if kind == "object":
        found = {name: filled(one, said, chance) for name, one in schema.get("properties", {}).items()}
        more = schema.get("additionalProperties", False)
        return found | ({"told": said(300)} if isinstance(more, dict) else {})
    if kind == "array":
        least, most = schema.get("minItems", 0), min(schema.get("maxItems", 3), 3)
        if "enum" in schema.get("items", {}):
            return chance.sample(
                schema["items"]["enum"], chance.randint(least, min(most, len(schema["items"]["enum"])))
            )
        return [filled(schema["items"], said, chance) for _ in range(chance.randint(least, max(least, most)))]
    if kind == "string":
        return said(schema.get("maxLength", 400))
    return {"boolean": chance.random() < 0.3, "integer": 3, "number": 0.5, "null": None}[kind]

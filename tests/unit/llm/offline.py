"""Plays a scenario in this process, without queue or database: prompts, models and the pure domain, nothing else.

python tests/unit/llm/offline.py negotiation [seed] [turns] [--prompts]
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import yaml

from pyscrai.contract.events import CallRecord, ModelChoice
from pyscrai.domain.chance import chance
from pyscrai.domain.choices import Choices
from pyscrai.domain.entry import Entry
from pyscrai.domain.plan import Plan, needed_event_types
from pyscrai.domain.play import advance, begin
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.view import result_schema, view
from pyscrai.domain.work import EventType, Result, Work
from pyscrai.formats.load import load as read_scenario
from pyscrai.llm import Question, ask
from pyscrai.prompting import render, variables

ROOT = Path(__file__).parents[3]


class FreeMeter:
    """Grants everything and remembers the calls."""

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []
        self.reserved: list[dict[str, Any]] = []

    async def reserve(self, **what: Any) -> None:
        self.reserved.append(what)

    def record(self, call: CallRecord) -> None:
        self.calls.append(call)


def scenario(name: str) -> Scenario:
    read = read_scenario(ROOT / "templates/scenarios" / name)
    assert read.scenario is not None, [str(finding) for finding in read.findings]
    return read.scenario


def event_type(name: str) -> EventType:
    return EventType.model_validate(load(ROOT / "seed/event-types" / f"{name}.yaml"))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def plan_of(played: Scenario, seed: int = 0, model: str = "rehearsal", turns: int | None = None) -> Plan:
    types = {phase: event_type(name) for phase, name in needed_event_types(played).items()}
    choices = Choices(seed=seed, model=model, turns=turns)
    return Plan(scenario=played, choices=choices, event_types=types, pins=[])


def question(plan: Plan, seen: dict[str, Any], work: Work, number: int) -> Question:
    """What an engine would ask for this event."""
    kind = plan.event_type(work)
    who = work.seat or ("narrator" if work.phase == "world_update" else "analyst")
    seating = plan.seating(who)
    values = variables(seen, work.payload)
    seed = chance(plan.seed, work.turn, work.phase, work.seat, number)
    return Question(
        model=ModelChoice(id=seating.model, temperature=seating.temperature, max_tokens=seating.max_tokens, seed=seed),
        system=render(kind.system, values),
        user=render(kind.prompt, values),
        schema=result_schema(plan, work),
        event_type=kind.name,
        seat=work.seat,
        turn=work.turn,
        phase=work.phase,
        try_no=1,
        event_id=number,
        lease_no=1,
        view=seen,
    )


async def play(plan: Plan, asked: list[Question] | None = None) -> AsyncIterator[Entry]:
    """The run's log, entry by entry."""
    step, moved = 0, begin(plan)
    log = list(moved.entries)
    for entry in moved.entries:
        yield entry
    meter = FreeMeter()
    while moved.work:
        recent = [entry for entry in log if entry.seq >= (moved.state.marks or [1])[0]]
        questions = [
            question(plan, view(plan, moved.state, recent, work), work, n) for n, work in enumerate(moved.work)
        ]
        if asked is not None:
            asked.extend(questions)
        values = [await ask(each, meter, timeout=30) for each in questions]
        results = [Result(work=work, value=value) for work, value in zip(moved.work, values, strict=True)]
        step += 1
        moved = advance(plan, moved.state, results, seq=log[-1].seq, step=step)
        log += moved.entries
        for entry in moved.entries:
            yield entry


async def show(name: str, seed: int, prompts: bool, turns: int | None) -> None:
    played = scenario(Path(name).name)
    asked: list[Question] = []
    async for entry in play(plan_of(played, seed, turns=turns), asked):
        title = played.seat_title(entry.seat) if entry.seat in played.seats else ""
        print(f"{entry.turn:2} {entry.kind:14} {title:14} {line(entry.body)}")
    if prompts:
        for each in asked[:8]:
            print(f"\n======== {each.event_type} {each.seat}\n{each.system}\n--------\n{each.user}")


def line(body: dict[str, Any]) -> str:
    for key in ("action", "text", "narrative", "reasoning", "thought"):
        if key in body:
            rest = {k: v for k, v in body.items() if k != key and v}
            return f"{body[key]}  {rest or ''}"
    return str(body)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    asyncio.run(
        show(
            words[0],
            int(words[1]) if len(words) > 1 else 0,
            "--prompts" in sys.argv,
            int(words[2]) if len(words) > 2 else None,
        )
    )

"""People in a program's runs: `HumanActor` answers for a seat, by a function of one's own or by asking in the terminal
or notebook."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import anyio
from anyio import to_thread

from pyscrai.client.api import Api
from pyscrai.client.errors import Conflict, InvalidMove
from pyscrai.contract.runs import TERMINAL, Run
from pyscrai.contract.seats import Asked, SeatPage
from pyscrai.domain.choices import Choices, SeatChoice
from pyscrai.sdk.patience import patiently

T = TypeVar("T")
LOOK_SECONDS = 0.2


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a person is asked. `person`: how their HumanActor is called; `view`: what the seat knows; `form`: the JSON
    Schema of an answer; `proposed`: what the seat's model wants to do (None: the person moves); `draft`: what was
    answered before; `faults`: why that was refused. `seconds_left` None: there is no deadline."""

    person: str
    run: str
    seat: str
    title: str
    what: str
    turn: int
    turns: int
    view: Mapping[str, Any]
    form: Mapping[str, Any]
    proposed: Mapping[str, Any] | None
    draft: Mapping[str, Any] | None
    faults: tuple[str, ...]
    seconds_left: float | None


Reply = Mapping[str, Any] | None
Answers = Callable[[Question], Reply | Awaitable[Reply]]


class HumanActor:
    """A person at a seat. `name`: how the person, or the seat, is called; `answers` gets each Question and returns the
    answer (None: the proposal as it is); plain functions run in a thread. Without it, questions are put on the terminal
    or in the notebook. `approve`: the seat's model proposes, the person has the last word."""

    def __init__(
        self,
        name: str = "",
        answers: Answers | None = None,
        *,
        approve: bool = False,
        deadline: float | None = None,
        on_deadline: str | None = None,
    ) -> None:
        self.name = name
        self.approve = approve
        self.deadline = deadline
        self.on_deadline = on_deadline
        self._answers: Answers = answers or ask_here
        self.asks_here = answers is None

    def choice(self, before: SeatChoice | None) -> SeatChoice:
        """The seat's choice in a run that this person plays in."""
        told = {"approve": True} if self.approve else {"human": True}
        rule = {"deadline": self.deadline, "on_deadline": self.on_deadline}
        known = {} if before is None else before.model_dump(exclude_none=True)
        return SeatChoice.model_validate({**known, **told, **{k: v for k, v in rule.items() if v is not None}})

    async def answer(self, question: Question) -> Reply:
        """What the person says."""
        if inspect.iscoroutinefunction(self._answers):
            return cast(Reply, await self._answers(question))
        found = await to_thread.run_sync(partial(self._answers, question), abandon_on_cancel=True)
        return await found if inspect.isawaitable(found) else found


Actors = Mapping[str, HumanActor]


def at_seats(actors: Mapping[str, HumanActor], seats: Collection[str]) -> Actors:
    """The same people by the names of their seats: `eu_commission` is `eu-commission` where there is no other."""
    return {
        name if name in seats or (other := name.replace("_", "-")) not in seats else other: actor
        for name, actor in actors.items()
    }


def seated(choices: Choices, actors: Actors) -> Choices:
    """The same choices with these people at their seats."""
    people = {seat: actor.choice(choices.seats.get(seat)) for seat, actor in actors.items()}
    return choices.model_copy(update={"seats": {**choices.seats, **people}})


async def with_people(api: Api, run: Run, actors: Actors, play: Callable[[], Awaitable[T]]) -> T:
    """Play a run while these people answer for their seats; what goes wrong with one of them ends the playing."""
    if not actors:
        return await play()
    results: list[T] = []
    try:
        async with anyio.create_task_group() as tasks:
            for seat, actor in actors.items():
                tasks.start_soon(_sit, api, run.id, seat, actor)
            results.append(await play())
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        only: BaseException = group
        while isinstance(only, BaseExceptionGroup) and len(only.exceptions) == 1:
            only = only.exceptions[0]
        raise only from None
    return results[0]


async def _sit(api: Api, run_id: str, seat: str, actor: HumanActor) -> None:
    while True:
        run = await patiently(lambda: api.run(run_id))
        if run.status in TERMINAL:
            return
        asked = next((one for one in run.asks if one.seat == seat), None)
        if asked is None:
            await anyio.sleep(LOOK_SECONDS)
        else:
            await _reply(api, asked, actor)


async def _reply(api: Api, asked: Asked, actor: HumanActor) -> None:
    """One question until it is answered, or somebody else was faster: the deadline, another tab, who took the seat."""
    faults: tuple[str, ...] = ()
    while True:
        page = await patiently(lambda: api.seats.page(asked.run_id, asked.seat))
        if page.asked is None or page.asked.event_id != asked.event_id:
            return
        now = page.asked
        value = await actor.answer(_question(actor, page, now, faults))
        try:
            await _move(api, now, value)
            return
        except Conflict:
            return
        except InvalidMove as error:
            faults = tuple(f"{one.pointer.removeprefix('/value') or '/'}: {one.message}" for one in error.errors)
            if not actor.asks_here:
                raise


async def _move(api: Api, asked: Asked, value: Reply) -> None:
    await patiently(lambda: api.seats.move(asked, None if value is None else dict(value)))


def _question(actor: HumanActor, page: SeatPage, asked: Asked, faults: tuple[str, ...]) -> Question:
    return Question(
        person=actor.name or page.title,
        run=asked.run,
        seat=asked.seat,
        title=page.title,
        what=asked.what,
        turn=asked.turn,
        turns=asked.turns,
        view=page.view,
        form=page.form or {},
        proposed=page.proposed,
        draft=page.draft,
        faults=faults,
        seconds_left=asked.seconds_left,
    )


def ask_here(question: Question) -> Reply:
    """Ask with `input`, which terminals and notebooks have, field by field; lists and the like as JSON."""
    world = question.view.get("world") or {}
    _say(f"\n{question.person}: {question.what} for {question.title}, turn {question.turn} of {question.turns}")
    _say(str(world.get("text") or ""))
    for line in question.faults:
        _say(f"  not like this: {line}")
    if question.proposed is not None:
        _say(json.dumps(question.proposed, ensure_ascii=False, indent=2))
        if input("Enter approves, anything else edits: ").strip() == "":
            return None
    found: dict[str, Any] = {}
    for name, schema in (question.form.get("properties") or {}).items():
        typed = input(f"{schema.get('title') or name}: ").strip()
        if typed:
            found[name] = _read(typed, schema)
        elif name in (question.form.get("required") or []):
            found[name] = None if "null" in (schema.get("type") or []) else [] if schema.get("type") == "array" else ""
    return found


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _read(typed: str, schema: Mapping[str, Any]) -> Any:
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds or []
    if "string" in kinds:
        return typed
    if "boolean" in kinds:
        return typed.lower() in ("y", "yes", "true", "1")
    try:
        return json.loads(typed)
    except ValueError:
        return [part.strip() for part in typed.split(";")] if "array" in kinds else typed

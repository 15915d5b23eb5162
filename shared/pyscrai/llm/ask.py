"""One question to one model: ask, check the answer, at most once have it repaired."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pyscrai.llm import answers
from pyscrai.llm.errors import ModelError, Unparsable, Unsupported
from pyscrai.llm.learned import FORMAT, remember, takes
from pyscrai.llm.question import Meter, Question
from pyscrai.llm.setup import prepare, warm_up

if TYPE_CHECKING:
    from agno.models.base import Model
    from agno.models.message import Message

    from pyscrai.llm.metered import MeteredModel

SHOWN_BACK = 6000
"""Characters of a wrong answer that its author is shown for the repair."""
FORM = "# Form of the answer\n\nAnswer with one JSON object that fits this JSON Schema, and with nothing else:"


async def ask(question: Question, meter: Meter, *, timeout: float) -> dict[str, Any]:
    """The answer: an object that fits the question's schema, or `{"content": text, "error": None}` without one.

    `timeout` is in seconds, per model call. Raises a ModelError, or untouched what `meter.reserve` raised.
    """
    await warm_up()
    from pyscrai.llm.clients import lending

    with lending(question.key):
        return await _ask(question, meter, timeout)


async def _ask(question: Question, meter: Meter, timeout: float) -> dict[str, Any]:
    from agno.models.message import Message

    from pyscrai.llm.metered import MeteredModel
    from pyscrai.llm.providers import build, named, overhead

    provider = named(question.model.id).provider
    name = question.model.id

    async def make() -> Model:
        await prepare(provider)
        return build(question)

    model = MeteredModel(
        id=name,
        name=provider,
        provider=provider,
        make=make,
        overhead=overhead(provider),
        question=question,
        meter=meter,
        timeout=timeout,
    )
    schema, asked = question.schema, f"{question.system}\n{question.user}"
    told = texts(question.system, question.user, schema)
    messages = [Message(role=role, content=text) for role, text in told if text]
    try:
        await _call(model, messages, schema)
    except Unsupported:
        model.inner = None  # built anew, without what the server does not take
        await _call(model, messages, schema)
    try:
        return answers.read(model.answer, schema, asked)
    except answers.Unusable as error:
        problem = error
    if model.calls > 1:
        raise Unparsable(f"{name}: {_problem(problem, model, cut_off=model.cut_off)}")
    messages += [
        Message(role="assistant", content=model.answer[:SHOWN_BACK] or "(nothing)"),
        Message(role="user", content=_repair(_problem(problem, model, cut_off=model.filled), schema)),
    ]
    await _call(model, messages, schema)
    try:
        return answers.read(model.answer, schema, asked)
    except answers.Unusable as error:
        what = _problem(error, model, cut_off=model.cut_off)
        raise Unparsable(f"{name}: the answer was unusable, and so was its repair. {what}") from error


async def _call(model: MeteredModel, messages: list[Message], schema: dict[str, Any] | None) -> None:
    """One run of a bare agno agent: no memory, no tools, no text of its own."""
    from agno.agent import Agent
    from agno.run.base import RunStatus

    sent = schema if takes(str(model.id), FORMAT) else None
    agent = Agent(model=model, output_schema=sent, build_context=False, telemetry=False, retries=0)
    output = await agent.arun([message.model_copy() for message in messages])
    # agno never raises, and takes an unparsable answer for a success: the model itself says what happened.
    if isinstance(model.stopped, Unsupported):
        remember(str(model.id), model.stopped.part)
    if model.stopped is not None:
        raise model.stopped
    if output.status != RunStatus.completed:
        raise ModelError(f"{model.id}: agno gave up: {output.content}")


def texts(system: str, user: str, schema: dict[str, Any] | None) -> list[tuple[str, str]]:
    """(role, text) of what a model is sent first: the prompts, and the form that the answer has to have."""
    if schema is not None:
        wanted = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
        system = "\n\n".join([system, FORM, wanted])
    return [("system", system.strip()), ("user", user)]


def _problem(error: answers.Unusable, model: MeteredModel, *, cut_off: bool) -> str:
    assert model.question is not None
    limit = model.question.model.max_tokens
    return f"{error} The answer was cut off at {limit} tokens: write much less." if cut_off else str(error)


def _repair(problem: str, schema: dict[str, Any] | None) -> str:
    how = "the corrected JSON object, complete, and with nothing else" if schema is not None else "the corrected text"
    return f"That answer cannot be used. {problem}\n\nAnswer again with {how}."

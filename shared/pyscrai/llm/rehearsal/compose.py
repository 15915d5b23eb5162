"""Which composer answers: told by the names of the fields that are asked for, not by the event type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyscrai.llm.rehearsal import consult, moments, pacts
from pyscrai.llm.rehearsal.analyse import check, measure
from pyscrai.llm.rehearsal.decide import decide
from pyscrai.llm.rehearsal.fields import chosen
from pyscrai.llm.rehearsal.letters import write
from pyscrai.llm.rehearsal.narrate import narrate
from pyscrai.llm.rehearsal.reading import Sheet
from pyscrai.llm.rehearsal.review import review
from pyscrai.llm.rehearsal.schema import Filler
from pyscrai.llm.rehearsal.speak import speak
from pyscrai.llm.rehearsal.words import cut, sentence, sentences

Composer = Callable[[Sheet, int, dict[str, Any]], dict[str, Any]]
_COMPOSERS: dict[str, Composer] = {
    "action": decide,
    "decision": decide,
    "text": speak,
    "message": speak,
    "narrative": narrate,
    "consistent": check,
    "values": measure,
    "content": consult.answer,
    "letters": write,
    "proposal": pacts.propose,
    "answers": pacts.answer,
    "turning_points": review,
}

_OF_MOMENTS: dict[str, Composer] = {"text": moments.act, "narrative": moments.scene, "summary": moments.report}
"""What a step of a flow asks for; its own fields may have any names."""


def compose(system: str, prompt: str, schema: dict[str, Any] | None, seed: int) -> dict[str, Any] | str:
    """The answer: an object that fits `schema`, or a text where there is none."""
    sheet = Sheet(prompt)
    if schema is None:
        return _text(prompt)
    properties = schema.get("properties", {})
    known = [*(_OF_MOMENTS.items() if sheet.sections.get("moment") else ()), *_COMPOSERS.items()]
    composer = next((composer for name, composer in known if name in properties), None)
    suggestion = composer(sheet, seed, schema) if composer else chosen(sheet, schema, seed, known=())
    for own, theirs in (("action", "decision"), ("text", "message")):
        if theirs in properties and own in suggestion:
            suggestion[theirs] = suggestion[own]
    if "tool_call" in properties:
        suggestion["tool_call"] = consult.tool_call(sheet, seed, schema)
    words = sheet.items("goals") + sheet.items("moves") + sentences(sheet.prose("world")) + sentences(prompt)
    filled = Filler(schema, seed, [word.lstrip("#-* ") for word in words][:200]).fill(schema, suggestion)
    return filled if isinstance(filled, dict) else {"value": filled}


def _text(prompt: str) -> str:
    asked = sentences(" ".join(line for line in prompt.splitlines() if line.strip() and not line.startswith("#")))
    if not asked:
        return "This is the rehearsal model. It was asked nothing, and says so."
    first = sentence(cut(asked[0], 200))
    return (
        f"This is the rehearsal model, which answers from your own words. You wrote: “{first}” A real model says more."
    )

"""Actor files → seats."""

from __future__ import annotations

from typing import Any

from pyscrai.domain.scenario import slug
from pyscrai.formats import fields
from pyscrai.formats.assembly import Assembly, Source, Taken
from pyscrai.formats.findings import did_you_mean
from pyscrai.formats.words import as_text, as_texts, line_of, paragraphs

KNOWN = [
    "name",
    "short_name",
    "llm_model",
    "model",
    "goals",
    "long_term_goals",
    "constraints",
    "expertise",
    "decision_style",
    "decision_making_style",
    "description",
    "role",
    "system_prompt",
    "private_information",
    "control",
    "information_access",
    "personality_traits",
    "communication_style",
    "preferred_coalitions",
    "temperature",
    "max_tokens",
]
UNUSED = {
    "response_format": "answers are structured, by the event type's schema",
    "schema_version": "the document is read by its content",
    "file": "the actor is written here",
}
_CONTROL = {"ai": False, "llm": False, "model": False, "human": True}


def seat_name(source: Source, fallback: str) -> str:
    """What the seat is called: the short name, else the file's name."""
    short = source.data.get("short_name")
    return slug(short if isinstance(short, str) and short.strip() else fallback)


def read_actor(into: Assembly, source: Source, name: str, common: str) -> None:
    """One actor as the seat `name`. `common` is what the scenario tells every actor."""
    seat = ("seats", name)
    into.put(seat, {}, source)
    source.used.add("short_name")
    if not isinstance(source.data.get("short_name", ""), str):
        message = f'short_name is a text: "{name}" is used'
        into.say("warning", source.place("short_name"), message, None, source.here("short_name"))
    into.move((*seat, "title"), source, "name")
    into.move((*seat, "model"), source, "llm_model", "model")
    into.move((*seat, "temperature"), source, "temperature")
    into.move((*seat, "max_tokens"), source, "max_tokens")
    for key, ours in (("role", "role"), ("description", "situation")):
        taken = source.take(key)
        if taken:
            into.put((*seat, ours), fields.told(into, taken), taken)
    _goals(into, source, seat)
    constraints = source.take("constraints")
    if constraints:
        into.put((*seat, "constraints"), as_texts(constraints.value), constraints)
    expertise = source.take("expertise")
    if expertise:
        into.put((*seat, "expertise"), as_expertise(expertise.value), expertise)
    _style(into, source, seat)
    prompt = source.take("system_prompt")
    told = fields.told(into, prompt) if prompt else ""
    into.put((*seat, "instructions"), paragraphs(common, told), prompt or source)
    _private(into, source, seat)
    _control(into, source, seat)
    coalitions = source.take("preferred_coalitions")
    if coalitions:
        into.put((*seat, "knowledge"), {"preferred coalitions": line_of(coalitions.value)}, coalitions)
    into.finish(source, KNOWN, UNUSED)


def _goals(into: Assembly, source: Source, seat: tuple[str, str]) -> None:
    near, far = source.take("goals"), source.take("long_term_goals")
    shapes = [as_texts(taken.value) for taken in (near, far) if taken]
    if all(isinstance(shape, list) for shape in shapes):
        shapes = [[goal for shape in shapes for goal in shape]]
    if shapes:
        into.put((*seat, "goals"), shapes[0], near or far)


def as_expertise(value: Any) -> str | dict[str, str]:
    """All three shapes: a mapping, a list of mappings, or text (a list of texts is joined)."""
    if isinstance(value, dict):
        return {key: line_of(level) for key, level in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(item, dict) for item in value):
            return {key: line_of(level) for item in value for key, level in _field_and_level(item).items()}
        return "; ".join(line_of(item) for item in value)
    return as_text(value)


def _field_and_level(item: dict[str, Any]) -> dict[str, Any]:
    """`{ai_safety: expert}` as it is; `{area: ai_safety, level: expert}` as the same."""
    area = next(
        (item[key] for key in ("area", "field", "domain", "name", "topic") if isinstance(item.get(key), str)), None
    )
    if area is None or "level" not in item:
        return item
    return {area: item["level"]}


def _style(into: Assembly, source: Source, seat: tuple[str, str]) -> None:
    decides = source.take("decision_style", "decision_making_style")
    talks, traits = source.take("communication_style"), source.take("personality_traits")
    first: Taken | None = decides or talks or traits
    if first is None:
        return
    parts = [
        fields.told(into, decides) if decides else "",
        f"How you communicate: {line_of(talks.value)}" if talks else "",
        f"Your traits: {line_of(traits.value)}" if traits else "",
    ]
    into.put((*seat, "style"), paragraphs(*parts), first)


def _private(into: Assembly, source: Source, seat: tuple[str, str]) -> None:
    secret = source.take("private_information")
    access = source.within("information_access")
    also = access.take("private") if access else None
    texts = [as_text(secret.value) if secret else ""]
    if also:
        listed = as_texts(also.value)
        shown = "\n".join(f"- {item}" for item in listed) if isinstance(listed, list) else line_of(listed)
        texts.append(f"Also open to you, and not to everybody:\n{shown}" if shown else "")
    text = paragraphs(*texts)
    if text:
        into.put((*seat, "private"), text, secret or also)
    if access:
        if access.data.get("public") is False:
            into.keep(access, "public", "every seat knows what is public", "warning")
        access.used.add("public")
        into.finish(access, ("public", "private"), {})


def _control(into: Assembly, source: Source, seat: tuple[str, str]) -> None:
    control = source.take("control")
    if control is None:
        return
    word = str(control.value).strip().lower()
    if word not in _CONTROL:
        into.say("error", control, f'control is "ai" or "human", not "{control.value}"', did_you_mean(word, _CONTROL))
    elif _CONTROL[word]:
        into.put((*seat, "human"), True, control)

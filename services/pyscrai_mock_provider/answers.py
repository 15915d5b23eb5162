"""What is said: a script's words, or plausible ones for any schema; a pure function of request and seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pyscrai.domain.chance import chance
from pyscrai.llm.rehearsal.compose import compose
from pyscrai.llm.rehearsal.words import sentences
from pyscrai_mock_provider.lengths import stretched, swollen
from pyscrai_mock_provider.prices import Usage
from pyscrai_mock_provider.requests import Asked
from pyscrai_mock_provider.settings import Settings
from pyscrai_mock_provider.tokens import asked as tokens_asked
from pyscrai_mock_provider.tokens import counted, cut

REFUSAL = "I'm sorry, but I can't help with that."
PADDING = ("There is more to be said about it.", "We shall see what comes of this.", "Time will tell who was right.")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`text` None: the model refused."""

    text: str | None
    finish_reason: str
    usage: Usage


def answer(settings: Settings, asked: Asked, said: str | None, fault: str | None, key: str | None) -> Answer:
    """The answer and what it used. `said`: what a script says; `key`: repeat it in the answer."""
    text = said if said is not None else _made_up(settings, asked)
    if key is not None:
        text = _with_key(text, key)
    match fault:
        case "refused":
            return Answer(text=None, finish_reason="stop", usage=_usage(settings, asked, counted(REFUSAL), 0))
        case "empty":
            text = ""
        case "broken_json":
            text = _broken(text, chance(settings.seed, "broken", asked.digest))
        case "overlong":
            text = swollen(text, asked.schema if said is None else None)
    return _limited(settings, asked, text, overcharged=fault == "overcharged")


def _limited(settings: Settings, asked: Asked, text: str, *, overcharged: bool) -> Answer:
    """Thoughts come first and count towards the limit, as those of real models do."""
    most = asked.max_tokens
    thoughts = round(settings.reasoning.draw(settings.seed, "reasoning", asked.digest))
    if most is not None:
        thoughts = min(thoughts, most)
    room = None if most is None else most - thoughts
    whole = room is None or counted(text) <= room
    if room is not None and not whole:
        text = cut(text, room)
    written = thoughts + counted(text)
    if overcharged:
        written = max(3 * (most or written), 3)
    usage = _usage(settings, asked, written, thoughts)
    return Answer(text=text, finish_reason="stop" if whole else "length", usage=usage)


def _usage(settings: Settings, asked: Asked, written: int, thoughts: int) -> Usage:
    read = tokens_asked((text for _, text in asked.messages), asked.shown)
    return Usage(
        input=read,
        output=written,
        cached=int(read * settings.cached_share),
        cache_write=int(read * settings.cache_write_share),
        reasoning=thoughts,
    )


def _made_up(settings: Settings, asked: Asked) -> str:
    seed = chance(settings.seed, "answer", asked.seed)
    asking = asked.said("user")
    made = compose("\n".join(asked.said("system")), asking[0] if asking else "", asked.schema, seed)
    if isinstance(made, str) and asked.json:
        made = {"answer": made}
    text = made if isinstance(made, str) else json.dumps(made, ensure_ascii=False)
    if settings.length is None:
        return text
    wanted = max(1, round(settings.length.draw(settings.seed, "length", asked.digest)))
    schema: dict[str, Any] | None = {"additionalProperties": {"type": "string"}} if asked.json else None
    return stretched(text, asked.schema or schema, wanted, _sentences(asking))


def _sentences(asking: list[str]) -> list[str]:
    """What an answer is made longer with: the whole sentences of the request, as far as there are some."""
    lines = [line for line in "\n".join(asking[:1]).splitlines() if line[:1].isalpha()]
    return [one for one in sentences(" ".join(lines)) if " " in one][:50] or list(PADDING)


def _with_key(text: str, key: str) -> str:
    """The key in the longest text of a JSON answer, which stays as long as it is; else at the end of the answer."""
    try:
        told = json.loads(text)
    except ValueError:
        return f"{text} {key}"
    texts = {name: value for name, value in told.items() if isinstance(value, str)} if isinstance(told, dict) else {}
    if not texts:
        return text
    name = max(texts, key=lambda one: len(texts[one]))
    told[name] = f"{key} {texts[name]}"[: max(len(texts[name]), len(key))]
    return json.dumps(told, ensure_ascii=False)


def _broken(text: str, draw: int) -> str:
    """A JSON answer in one of the ways in which real models spoil one; a plain text ends too early."""
    kinds = [text.rstrip()[: max(1, len(text) * 2 // 3)].rstrip("}")]
    if '":' in text:
        kinds += [
            "I would be happy to help! Here is what I think: " + text.replace("{", "(").replace("}", ")"),
            text.replace('":', '" =>'),
            "{" + text.replace('"', "'").rstrip("}") + ",",
        ]
    return kinds[draw % len(kinds)]

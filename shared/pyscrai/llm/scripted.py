"""The model `scripted:PATH`: answers from a YAML or JSON file, for tests, demonstrations and drills.

    usage: {input: 100, output: 20}     # of every call; or upper_bound: exactly what was reserved; default: counted
    answers:                            # the most specific entry that fits is taken; of equals, the first
      - when: {event_type: decide, seat: mayor, turn: 2}       # left out: any; a list: one of these
        answer: {reasoning: "…", goals: [], action: "…"}       # an object is given as JSON, a text as it is
      - when: {seat: mayor, try: 1, call: 1}
        latency: 0.2                    # seconds before anything happens
        fail: rate_limit                # or server_error, timeout, dropped, refused, too_long, bad_key
        retry_after: 3                  # with rate_limit
      - when: {turn: 3, call: 1}
        answer: '{"action": broken'     # a repair is call 2
    default: {latency: 0.05, answer: {…}}       # or rehearse: true, what the rehearsal model would say

`when` knows event_type, seat, turn, phase, try (failures + 1, not how often the event was claimed: a killed engine
repeats the same answer) and call (1, or 2 for the repair). In an answer's strings `{seat}`, `{turn}`, `{turns}`,
`{phase}`, `{event_type}`, `{try}` and `{call}` are filled in; other braces stay.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml
from agno.metrics import MessageMetrics
from agno.models.response import ModelResponse

from pyscrai.llm.bounds import input_bound
from pyscrai.llm.errors import (
    BadKey,
    ModelError,
    Overloaded,
    RateLimited,
    Refused,
    Rejected,
    TimedOut,
    TooLong,
    Unreachable,
)
from pyscrai.llm.offline import OfflineModel, counted
from pyscrai.llm.question import Question
from pyscrai.llm.rehearsal.model import rehearsed

KEYS = ("event_type", "seat", "turn", "phase", "try", "call")
FAILURES: dict[str, Callable[[str, float | None], ModelError]] = {
    "rate_limit": lambda text, after: RateLimited(text, retry_after=after, unbilled=True),
    "server_error": lambda text, after: Overloaded(text, retry_after=after),
    "timeout": lambda text, _: TimedOut(text),
    "dropped": lambda text, _: Unreachable(text),
    "refused": lambda text, _: Refused(text),
    "too_long": lambda text, _: TooLong(text, unbilled=True),
    "bad_key": lambda text, _: BadKey(text, unbilled=True),
}
_ENTRY = frozenset({"when", "answer", "latency", "fail", "retry_after", "usage", "rehearse"})


@dataclass(frozen=True)
class Script:
    """A checked script: its entries, most specific first, and what every call uses."""

    entries: tuple[dict[str, Any], ...]
    usage: Any


@dataclass
class Scripted(OfflineModel):
    """Answers from a file. Waits `latency` seconds, and always lets other work go on before it answers."""

    path: str = ""
    question: Question | None = None
    calls: int = 0

    async def answer(self, messages: list[Any], schema: dict[str, Any] | None) -> ModelResponse:
        assert self.question is not None
        self.calls += 1
        script = load(self.path)
        place = _place(self.question, self.calls)
        entry = next((each for each in script.entries if _fits(each.get("when", {}), place)), None)
        if entry is None:
            where = ", ".join(f"{key} {value}" for key, value in place.items() if key in KEYS and value is not None)
            raise Rejected(f"scripted: {self.path} has no answer for {where}, and no default", unbilled=True)
        await asyncio.sleep(float(entry.get("latency", 0)))
        if fail := entry.get("fail"):
            after = entry.get("retry_after")
            raise FAILURES[fail](f"scripted: {fail}", None if after is None else float(after))
        if entry.get("rehearse"):
            text = rehearsed(messages, schema, self.question.model.seed)
        else:
            text = _text(entry.get("answer", ""), place)
        usage = entry.get("usage", script.usage)
        return ModelResponse(role="assistant", content=text, response_usage=self._usage(usage, messages, schema, text))

    def _usage(self, told: Any, messages: list[Any], schema: dict[str, Any] | None, text: str) -> MessageMetrics:
        assert self.question is not None
        if told == "upper_bound":
            sent = [{"role": each.role, "content": each.get_content_string()} for each in messages]
            top = self.question.model.max_tokens
            return MessageMetrics(input_tokens=input_bound(sent, schema), output_tokens=top)
        if isinstance(told, dict):
            return MessageMetrics(input_tokens=int(told.get("input", 0)), output_tokens=int(told.get("output", 0)))
        return counted(messages, text)


def load(path: str) -> Script:
    """The script at `path`, read again when the file changed. Raises Rejected, naming what is wrong."""
    try:
        changed = os.stat(path).st_mtime_ns
        return _loaded(path, changed)
    except OSError as error:
        raise Rejected(f"scripted: cannot read {path}: {error.strerror}", unbilled=True) from error


@lru_cache(maxsize=32)
def _loaded(path: str, _changed: int) -> Script:
    with open(path, encoding="utf-8") as file:
        try:
            told = yaml.safe_load(file)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise Rejected(f"scripted: {path} is not YAML: {error}", unbilled=True) from error
    if not isinstance(told, dict) or not isinstance(told.get("answers", []), list):
        raise Rejected(f"scripted: {path} must be a mapping with `answers:` (a list) or `default:`", unbilled=True)
    entries = list(told.get("answers", []))
    if "default" in told:
        entries.append({**told["default"], "when": {}})
    for number, entry in enumerate(entries, 1):
        if problem := _wrong(entry):
            raise Rejected(f"scripted: {path}, answer {number}: {problem}", unbilled=True)
    entries.sort(key=lambda entry: -len(entry.get("when", {})))
    return Script(tuple(entries), told.get("usage"))


def _wrong(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return "it is not a mapping"
    when = entry.get("when", {})
    if unknown := sorted(set(entry) - _ENTRY):
        return f"unknown key {unknown[0]!r} (known: {', '.join(sorted(_ENTRY))})"
    if not isinstance(when, dict) or set(when) - set(KEYS):
        return f"`when` knows {', '.join(KEYS)}"
    if "fail" in entry and entry["fail"] not in FAILURES:
        return f"`fail` knows {', '.join(FAILURES)}"
    answered = {"answer", "fail"} & entry.keys() or entry.get("rehearse") is True
    return None if answered else "it has none of `answer`, `fail` and `rehearse: true`"


def _place(question: Question, call: int) -> dict[str, Any]:
    place: dict[str, Any] = {key: getattr(question, key) for key in ("event_type", "seat", "turn", "phase")}
    return place | {"try": question.try_no, "call": call, "turns": (question.view or {}).get("turns")}


def _fits(when: dict[str, Any], place: dict[str, Any]) -> bool:
    return all(
        place[key] in wanted if isinstance(wanted, list) else wanted in ("*", place[key])
        for key, wanted in when.items()
    )


def _text(answer: Any, place: dict[str, Any]) -> str:
    if isinstance(answer, str):
        return str(_filled(answer, place))
    return json.dumps(_filled(answer, place), ensure_ascii=False)


def _filled(value: Any, place: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda m: str(place[m[1]]) if m[1] in place else m[0], value)
    if isinstance(value, dict):
        return {key: _filled(item, place) for key, item in value.items()}
    return [_filled(item, place) for item in value] if isinstance(value, list) else value

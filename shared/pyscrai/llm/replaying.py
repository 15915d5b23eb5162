"""What a recorded call says where this one asks something else: a difference that a person can read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from pyscrai.contract.events import Grant, RequestMessage
from pyscrai.llm.question import Question

LONG = 120
"""Characters from which a line is shown sentence by sentence: a paragraph of a prompt is one line."""
WIDEST = 240
LONGEST = 3000
"""Bounds of what is shown: characters of a line, and of all lines; errors of events end at 4000."""
_PIECES = re.compile(r"(?<=[.!?;:])\s+|(?<=[,{\[])(?=[\"{\[])")
"""Ends of sentences, and of the parts of a JSON document. No width: a word more must not move everything after it."""


def divergence(question: Question, grant: Grant, asked: Sequence[RequestMessage]) -> str:
    """What to tell a person whose replay asks something else than its recording: where, and what differs."""
    place = ", ".join(
        str(part)
        for part in (f"turn {question.turn}", question.phase, question.seat)
        if part not in (None, "turn None")
    )
    shown = difference(grant.recorded, asked)
    said = [f"{place}: the request of {question.event_type} is not the recorded one.", grant.detail]
    if not shown:
        said.append("Its texts are equal." if grant.recorded else "")
    return "\n".join(part for part in (" ".join(filter(None, said)), shown) if part)


def difference(recorded: Sequence[RequestMessage], asked: Sequence[RequestMessage]) -> str:
    """A unified diff of two requests, message by message under its role; empty where their texts are equal."""
    parts: list[str] = []
    for number in range(max(len(recorded), len(asked))):
        before = recorded[number] if number < len(recorded) else None
        after = asked[number] if number < len(asked) else None
        if before != after:
            parts += _of_message(number + 1, before, after)
    return "\n".join(_bounded(parts))


def _bounded(lines: Sequence[str]) -> Iterable[str]:
    total = 0
    for number, line in enumerate(lines):
        total += len(line) + 1
        if total > LONGEST:
            yield f"… and {len(lines) - number} more lines"
            return
        yield line


def _of_message(number: int, before: RequestMessage | None, after: RequestMessage | None) -> Iterable[str]:
    yield f"--- recorded, message {number} ({before.role if before else 'none'})"
    yield f"+++ asked now, message {number} ({after.role if after else 'none'})"
    for line in list(difflib.unified_diff(_lines(before), _lines(after), n=1, lineterm=""))[2:]:
        yield line if len(line) <= WIDEST else f"{line[:WIDEST]}…"


def _lines(message: RequestMessage | None) -> list[str]:
    if message is None:
        return []
    return [
        piece for line in message.text.splitlines() for piece in (_PIECES.split(line) if len(line) > LONG else [line])
    ]

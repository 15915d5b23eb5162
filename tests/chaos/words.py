"""What the API acknowledged to engines, as they wrote it down, against what it kept.

A `done` for a result is a promise: that result is the one that counts. A `done` for a failure or a hand-back says that
this lease has ended so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
from tests.chaos.memory import Violation

KINDS = {"failed": 1, "handed_back": 3}
OUTCOMES = {"done": "completed", "retry": "failed", "fail": "failed", "hand_back": "handed_back"}
"""What engines call an outcome in their logs, and what that is on the wire."""
_KEPT = "SELECT event_id, lease_no FROM outcomes WHERE state = 1"
_ENDED = "SELECT event_id, lease_no, kind FROM attempts"


@dataclass(frozen=True, slots=True)
class Word:
    """One acknowledged finish: the API said `done`. `by`: the file that says so."""

    event: int
    lease: int
    status: str
    by: str


def read_words(files: Iterable[Path]) -> Iterator[Word]:
    """The lines of `tests.chaos.witness.Witness` that say done. Half a line at the end of a file is nobody's word."""
    for file in files:
        for line in file.read_text("utf-8").split("\n")[:-1]:
            event, lease, status, state = line.split()
            if state == "done":
                yield Word(int(event), int(lease), status, file.name)


def read_logs(files: Iterable[Path]) -> Iterator[Word]:
    """The same from the logs of the product's engines."""
    for file in files:
        for text in file.read_text("utf-8", "replace").split("\n"):
            if '"event_finished"' not in text or '"answer": "done"' not in text:
                continue
            line = json.loads(text)
            yield Word(line["event_id"], line["lease"], OUTCOMES[line["outcome"]], file.name)


async def check_words(
    connection: asyncpg.Connection, words: Iterable[Word], figures: dict[str, Any]
) -> list[Violation]:
    """Each word is kept."""
    kept = {row["event_id"]: row["lease_no"] for row in await connection.fetch(_KEPT)}
    ended = {(row["event_id"], row["lease_no"]): row["kind"] for row in await connection.fetch(_ENDED)}
    found, checked = [], 0
    for word in words:
        checked += 1
        told = _broken(word, kept, ended)
        if told is not None:
            found.append(
                Violation(
                    rule="the API keeps its word",
                    event=word.event,
                    lease=word.lease,
                    expected=f"{word.status} under this lease, as {word.by} was told",
                    found=told,
                )
            )
    figures["words"] = checked
    return found


def _broken(word: Word, kept: dict[int, int], ended: dict[tuple[int, int], int]) -> str | None:
    if word.status == "completed":
        lease = kept.get(word.event)
        return None if lease == word.lease else "no result" if lease is None else f"the result of lease {lease}"
    kind = ended.get((word.event, word.lease))
    return None if kind == KINDS[word.status] else "no such attempt" if kind is None else f"an attempt of kind {kind}"

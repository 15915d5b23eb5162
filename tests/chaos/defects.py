"""What processes say in their logs that they should never have to say: errors that nobody foresaw."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.chaos.memory import Violation

UNFORESEEN = frozenset(
    {"request_failed", "step_cannot_be_committed", "handler_failed", "work_broke_off", "engine_broken"}
)
"""Names of log lines: of the API's answers 500 and its blocked runs, and of engines' own defects."""
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def unforeseen(files: Iterable[Path]) -> list[Violation]:
    """One of each kind, with how often it was said."""
    seen: Counter[tuple[str, str]] = Counter()
    for file in files:
        for text in file.read_text("utf-8", "replace").split("\n"):
            line = _line(text)
            if line.get("event") in UNFORESEEN:
                seen[line["event"], _why(line)] += 1
    return [
        Violation(rule="errors are foreseen", expected=f"no {event}", found=f"{times} times: {why}")
        for (event, why), times in seen.most_common()
    ]


def _line(text: str) -> dict[str, Any]:
    """A line of a log; nothing where it is none, or was cut off by a kill."""
    if not text.startswith("{"):
        return {}
    try:
        line = json.loads(text)
    except ValueError:
        return {}
    return line if isinstance(line, dict) else {}


def _why(line: dict[str, Any]) -> str:
    told = line.get("exception")
    first = told[0] if isinstance(told, list) and told else {}
    if isinstance(first, dict) and "exc_type" in first:
        of = " ".join(str(line[name]) for name in ("method", "path", "run") if name in line)
        of = UUID.sub("…", of)
        return f"{first['exc_type']}: {str(first.get('exc_value'))[:200]}" + (f" ({of})" if of else "")
    return str(told or line.get("error") or line)[:300]

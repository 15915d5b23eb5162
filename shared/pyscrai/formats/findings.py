"""What a reader has to say about a document: where, what is wrong, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Position:
    """A place in a file; line and column count characters from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One remark. `path` is a JSON Pointer into the file named; `unused` marks a line of the loss report."""

    severity: Severity
    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str | None = None
    unused: bool = False

    def __str__(self) -> str:
        where = f" ({self.path})" if self.path else ""
        hint = f" — {self.hint}" if self.hint else ""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message}{where}{hint}"


def finding(
    severity: Severity,
    position: Position,
    path: str,
    message: str,
    hint: str | None = None,
    *,
    unused: bool = False,
) -> Finding:
    """A finding at a position."""
    return Finding(
        severity=severity,
        file=position.file,
        line=position.line,
        column=position.column,
        path=path,
        message=message,
        hint=hint,
        unused=unused,
    )


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """`did you mean "goals"?` for the known word nearest to a mistyped one; None where none is near."""
    candidates = {k.lower(): k for k in known}
    near = difflib.get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
    return f'did you mean "{candidates[near[0]]}"?' if near else None


def one_of(words: Iterable[str]) -> str:
    """`one of: a, b, c`, for hints."""
    return "one of: " + ", ".join(words)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then notes; within each by file and line; repeats left out."""
    rank = {"error": 0, "warning": 1, "note": 2}
    return sorted(dict.fromkeys(findings), key=lambda f: (rank[f.severity], f.file, f.line, f.column))

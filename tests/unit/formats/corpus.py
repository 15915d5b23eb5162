"""The corpus of authors' mistakes: what is written down here is counted, and said at the end of the session."""

from __future__ import annotations

from dataclasses import dataclass

from pyscrai.formats.load import Loaded

SERIOUS = ("error", "warning")


@dataclass(frozen=True)
class Tried:
    """One mistake: whether anything was said of it before a run, and whether on the line to look at."""

    dialect: str
    name: str
    said: bool
    right_line: bool


TRIED: list[Tried] = []


def tried(dialect: str, name: str, loaded: Loaded, file: str, line: int) -> Tried:
    """Count a mistake that stands on this line of this file."""
    serious = [found for found in loaded.findings if found.severity in SERIOUS]
    at = any((found.file, found.line) == (file, line) for found in serious)
    one = Tried(dialect, name, bool(serious), at)
    TRIED.append(one)
    return one


def expect(loaded: Loaded, dialect: str, name: str, file: str, line: int, severity: str, words: str) -> None:
    """A mistake that has to be found there, so severe, with these words."""
    tried(dialect, name, loaded, file, line)
    nothing = loaded.scenario is None and loaded.agent is None and not loaded.event_types
    assert nothing == any(found.severity == "error" for found in loaded.findings)
    shown = "\n".join(map(str, loaded.findings))
    found = [f for f in loaded.findings if (f.file, f.line, f.severity) == (file, line, severity)]
    assert any(words in str(f) for f in found), shown


def rate(dialect: str | None = None) -> tuple[int, int]:
    """(mistakes that were said on the right line, mistakes) of one dialect or of all."""
    counted = [one for one in TRIED if dialect in (None, one.dialect)]
    return sum(one.right_line for one in counted), len(counted)


def summary() -> str:
    """One line for the end of a session."""
    right, total = rate()
    by_dialect = ", ".join(
        f"{dialect} {rate(dialect)[0]}/{rate(dialect)[1]}" for dialect in dict.fromkeys(one.dialect for one in TRIED)
    )
    said = sum(one.said for one in TRIED)
    return (
        f"authors' mistakes: {said / total:.1%} of {total} refused or warned of before a run, "
        f"{right / total:.1%} on the right line ({by_dialect})"
    )

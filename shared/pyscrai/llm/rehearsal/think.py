"""What a seat thinks before it acts: read by nobody at the table, but by everybody who looks at the run."""

from __future__ import annotations

from collections.abc import Callable

from pyscrai.llm.rehearsal.table import Table, secrets
from pyscrai.llm.rehearsal.words import doing, join, lower_first, mentioned

WANT = (
    "What counts for {me} now is to {vp}",
    "Before anything else {i} have to {vp}",
    "All this is only worth it if {i} manage to {vp}",
    "There is one thing on my mind: to {vp}",
    "{I} must not lose sight of why {i} came: to {vp}",
)
SEE = (
    "{I} see {figures}, so there is something to work with",
    "With {figures}, it pays to go on talking",
    "{figures}: not far enough yet, but the direction is right",
    "{I} count {figures}, and {i} still have a little room",
)
BLIND = (
    "{I} cannot see yet how far {others} would go",
    "It is hard to read {others} so far",
    "{I} wonder what {others} would give up first",
    "{I} listen to {others} and hear more than is said",
)
KEEP = (
    "For now {i} keep this to {own}: {secret}",
    "Not a word yet of this: {secret}",
    "Nobody here needs to know yet that {secret}",
    "One thing stays with {me}: {secret}",
)


def think(table: Table, goal: str, figures: list[str], say: Callable[..., str]) -> str:
    """Two or three sentences: the aim, the others, and every other turn what is kept back."""
    sheet, voice = table.sheet, table.voice
    parts = [say(WANT, "want", vp=doing(goal, voice, sheet.names))]
    others = [mentioned(person.title) for person in sheet.others]
    if figures:
        parts.append(say(SEE, "see", figures=join(figures)))
    elif others:
        parts.append(say(BLIND, "blind", others=join(others)))
    secret = secrets(sheet)
    if secret and sheet.turn % 2:
        kept = lower_first(secret[(sheet.turn // 2 + table.place) % len(secret)], sheet.names)
        parts.append(say(KEEP, "keep", secret=kept, own="myself" if voice.i == "I" else "ourselves"))
    return " ".join(parts)

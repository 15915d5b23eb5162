"""A timeline of happenings as a small picture and a list."""

from __future__ import annotations

from rich.text import Text

from pyscrai.cli.paper import Paper
from pyscrai.domain.timeline import Expected, Timeline

SIGNS = {"certain": "#", "drawn": "o", "possible": "?"}
STYLES = {"certain": "bold green", "drawn": "bold cyan", "possible": "yellow"}
SURENESS = {"certain": "certain", "drawn": "drawn by the seed", "possible": "conditional"}
MOST_COLUMNS = 60
"""Turns in the picture; of more only the list tells."""


def show(paper: Paper, found: Timeline) -> None:
    """The picture, where the turns fit beside each other, then each happening in words."""
    paper.line(Text(f"{found.scenario}: {found.turns} turns, seed {found.seed}", "bold"))
    paper.blank()
    if found.turns <= min(MOST_COLUMNS, paper.width - 24):
        picture(paper, found)
        paper.blank()
    # The same left column as in a play.
    paper.set_names([one.name for one in found.happenings])
    for one in found.happenings:
        _told(paper, one)


def picture(paper: Paper, found: Timeline) -> None:
    """A line for each happening, a column for each turn."""
    wide = min(max(len(one.name) for one in found.happenings), paper.width - found.turns - 4)
    heads = "".join(str(turn % 10) for turn in range(1, found.turns + 1))
    paper.line(Text(f"  {'turn':<{wide}} {heads}", "dim"))
    for one in found.happenings:
        line = Text(f"  {one.name[:wide]:<{wide}} ")
        for turn in range(1, found.turns + 1):
            if turn in one.turns:
                line.append(SIGNS[one.sureness], STYLES[one.sureness])
            else:
                line.append(paper.glyphs.dot, "dim")
        paper.line(line)


def _told(paper: Paper, one: Expected) -> None:
    parts = [SURENESS[one.sureness], _when(one)]
    parts += [f"only to {', '.join(one.seats)}"] if one.seats else []
    lines = paper.filled(one.text)
    lines += [Text("; ".join(part for part in parts if part), STYLES[one.sureness])]
    changes = [f"{name} = {value}" for name, value in one.facts.items()]
    changes += [f"{name} {by:+g}" for name, by in one.adds.items()]
    lines += [Text(", ".join(changes), "cyan")] if changes else []
    paper.block(one.name, lines)
    paper.blank()


def _when(one: Expected) -> str:
    turns = _ranges(one.turns)
    if one.when is not None:
        chance = "" if one.chance >= 1 else f" (chance {one.chance:.0%} a turn)"
        return f"when {one.when}{chance}, from turn {one.turns[0]} on" if one.turns else f"when {one.when}: never"
    if one.chance < 1:
        return f"chance {one.chance:.0%} a turn: {turns or 'never with this seed'}"
    return turns or "never"


def _ranges(turns: list[int]) -> str:
    """`turns 2, 5-9`."""
    spans: list[list[int]] = []
    for turn in turns:
        if spans and turn == spans[-1][1] + 1:
            spans[-1][1] = turn
        else:
            spans.append([turn, turn])
    shown = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)
    return f"turn{'' if len(turns) == 1 else 's'} {shown}" if turns else ""

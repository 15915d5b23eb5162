"""`pyscrai runs tree`: the family of a run as a drawing; `pyscrai runs diff`: where two runs part."""

from __future__ import annotations

import click
from rich.text import Text

from pyscrai.cli.charts import money
from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.paper import Paper
from pyscrai.cli.talk import OK, Talk
from pyscrai.contract.branches import Family, Relative


@click.command()
@click.argument("run", metavar="RUN")
@place
@common
@pass_talk
def tree(talk: Talk, /, where: Where, run: str) -> int:
    """A run's family: the run it comes from, every branch of that, and what was changed in each."""
    from pyscrai.cli.session import run_async, session

    async def work() -> int:
        from pyscrai.sdk.names import find_run

        async with session(where, talk) as at:
            family = await at.api.courses.tree((await find_run(at.api, run)).id)
        if talk.json:
            talk.result(family.model_dump(mode="json"))
        else:
            draw(talk.paper, family)
        return OK

    return run_async(work)


def draw(paper: Paper, family: Family) -> None:
    """A line for each run, hung below the one that it was branched from."""
    signs = paper.glyphs
    paper.line(Text(family.scenario, "bold"))
    children: dict[str | None, list[Relative]] = {}
    there = {one.id for one in family.runs}
    for one in family.runs:
        children.setdefault(one.parent_id if one.parent_id in there else None, []).append(one)
    # Not by recursion: a chain of branches may be as long as a family.
    ahead = [(one, "", "") for one in reversed(children.get(None, []))]
    while ahead:
        one, before, below = ahead.pop()
        held = children.get(one.id, [])
        _line(paper, one, before, below + (signs.stem if held else "   "), here=one.id == family.run_id)
        for child in reversed(held):
            last = child is held[-1]
            ahead.append((child, below + (signs.last if last else signs.fork), below + ("   " if last else signs.stem)))
    if family.left_out:
        paper.line(f"and {family.left_out} more runs", "dim")


def _line(paper: Paper, one: Relative, before: str, below: str, *, here: bool) -> None:
    from pyscrai.cli.pages import STYLE_OF_STATUS
    from pyscrai.cli.prose import clip, one_line

    line = Text(before, "dim")
    line.append(one.label, "bold underline" if here else "bold")
    if one.turn is not None:
        line.append(f"  after turn {one.turn}" if one.turn else "  from the beginning", "dim")
    line.append(f"  {one.outcome or one.status}".replace("_", " "), STYLE_OF_STATUS.get(one.status, ""))
    line.append(f"  turn {one.turns_played}  {money(one.spent)}", "dim")
    paper.line(line)
    for change in one.changed:
        paper.line(Text(below, "dim") + Text(clip(one_line(change), max(20, paper.width - len(below)), paper.glyphs)))


@click.command()
@click.argument("run", metavar="RUN")
@click.argument("other", metavar="OTHER")
@place
@common
@pass_talk
def diff(talk: Talk, /, where: Where, run: str, other: str) -> int:
    """Where two runs part, and what differs from turn to turn: moves, world, facts, metrics, coalitions."""
    from pyscrai.cli.session import run_async, session

    async def work() -> int:
        from pyscrai.cli.differing import show
        from pyscrai.sdk.comparing import difference_of

        async with session(where, talk) as at:
            found = await difference_of(at.api, run, other)
        if talk.json:
            talk.result(found.model_dump(mode="json"))
        else:
            show(talk.paper, found)
        return OK

    return run_async(work)

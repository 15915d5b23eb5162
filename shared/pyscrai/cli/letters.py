"""`pyscrai events dead, redrive, discard`: dead letters, one by one or in bulk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from pyscrai.cli.options import Where, common, pass_talk, place
from pyscrai.cli.talk import FAILED, OK, Talk

if TYPE_CHECKING:
    from pyscrai.cli.session import Session
    from pyscrai.contract.operating import DeadDone, DeadFilter

F = TypeVar("F", bound=Callable[..., Any])
DONE = {"redrive": "back to work", "discard": "given up"}
WOULD = {"redrive": "would go back to work", "discard": "would be given up"}
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Age(click.ParamType[float]):
    """How long: 90s, 15m, 2h, 3d; a bare number is seconds."""

    name = "AGE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip().lower()
        number, unit = (text[:-1], text[-1]) if text[-1:] in UNITS else (text, "s")
        try:
            found = float(number) * UNITS[unit]
        except ValueError:
            found = -1.0
        if not 0 <= found < 1e9:
            self.fail(f"{value!r} is not a time such as 90s, 15m, 2h or 3d", param, ctx)
        return found


def which(command: F) -> F:
    """The options that say which dead letters are meant."""
    options = (
        click.option("--lane", metavar="LANE", help="Only those of this lane."),
        click.option("--run", metavar="RUN", help="Only those of this run."),
        click.option("--type", "event_type", metavar="TYPE", help="Only events of this type."),
        click.option(
            "--code", metavar="CODE", help="Only with this code of the last error: out_of_money, lease_expired …"
        ),
        click.option("--older-than", type=Age(), help="Only those that died longer ago: 90s, 15m, 2h, 3d."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def in_bulk(command: F) -> F:
    """The options of what is done to all that match."""
    options = (
        click.argument("event_ids", metavar="[EVENT]…", nargs=-1, type=click.IntRange(1)),
        which,
        click.option("--all", "everything", is_flag=True, help="All there are."),
        click.option("--everybody", is_flag=True, help="Also those of other people; with the installation's token."),
        click.option("--dry-run", is_flag=True, help="Only count them."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@which
@click.option(
    "--everybody", is_flag=True, help="Also other people's, without what they asked; with the installation's token."
)
@place
@common
@pass_talk
def dead(talk: Talk, /, where: Where, **wanted: Any) -> int:
    """The dead letters, the oldest first, with what went wrong."""
    from pyscrai.cli.events import listed

    async def work(at: Session) -> list[Any]:
        from pyscrai.cli.events import run_id_of

        params = {**wanted, "run_id": await run_id_of(at, wanted["run"])}
        del params["run"]
        found, after = [], None
        while True:
            page = await at.api.dead_letters(**params, after=after)
            found += page.items
            after = page.next
            if after is None:
                return found

    return listed(talk, where, work, "No dead letters.")


@click.command()
@in_bulk
@place
@common
@pass_talk
def redrive(talk: Talk, /, where: Where, **wanted: Any) -> int:
    """Dead letters back to work: those named, those that match, or --all. A run that they had blocked goes on."""
    return _bulk(talk, where, "redrive", wanted)


@click.command()
@in_bulk
@place
@common
@pass_talk
def discard(talk: Talk, /, where: Where, **wanted: Any) -> int:
    """Give dead letters up: those named, those that match, or --all. Their runs go on as if they had said nothing."""
    return _bulk(talk, where, "discard", wanted)


def _bulk(talk: Talk, where: Where, how: Literal["redrive", "discard"], wanted: dict[str, Any]) -> int:
    ids, everything, run = list(wanted.pop("event_ids")), wanted.pop("everything"), wanted.pop("run")
    said = (ids, everything, run, *(wanted[name] for name in ("lane", "event_type", "code")))
    if not any(said) and wanted["older_than"] is None:
        raise click.UsageError("say which: event numbers, --lane, --run, --type, --code, --older-than or --all")
    from pyscrai.cli.events import run_id_of
    from pyscrai.cli.session import run_async, session
    from pyscrai.contract.operating import DeadFilter

    async def work() -> int:
        async with session(where, talk) as at:
            chosen = DeadFilter(ids=ids or None, run_id=await run_id_of(at, run), **wanted)
            done = await _in_batches(at, talk, chosen, how)
        _told(talk, done, how, dry_run=chosen.dry_run)
        named = len(set(ids))
        missing = named - done.matched if ids else 0
        if missing and not talk.json:
            which = f"Event {ids[0]} is no dead letter" if named == 1 else f"{missing} of {named} are no dead letters"
            yours = "" if chosen.everybody else " of yours"
            talk.say(f"{which}{yours}, or not of those that were meant: see pyscrai events dead", "yellow")
        return FAILED if missing else OK

    return run_async(work)


async def _in_batches(at: Session, talk: Talk, chosen: DeadFilter, how: Literal["redrive", "discard"]) -> DeadDone:
    """Batch after batch until nothing is left, saying how far it is."""
    from pyscrai.cli.charts import count

    total = await at.api.operating.dead(chosen, how)
    while total.next is not None:
        talk.say(f"{count(total.matched, 'event')} so far …")
        more = await at.api.operating.dead(chosen.model_copy(update={"after": total.next}), how)
        total = more.model_copy(
            update={
                "matched": total.matched + more.matched,
                "redriven": total.redriven + more.redriven,
                "discarded": total.discarded + more.discarded,
                "resumed": list(dict.fromkeys([*total.resumed, *more.resumed])),
            }
        )
    return total


def _told(talk: Talk, done: DeadDone, how: Literal["redrive", "discard"], *, dry_run: bool) -> None:
    from pyscrai.cli.charts import count

    if talk.json:
        talk.result(done.model_dump(mode="json", exclude={"next"}))
        return
    if dry_run:
        talk.out.print(f"{count(done.matched, 'dead letter')} {WOULD[how]}", markup=False)
        return
    ids = done.redriven if how == "redrive" else done.discarded
    named = f": {', '.join(map(str, ids))}" if 0 < len(ids) <= 20 else ""
    talk.out.print(f"{count(len(ids), 'event')} {DONE[how]}{named}", markup=False, soft_wrap=True)
    if done.resumed:
        talk.out.print(
            f"{count(len(done.resumed), 'run')} going on: {', '.join(done.resumed)}", markup=False, soft_wrap=True
        )
    if missed := done.matched - len(ids):
        talk.say(f"{count(missed, 'event')} had been dealt with meanwhile, or could not be; the API's log says why.")

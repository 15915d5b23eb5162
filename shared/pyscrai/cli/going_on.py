"""`pyscrai run --resume` and `--branch-from`: the same as `runs resume` and `runs branch`, as run options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pyscrai.cli.options import Where
    from pyscrai.cli.talk import Talk

GoOn = Callable[..., int]
_OF_BRANCH = {"facts": "--fact", "world": "--world", "told": "--tell"}
_OF_START = {
    "turns": "--turns",
    "seed": "--seed",
    "cache": "--cache",
    "group": "--group",
    "title": "--title",
    "edits": "--set",
}


def going_on_from(
    resume: str | None,
    branch: str | None,
    turn: int | None,
    options: dict[str, Any],
    people: Mapping[str, Any],
) -> GoOn | None:
    """What to do in place of starting a run; None: start one, with the options that are left. Raises UsageError."""
    if people and (resume is not None or branch is not None):
        raise click.UsageError("people take seats of a run that has begun with `pyscrai runs take`")
    if (branch is None) != (turn is None):
        raise click.UsageError("--branch-from RUN and --branch-at-turn N go together")
    if resume is not None and branch is not None:
        raise click.UsageError("--resume goes on with a run, --branch-from with another one like it: one of them")
    if branch is not None:
        return _branch(_name(branch), turn, options)
    told = [option for name, option in _OF_BRANCH.items() if options.pop(name)]
    if told:
        raise click.UsageError(f"{', '.join(told)}: with --branch-from; a run that is played is told with `runs tell`")
    return None if resume is None else _resume(_name(resume), options)


def _branch(run: str, turn: int | None, options: dict[str, Any]) -> GoOn:
    from pyscrai.cli.courses import branch_from, play_branch, watching
    from pyscrai.cli.session import run_async

    if options.pop("cache"):
        raise click.UsageError("--cache: a branch has what its parent has")
    wanted = branch_from(turn=turn, **options)

    def work(
        talk: Talk, where: Where, engines: Mapping[str, int], folder: Path | None, *, thoughts: bool, patience: float
    ) -> int:
        how = watching(thoughts=thoughts, patience=patience)
        return run_async(lambda: play_branch(talk, where, run, wanted, engines, how, folder=folder))

    return work


def _resume(run: str, options: dict[str, Any]) -> GoOn:
    from dataclasses import replace

    from pyscrai.cli.courses import watching
    from pyscrai.cli.resuming import how_to_resume, resume_and_watch
    from pyscrai.cli.session import run_async

    given = [option for name, option in _OF_START.items() if options.pop(name)]
    if given:
        raise click.UsageError(f"{given[0]}: a run that has begun keeps it; branch it instead")
    by_model = options.pop("seat_models")
    options["seats"] = [*options["seats"], *((seat, "model", str(name)) for seat, name in by_model)]
    wanted = how_to_resume(**options)

    def work(
        talk: Talk, where: Where, engines: Mapping[str, int], folder: Path | None, *, thoughts: bool, patience: float
    ) -> int:
        if folder is not None:
            raise click.UsageError("--out: pyscrai runs export, once it is over")
        how = replace(watching(thoughts=thoughts, patience=patience), resumed=True)
        return run_async(lambda: resume_and_watch(talk, where, run, wanted, engines, how, detach=False))

    return work


def _name(run: str) -> str:
    """A run's name from a path too: `output/ai-summit/run-003` is `ai-summit/run-003`."""
    return "/".join(run.strip("/").split("/")[-2:])

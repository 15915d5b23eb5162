"""Options about people at seats."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import click

F = TypeVar("F", bound=Callable[..., Any])
RULES = ("wait", "skip", "model")
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[smhd]?)")


class Duration(click.ParamType[Any]):
    """`90`, `90s`, `10m`, `2h`, `1d`: seconds."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, int | float):
            return float(value)
        found = _DURATION.fullmatch(str(value).strip().lower())
        seconds = float(found["number"]) * _UNITS[found["unit"]] if found else 0.0
        if not seconds:
            self.fail(f"{value!r}: write a time such as 90s, 10m, 2h or 1d", param, ctx)
        return seconds


def deadlines(function: F) -> F:
    """--deadline and --on-deadline."""
    rule = click.option(
        "--on-deadline", type=click.Choice(RULES), help="What happens then: wait on, skip the seat, let a model move."
    )
    time = click.option("--deadline", type=Duration(), metavar="TIME", help="How long a person has: 90s, 10m, 2h, 1d.")
    return time(rule(function))


def people(function: F) -> F:
    """--human, --approve, --deadline, --on-deadline: handed over as one `people`, seat → what is chosen for it."""

    @functools.wraps(function)
    def gathered(
        *args: Any,
        human: Iterable[str],
        approve: Iterable[str],
        deadline: float | None,
        on_deadline: str | None,
        **others: Any,
    ) -> Any:
        sits, looks = list(human), list(approve)
        if both := set(sits) & set(looks):
            raise click.UsageError(
                f"{', '.join(sorted(both))}: a person either plays a seat or looks at its model's moves"
            )
        if (deadline or on_deadline) and not (sits or looks):
            raise click.UsageError("--deadline and --on-deadline are for seats with --human or --approve")
        if on_deadline and deadline is None:
            raise click.UsageError("--on-deadline needs a --deadline")
        rule = {key: one for key, one in (("deadline", deadline), ("on_deadline", on_deadline)) if one is not None}
        chosen = {seat: {"human": True, **rule} for seat in sits} | {seat: {"approve": True, **rule} for seat in looks}
        return function(*args, people=chosen, **others)

    wrapped: Any = deadlines(gathered)
    for name, text in (
        ("--approve", "A person looks at each move of this seat's model before it counts (may be repeated)."),
        ("--human", "A person plays this seat (may be repeated)."),
    ):
        wrapped = click.option(name, metavar="SEAT", multiple=True, help=text)(wrapped)
    return cast(F, wrapped)

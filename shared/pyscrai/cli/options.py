"""Options that several commands share."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from pyscrai.cli.talk import Talk

F = TypeVar("F", bound=Callable[..., Any])
pass_talk = click.make_pass_decorator(Talk)


@dataclass(frozen=True, kw_only=True)
class Where:
    """Which API a command talks to, or what it may start one with."""

    api_url: str | None
    token: str | None = field(repr=False)
    database_url: str | None = field(repr=False)
    data: Path | None


def common(function: F) -> F:
    """--json, --quiet and --debug: they change the command's Talk."""
    for names, help_text in (
        (("--debug",), "Show stack traces."),
        (("-q", "--quiet"), "No talk, only results and errors."),
        (("--json",), "Results as JSON on stdout."),
    ):
        option = click.option(*names, is_flag=True, expose_value=False, help=help_text, callback=_set, is_eager=True)
        function = option(function)
    return function


def _set(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        setattr(ctx.ensure_object(Talk), str(param.name), True)


def place(function: F) -> F:
    """--api-url, --token, --database-url, --data: handed over as one `where`."""

    @functools.wraps(function)
    def gathered(
        *args: Any, api_url: str | None, token: str | None, database_url: str | None, data: Path | None, **others: Any
    ) -> Any:
        where = Where(api_url=api_url, token=token, database_url=database_url, data=data)
        return function(*args, where=where, **others)

    folder = click.Path(path_type=Path, file_okay=False)
    wrapped: Any = gathered
    for name, kind, metavar, text in (
        ("--data", folder, "FOLDER", "Data folder (PYSCRAI_DATA)."),
        ("--database-url", str, "URL", "Start an API of its own on this database (PYSCRAI_DATABASE_URL)."),
        ("--token", str, "TOKEN", "The API's token (PYSCRAI_TOKEN)."),
        ("--api-url", str, "URL", "Use this API (PYSCRAI_API_URL)."),
    ):
        wrapped = click.option(name, type=kind, metavar=metavar, help=text)(wrapped)
    return cast(F, wrapped)


class Dollars(click.ParamType[Any]):
    """US dollars, or `none`."""

    name = "USD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from pyscrai.sdk.choices import limit_of

        try:
            return limit_of(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def limit(function: F) -> F:
    """--limit, also as --credit-limit."""
    return click.option(
        "--limit", "--credit-limit", "limit", type=Dollars(), help="Most that the run may cost, in US dollars, or none."
    )(function)


def out(function: F) -> F:
    """--out and --force."""
    folder = click.Path(path_type=Path, file_okay=False)
    wrapped = click.option("--force", is_flag=True, help="Replace an earlier export in --out.")(function)
    return click.option("--out", type=folder, metavar="DIR", help="Leave the run as a folder of files.")(wrapped)


class Seating(click.ParamType[Any]):
    """NAME.model=…: what a seat, `narrator` or `analyst` gets in this run."""

    name = "NAME.KEY=VALUE"

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        place, equals, text = str(value).partition("=")
        seat, _, key = place.rpartition(".")
        if not equals or not seat or key not in self.keys:
            self.fail(f"{value!r}: write NAME.KEY=VALUE, with KEY one of {', '.join(self.keys)}", param, ctx)
        return seat, key, text


class Priced(click.ParamType[Any]):
    """MODEL=IN,OUT[,NAME=USD…] in US dollars per million tokens."""

    name = "MODEL=IN,OUT"
    start = re.compile(r"(?P<model>.+?)=(?P<price>\s*\$?[\d.]+\s*,.*)")
    """A name may have an equals sign in it; a price begins with a number and a comma."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from pyscrai.sdk.prices import price_of

        if not isinstance(value, str):
            return value
        found = self.start.fullmatch(value)
        if found is None:
            self.fail(f"{value!r}: write MODEL=IN,OUT, in US dollars per million tokens", param, ctx)
        try:
            return found["model"], price_of(found["price"])
        except ValueError as error:
            self.fail(f"{found['model']}: {error}", param, ctx)


def patience(function: F) -> F:
    """--patience: how long to wait where the run cannot go on."""
    return click.option(
        "--patience",
        type=click.FloatRange(min=0),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait while the API or its database is in trouble.",
    )(function)


def prices(function: F) -> F:
    """--price, as often as wanted."""
    text = "Declare a price per million tokens; may go on with ,cached_input= ,cache_write= ,reasoning= ,request="
    return click.option("--price", "prices", type=Priced(), multiple=True, help=text)(function)


def seats(*keys: str) -> Callable[[F], F]:
    """--seat, as often as wanted, for these keys."""
    return click.option("--seat", "seats", type=Seating(keys), multiple=True, help=f"{', '.join(keys)}.")


def by_seat(model: str | None, seats: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    """What --seat said, by seat. Raises UnknownModel for a name, here or in --model, that says no model."""
    from pyscrai.domain import model_names

    found: dict[str, dict[str, str]] = {}
    for seat, key, value in seats:
        found.setdefault(seat, {})[key] = value
    for name in [model, *(choice.get("model") for choice in found.values())]:
        if name is not None:
            model_names.parse(name)
    return found


@contextmanager
def makes_sense() -> Iterator[None]:
    """Turn what a value's own check says into a mistake of usage. Raises BadParameter."""
    from pydantic import ValidationError

    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        raise click.BadParameter(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


class Engines(click.ParamType[Any]):
    """`actor=2,narrator=1`: how many engine processes of each kind."""

    name = "KIND=N,…"
    kinds = ("actor", "narrator", "analyst")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        counts: dict[str, int] = {}
        for item in value.split(","):
            kind, _, number = item.strip().partition("=")
            if kind not in self.kinds or not number.isdigit():
                self.fail(f"{item!r}: write KIND=N, with KIND one of {', '.join(self.kinds)}", param, ctx)
            counts[kind] = int(number)
        return counts

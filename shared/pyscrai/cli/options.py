"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
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
    token: str | None
    database_url: str | None
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

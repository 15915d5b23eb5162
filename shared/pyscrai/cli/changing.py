"""Options that say what is otherwise in a branch, and what is put into a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

F = TypeVar("F", bound=Callable[..., Any])


class Assigned(click.ParamType[Any]):
    """NAME=VALUE; a value that is JSON is taken as that, any other as a text."""

    name = "NAME=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        name, equals, text = value.partition("=")
        if not equals or not name.strip():
            self.fail(f"{value!r}: write NAME=VALUE", param, ctx)
        return name.strip(), said(text)


class Edited(Assigned):
    """SEAT.FIELD=VALUE."""

    name = "SEAT.FIELD=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        place, told = super().convert(value, param, ctx)
        seat, _, field = place.rpartition(".")
        if not seat or not field:
            self.fail(f"{value!r}: write SEAT.FIELD=VALUE, for example mayor.goals='[\"peace\"]'", param, ctx)
        return seat, field, told


def said(text: str) -> Any:
    """`3`, `true`, `null`, `["a"]` as JSON, everything else as the text that it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def facts(function: F) -> F:
    """--fact, as often as wanted."""
    text = "A fact from there on; null takes it away."
    return click.option("--fact", "facts", type=Assigned(), multiple=True, help=text)(function)


def world(function: F) -> F:
    """--world: a file with the world's new text."""
    kind = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
    return click.option("--world", type=kind, metavar="FILE", help="The world's new text (- for stdin).")(function)


def changes(function: F) -> F:
    """What is otherwise in a branch: --set, --fact, --world, --tell, --seat-model."""
    text = "What a seat, narrator or analyst is told otherwise than in the scenario."
    wrapped: Any = click.option("--set", "edits", type=Edited(), multiple=True, help=text)(function)
    wrapped = world(facts(wrapped))
    wrapped = click.option("--tell", "told", multiple=True, metavar="TEXT", help="Something all seats learn.")(wrapped)
    kind = Assigned()
    wrapped = click.option("--seat-model", "seat_models", type=kind, multiple=True, help="A seat's model.")(wrapped)
    return cast(F, wrapped)


def edits_of(edits: Iterable[tuple[str, str, Any]]) -> dict[str, dict[str, Any]]:
    """What --set said, by seat."""
    found: dict[str, dict[str, Any]] = {}
    for seat, field, value in edits:
        found.setdefault(seat, {})[field] = value
    return found


def text_of(path: Path | None) -> str | None:
    """What a file says, or stdin for `-`."""
    if path is None:
        return None
    if str(path) == "-":
        return sys.stdin.read()
    return path.read_text("utf-8")

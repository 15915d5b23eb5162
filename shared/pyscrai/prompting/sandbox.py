"""The Liquid environment that prompts run in: chosen tags and filters, every resource bounded, nothing from outside.

Imported at first use: python-liquid takes 0.14 s to import, which a command-line tool does not want to pay.
What is left out on purpose: `date` (prompts contain no wall time), `include` and `render` (a prompt is one text),
the encoders (a prompt is not HTML), and every way to reach an attribute of a Python object.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import StringIO
from typing import Any, TextIO

from liquid import Environment
from liquid.context import RenderContext
from liquid.exceptions import LiquidError, LoopIterationLimitError, OutputStreamLimitError
from liquid.filter import string_filter
from liquid.output import LimitedStringIO
from liquid.template import BoundTemplate
from liquid.undefined import UNDEFINED

MAX_OUTPUT = 256 * 1024
MAX_LOOPS = 20_000
MAX_ITEMS = 10_000
MAX_FILTERED = 64 * 1024 * 1024
MAX_DEPTH = 20

# fmt: off
TAGS = frozenset([
    "#", "assign", "break", "capture", "case", "comment", "content", "continue", "cycle", "decrement", "echo", "for",
    "if", "ifchanged", "illegal", "increment", "liquid", "output", "unless",
])
# fmt: on
# fmt: off
FILTERS = frozenset([
    "abs", "append", "at_least", "at_most", "capitalize", "ceil", "compact", "concat", "default", "divided_by",
    "downcase", "find", "find_index", "first", "floor", "has", "join", "last", "lstrip", "map", "minus", "modulo",
    "plus", "prepend", "reject", "remove", "remove_first", "remove_last", "replace", "replace_first", "reverse",
    "replace_last", "round", "rstrip", "size", "slice", "sort", "sort_natural", "split", "squish", "strip",
    "strip_newlines", "sum", "times", "truncate", "truncatewords", "uniq", "upcase", "where",
])
# fmt: on
_MULTIPLYING = frozenset(["replace", "join"])


_SPECIAL = frozenset(["size", "first", "last"])
_VISIBLE = (dict, list, str, tuple, range, Mapping)


_WIDEST = 4
"""Bytes of a character in UTF-8, at most."""


class Output(LimitedStringIO):
    """Counts bytes, as its parent does, but encodes nothing before it could be too much."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._exact = False

    def write(self, text: str) -> int:
        if text.isascii():
            self.size += len(text)
        elif self._exact:
            self.size += _bytes(text)
        else:
            self.size += _WIDEST * len(text)
        if self.size > self.limit and self.used(text) > self.limit:
            raise OutputStreamLimitError("output stream limit reached", token=None)
        return StringIO.write(self, text)

    def used(self, more: str = "") -> int:
        """The bytes that were written, with those of `more` where that is counted already. Exact from here on."""
        if not self._exact:
            self._exact = True
            self.size = _bytes(self.getvalue()) + _bytes(more)
        return self.size


class Context(RenderContext):
    """Counts every iteration of a rendering, not only those of one nest of loops, and sees mappings and lists only."""

    __slots__ = ("filtered", "iterations")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.iterations = 0
        self.filtered = 0

    def raise_for_loop_limit(self, length: int = 1) -> None:
        self.iterations += length
        if self.iterations > MAX_LOOPS:
            raise LoopIterationLimitError(f"more than {MAX_LOOPS} iterations", token=None)

    def get(self, path: list[Any], *, token: Any, default: object = UNDEFINED) -> object:
        """Names in mappings; where it is anything else, or nothing, the parent says what it is."""
        try:
            found = self.scope[path[0]]
            for name in path[1:]:
                if type(found) is not dict or type(name) is not str or name in _SPECIAL:
                    return super().get(path, token=token, default=default)
                found = found[name]
        except (KeyError, TypeError):
            return super().get(path, token=token, default=default)
        return found

    def get_item(self, obj: Any, key: Any) -> Any:
        # Nearly every look-up of a prompt is a name in a mapping of a view: a third of all rendering without this.
        if type(obj) is dict and type(key) is str and key not in _SPECIAL:
            return obj[key]
        if not isinstance(obj, _VISIBLE) and not hasattr(obj, "parentloop"):
            raise KeyError(key)
        return super().get_item(obj, key)

    def get_buffer(self, buf: TextIO | None = None) -> StringIO:
        used = buf.used() if isinstance(buf, Output) else 0
        return Output(limit=MAX_OUTPUT - used)

    def filter(self, name: str, token: Any) -> Callable[..., object]:
        function = super().filter(name, token)

        def bounded(left: object, *args: object, **kwargs: object) -> object:
            self.filtered += _cost(name, left, args)
            if self.filtered > MAX_FILTERED:
                raise OutputStreamLimitError("the filters have too much to do", token=token)
            return function(left, *args, **kwargs)

        return bounded


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8"))


def _cost(name: str, left: object, args: tuple[object, ...]) -> int:
    """An upper bound of the characters that a filter makes, known before it runs."""
    if not args and isinstance(left, str):
        return 16 + len(left)
    sizes = [_size(value) for value in (left, *args)]
    if name in _MULTIPLYING:
        return sizes[0] * (1 + max(sizes[1:], default=0))
    return 16 + sum(sizes)


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, range | list | tuple):
        if len(value) > MAX_ITEMS:
            raise LoopIterationLimitError(f"more than {MAX_ITEMS} items", token=None)
        return len(value) + sum(len(item) for item in value if isinstance(item, str))
    if isinstance(value, int) and value.bit_length() > 256:
        raise LiquidError("the number is too large", token=None)
    return 1


class Template(BoundTemplate):
    context_class = Context

    def _get_buffer(self) -> StringIO:
        return Output(limit=MAX_OUTPUT)


class Sandbox(Environment):
    template_class = Template
    block_nesting_limit = MAX_DEPTH
    context_depth_limit = MAX_DEPTH
    loop_iteration_limit = MAX_LOOPS
    output_stream_limit = MAX_OUTPUT
    local_namespace_limit = 4 * MAX_OUTPUT

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        self.tags = {name: tag for name, tag in self.tags.items() if name in TAGS}
        self.filters = {name: function for name, function in self.filters.items() if name in FILTERS}
        self.filters["json"] = _json
        self.filters["plain"] = plain
        self.filters["squish"] = squish


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=lambda other: str(other) or None)


@string_filter
def squish(text: str) -> str:
    """Liquid's own, ten times as fast: what `split` takes for blanks is what `\\s` matches."""
    return " ".join(text.split())


def plain(value: object) -> str:
    """Any JSON value as a person would write it: `yes`, `3`, `a, b and c`, `name: value; other: value`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        parts = [plain(item) for item in value]
        return " and ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {plain(item)}" for key, item in value.items())
    return "" if value is None else str(value)


SANDBOX = Sandbox()

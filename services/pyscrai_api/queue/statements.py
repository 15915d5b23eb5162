"""The statements of `sql/`, by name. A statement begins with a line `-- name: xyz  what it is for`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_HEAD = re.compile(r"^-- name: (\w+) +(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Statement:
    name: str
    purpose: str
    text: str


@cache
def statements(file: str) -> dict[str, Statement]:
    """Every statement of `sql/{file}.sql`, in order."""
    source = (files(__package__) / "sql" / f"{file}.sql").read_text(encoding="utf-8")
    heads = list(_HEAD.finditer(source))
    ends = [head.start() for head in heads[1:]] + [len(source)]
    return {
        head[1]: Statement(head[1], head[2], source[head.end() : end].strip().removesuffix(";"))
        for head, end in zip(heads, ends, strict=True)
    }


def sql(file: str, name: str) -> str:
    """The text of one statement."""
    return statements(file)[name].text

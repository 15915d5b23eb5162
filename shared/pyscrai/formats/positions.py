"""Read YAML or JSON into plain values with the place of every key and value, so that each remark has a line."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pyscrai.formats.findings import Finding, Position, finding
from pyscrai.formats.json_events import json_events
from pyscrai.formats.tree import Mark, Node, Unreadable, build, walk
from pyscrai.formats.yaml_events import yaml_events

MAX_BYTES = 2_000_000


@dataclass(frozen=True)
class Positions:
    """JSON Pointer → place of the key and of the value. What is not listed is found at its nearest ancestor."""

    keys: Mapping[str, Position]
    values: Mapping[str, Position]
    file: str

    def place(self, pointer: str) -> Position:
        """Where a person should look: the value where it stands on its key's line, else the key."""
        while pointer:
            key, value = self.keys.get(pointer), self.values.get(pointer)
            if value and (key is None or key.line == value.line):
                return value
            if key:
                return key
            pointer = pointer.rpartition("/")[0]
        return self.values.get("") or Position(self.file)

    def key(self, pointer: str) -> Position:
        """Where the key itself starts: for remarks about the key's name."""
        return self.keys.get(pointer) or self.place(pointer)

    def moved(self, moves: list[tuple[str, str]]) -> Positions:
        """With the places under each `old` pointer found under `new` too: (new, old), for reshaped documents."""
        keys, values = dict(self.keys), dict(self.values)
        for new, old in moves:
            for pointer in self.under(old):
                target = new + pointer[len(old) :]
                if pointer in self.keys:
                    keys[target] = self.keys[pointer]
                if pointer in self.values:
                    values[target] = self.values[pointer]
        return Positions(keys, values, self.file)

    def under(self, pointer: str) -> list[str]:
        """The known pointers at and below one, found by bisection: a reader asks for each key that it moves."""
        start = bisect_left(self._sorted, f"{pointer}/")
        # "0" is the character after "/"
        end = bisect_left(self._sorted, f"{pointer}0")
        return [*([pointer] if pointer in self.values or pointer in self.keys else []), *self._sorted[start:end]]

    @cached_property
    def _sorted(self) -> list[str]:
        return sorted({*self.keys, *self.values})

    def __contains__(self, pointer: str) -> bool:
        return pointer in self.values


@dataclass(frozen=True)
class Document:
    """One file's content. `data` is None where it cannot be read at all; with a key twice, the first one counts."""

    file: str
    data: Any
    positions: Positions
    findings: list[Finding] = field(default_factory=list)

    @property
    def readable(self) -> bool:
        """Whether there is anything to go on with; `findings` may still have errors."""
        return self.data is not None or not self.findings


def read(content: bytes | str, file: str) -> Document:
    """Read one YAML or JSON file. Never raises for what is in it: `findings` says what is wrong, and where."""
    try:
        text = _decode(content)
        root = _compose(text, file)
        if root is None:
            raise Unreadable(Mark(0, 0), "the file is empty")
        walked = walk(root)
    except Unreadable as error:
        place = _place(file, error.mark)
        return Document(file, None, Positions({}, {}, file), [finding("error", place, "", error.message, error.hint)])
    findings = [
        finding("error" if severity == "error" else "warning", _place(file, mark), pointer, message, hint)
        for severity, pointer, mark, message, hint in walked.troubles
    ]
    keys = {pointer: _place(file, mark) for pointer, mark in walked.keys.items()}
    values = {pointer: _place(file, mark) for pointer, mark in walked.values.items()}
    return Document(file, walked.value, Positions(keys, values, file), findings)


def _compose(text: str, file: str) -> Node | None:
    """JSON where the name or the text says so (tabs and escapes differ from YAML's), else YAML."""
    if file.lower().endswith(".json"):
        return build(json_events(text))
    if text.lstrip()[:1] in ("{", "["):
        try:
            return build(json_events(text))
        except Unreadable:
            # YAML's flow style, perhaps; if it is neither, the YAML message is the one to show
            return build(yaml_events(text))
    return build(yaml_events(text))


def _decode(content: bytes | str) -> str:
    if len(content) > MAX_BYTES:
        raise Unreadable(Mark(0, 0), f"larger than {MAX_BYTES:,} bytes", "a scenario is text for people to read")
    if isinstance(content, str):
        return content.removeprefix("\ufeff")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable(Mark(0, 0), "the file is UTF-16", "save it as UTF-8")
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        mark = Mark(before.count("\n"), len(before) - (before.rfind("\n") + 1))
        raise Unreadable(mark, "the file is not UTF-8", "save it as UTF-8") from None


def _place(file: str, mark: Mark) -> Position:
    return Position(file, mark.line + 1, mark.column + 1)

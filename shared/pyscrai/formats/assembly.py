"""Putting a native document together from several files, knowing where each value came from and what was not used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyscrai.domain.canonical import escape
from pyscrai.formats.findings import Finding, Position, Severity, did_you_mean, finding
from pyscrai.formats.positions import Document, Positions


class Source:
    """A mapping in one of the files, with a memory of the keys that were used."""

    def __init__(self, document: Document, file: str, data: Any = None, pointer: str = "") -> None:
        self.document = document
        self.file = file
        found = document.data if data is None else data
        self.data: dict[str, Any] = found if isinstance(found, dict) else {}
        self.pointer = pointer
        self.used: set[str] = set()
        self._inner: dict[str, Source] = {}

    def here(self, key: str) -> str:
        return f"{self.pointer}/{escape(key)}"

    def place(self, key: str | None = None) -> Position:
        return self.document.positions.place(self.pointer if key is None else self.here(key))

    def take(self, *names: str) -> Taken | None:
        """The first of these keys that has a value; it counts as used. The others stay unused."""
        for name in names:
            if self.data.get(name) is not None:
                self.used.add(name)
                return Taken(self, name, self.data[name])
        return None

    def value(self, *names: str) -> Any:
        taken = self.take(*names)
        return taken.value if taken else None

    def within(self, key: str) -> Source | None:
        """The mapping under a key as a source of its own; None where there is none."""
        found = self.data.get(key)
        if not isinstance(found, dict):
            return None
        self.used.add(key)
        # the same one each time: it remembers which of its keys were used
        return self._inner.setdefault(key, Source(self.document, self.file, found, self.here(key)))


@dataclass(frozen=True)
class Taken:
    """A value with the key that it came from."""

    source: Source
    key: str
    value: Any

    @property
    def pointer(self) -> str:
        return self.source.here(self.key)

    @property
    def place(self) -> Position:
        return self.source.place(self.key)


@dataclass
class Assembly:
    """The native document in the making."""

    file: str
    native: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    _keys: dict[str, Position] = field(default_factory=dict)
    _values: dict[str, Position] = field(default_factory=dict)

    def put(self, path: tuple[str, ...], value: Any, origin: Taken | Source | None) -> None:
        """Set a value of the native document, and where it came from."""
        here = self.native
        for key in path[:-1]:
            here = here.setdefault(key, {})
        here[path[-1]] = value
        self.trace(path, origin)

    def trace(self, path: tuple[str, ...], origin: Taken | Source | None) -> None:
        """Say where a native path came from: positions of what is under it are taken over as well."""
        if origin is None:
            return
        places = origin.source.document.positions if isinstance(origin, Taken) else origin.document.positions
        old, new = origin.pointer, "".join(f"/{escape(key)}" for key in path)
        for pointer in places.under(old):
            target = new + pointer[len(old) :]
            if pointer in places.keys:
                self._keys[target] = places.keys[pointer]
            if pointer in places.values:
                self._values[target] = places.values[pointer]

    def mark(self, path: tuple[str, ...], place: Position) -> None:
        """Say where a person should look for a native path that has no single origin."""
        pointer = "".join(f"/{escape(key)}" for key in path)
        self._values[pointer] = self._keys[pointer] = place

    def move(self, path: tuple[str, ...], origin: Source, *names: str) -> Taken | None:
        """Take the first of these keys as it is."""
        taken = origin.take(*names)
        if taken is not None:
            self.put(path, taken.value, taken)
        return taken

    def positions(self) -> Positions:
        return Positions(self._keys, {"": Position(self.file), **self._values}, self.file)

    def say(
        self, severity: Severity, at: Source | Taken | Position, message: str, hint: str | None = None, path: str = ""
    ) -> None:
        place = at if isinstance(at, Position) else at.place() if isinstance(at, Source) else at.place
        pointer = path or ("" if isinstance(at, Position) else at.pointer)
        self.findings.append(finding(severity, place, pointer, message, hint))

    def lose(self, at: Position, pointer: str, message: str, hint: str | None = None) -> None:
        """A line of the loss report for what is kept in its own place and has no effect."""
        self.findings.append(finding("note", at, pointer, message, hint, unused=True))

    def keep(self, source: Source, key: str, why: str, severity: Severity = "note", hint: str | None = None) -> None:
        """Keep a key that has no place here under `extensions`, and list it in the loss report."""
        source.used.add(key)
        pointer = source.here(key)
        self.kept.setdefault(source.file, {})[pointer] = source.data[key]
        at = source.document.positions.key(pointer)
        message = f'"{key}" is not used: {why}'
        self.findings.append(finding(severity, at, pointer, message, hint, unused=True))

    def keep_whole(self, source: Source, name: str, why: str) -> None:
        """Keep a whole mapping that is not used."""
        self.kept.setdefault(source.file, {})[source.pointer] = source.data
        message = f'"{name}" is not used: {why}'
        self.findings.append(finding("note", source.place(), source.pointer, message, unused=True))

    def finish(self, source: Source, known: Iterable[str], reasons: Mapping[str, str]) -> None:
        """Report every key of a source that nothing has used. `reasons`: known keys that have no place here."""
        names = [*known, *reasons]
        for key in self._left(source):
            if source.data[key] is None:
                self.say("warning", source.place(key), f'"{key}" is empty', "fill it in or delete it", source.here(key))
            elif key in reasons:
                self.keep(source, key, reasons[key])
            elif key in known:
                self.keep(source, key, "another key says this already", "warning")
            else:
                hint = did_you_mean(key, names) or f"known here: {', '.join(sorted(names))}"
                self.keep(source, key, "it is not known", "warning", hint)

    def _left(self, source: Source) -> Iterator[str]:
        return (key for key in source.data if key not in source.used)

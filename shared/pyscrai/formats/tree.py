"""From parsing events to plain values with the position of each key and value. Bounded in nodes and depth."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from pyscrai.domain.canonical import clean_text, escape

MAX_NODES = 100_000
MAX_DEPTH = 64


class Mark(NamedTuple):
    """A place in a text; line and column from 0."""

    line: int
    column: int


class Unreadable(Exception):
    """A text that cannot be read: where, why, and what to do."""

    def __init__(self, mark: Mark, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.mark = mark
        self.message = message
        self.hint = hint


class Event(NamedTuple):
    """One step of parsing. `raw` is the text of a YAML scalar, which is what its key is called."""

    kind: Literal["map", "list", "end", "scalar", "alias"]
    mark: Mark
    value: Any = None
    anchor: str | None = None
    raw: str | None = None
    merge: bool = False


@dataclass
class Node:
    """A value in the making. A node that is reached by an alias is shared, not copied."""

    kind: Literal["map", "list", "scalar"]
    mark: Mark
    value: Any = None
    raw: str | None = None
    merge: bool = False
    items: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] = field(default_factory=list)
    closed: bool = False


def build(events: Iterable[Event]) -> Node | None:
    """The tree of one document; None where it is empty. Raises Unreadable."""
    root: Node | None = None
    open_: list[Node] = []
    keys: list[Node | None] = []
    anchors: dict[str, Node] = {}
    count = 0
    for event in events:
        if event.kind == "end":
            open_.pop().closed = True
            keys.pop()
            continue
        count += 1
        if count > MAX_NODES:
            raise Unreadable(event.mark, f"more than {MAX_NODES:,} values", "split the document")
        node = _node(event, anchors)
        if open_:
            _attach(open_[-1], keys, node, event.mark)
        elif root is None:
            root = node
        if event.kind in ("map", "list"):
            open_.append(node)
            keys.append(None)
            if len(open_) > MAX_DEPTH:
                raise Unreadable(event.mark, f"nested deeper than {MAX_DEPTH} levels")
    return root


def _node(event: Event, anchors: dict[str, Node]) -> Node:
    if event.kind == "alias":
        node = anchors.get(event.anchor or "")
        if node is None:
            raise Unreadable(event.mark, f'the alias "*{event.anchor}" has no anchor above it')
        if not node.closed:
            raise Unreadable(event.mark, f'the alias "*{event.anchor}" stands inside what it names')
        return node
    kind: Literal["map", "list", "scalar"] = "scalar"
    if event.kind == "map" or event.kind == "list":
        kind = event.kind
    made = Node(kind, event.mark, event.value, event.raw, event.merge, closed=kind == "scalar")
    if event.anchor:
        anchors[event.anchor] = made
    return made


def _attach(parent: Node, keys: list[Node | None], node: Node, mark: Mark) -> None:
    if parent.kind == "list":
        parent.items.append(node)
    elif keys[-1] is None:
        if node.kind != "scalar":
            raise Unreadable(mark, "a key must be a word", 'a text that starts with "{" or "[" needs quotes')
        # the key's own place, also where it is written as an alias
        keys[-1] = Node("scalar", mark, node.value, node.raw, node.merge, closed=True)
    else:
        parent.pairs.append((keys[-1], node))
        keys[-1] = None


class Walked(NamedTuple):
    """Plain values, and for each JSON Pointer the mark of its key (or item) and of its value."""

    value: Any
    keys: dict[str, Mark]
    values: dict[str, Mark]
    troubles: list[tuple[str, str, Mark, str, str | None]]
    """(severity, pointer, mark, message, hint)"""


def walk(root: Node) -> Walked:
    """Plain values of a tree, aliases and merge keys expanded. Raises Unreadable where they explode."""
    return _Walk().run(root)


class _Walk:
    def __init__(self) -> None:
        self.keys: dict[str, Mark] = {}
        self.values: dict[str, Mark] = {}
        self.troubles: list[tuple[str, str, Mark, str, str | None]] = []
        self.merges = 0

    def run(self, root: Node) -> Walked:
        return Walked(self.visit(root, "", 0), self.keys, self.values, self.troubles)

    def visit(self, node: Node, pointer: str, depth: int) -> Any:
        if len(self.values) >= MAX_NODES:
            hint = "aliases (*name) are counted as often as they are used"
            raise Unreadable(node.mark, f"more than {MAX_NODES:,} values", hint)
        if depth > MAX_DEPTH:
            raise Unreadable(node.mark, f"nested deeper than {MAX_DEPTH} levels")
        self.values[pointer] = node.mark
        if node.kind == "map":
            return self.mapping(node, pointer, depth)
        if node.kind == "list":
            found = []
            for i, item in enumerate(node.items):
                self.keys[f"{pointer}/{i}"] = item.mark
                found.append(self.visit(item, f"{pointer}/{i}", depth + 1))
            return found
        return self.scalar(node, pointer)

    def mapping(self, node: Node, pointer: str, depth: int) -> dict[str, Any]:
        pairs = self.own(node, pointer)
        for key, value in node.pairs:
            if key.merge:
                for name, pair in self.merged(value, pointer, depth).items():
                    pairs.setdefault(name, pair)
        found: dict[str, Any] = {}
        for name, (key, value) in pairs.items():
            here = f"{pointer}/{escape(name)}"
            self.keys[here] = key.mark
            found[name] = self.visit(value, here, depth + 1)
        return found

    def own(self, node: Node, pointer: str) -> dict[str, tuple[Node, Node]]:
        pairs: dict[str, tuple[Node, Node]] = {}
        for key, value in node.pairs:
            if key.merge:
                continue
            name = clean_text(key.raw if key.raw is not None else str(key.value))
            if name in pairs:
                first = pairs[name][0].mark.line + 1
                self.trouble(
                    "error",
                    f"{pointer}/{escape(name)}",
                    key.mark,
                    f'the key "{name}" is here twice',
                    f"it is on line {first} already: keep one of them",
                )
            else:
                pairs[name] = (key, value)
        return pairs

    def merged(self, node: Node, pointer: str, depth: int) -> dict[str, tuple[Node, Node]]:
        """What `<<: *base` brings in: the first of several wins, and none replaces a key of one's own."""
        self.merges += 1 + len(node.items) + len(node.pairs)
        if depth > MAX_DEPTH or self.merges > MAX_NODES:
            raise Unreadable(node.mark, "merge keys (<<) that bring in too much")
        found: dict[str, tuple[Node, Node]] = {}
        for source in node.items if node.kind == "list" else [node]:
            if source.kind != "map":
                raise Unreadable(source.mark, '"<<" takes a mapping, or a list of them', "as in: <<: *base")
            for name, pair in self.own(source, pointer).items():
                found.setdefault(name, pair)
            for key, value in source.pairs:
                if key.merge:
                    for name, pair in self.merged(value, pointer, depth + 1).items():
                        found.setdefault(name, pair)
        return found

    def scalar(self, node: Node, pointer: str) -> Any:
        value = node.value
        if isinstance(value, float) and not math.isfinite(value):
            self.trouble("error", pointer, node.mark, "infinity and not-a-number have no place in a scenario", None)
            return None
        if isinstance(value, str) and (cleaned := clean_text(value)) != value:
            self.trouble("warning", pointer, node.mark, "characters that cannot be stored became U+FFFD", None)
            return cleaned
        return value

    def trouble(self, severity: str, pointer: str, mark: Mark, message: str, hint: str | None) -> None:
        self.troubles.append((severity, pointer, mark, message, hint))

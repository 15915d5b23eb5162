"""The installation's declared prices: a YAML or JSON file, each mistake with its line and field."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pyscrai.domain.choices import Price
from pyscrai_api.errors import StartupError
from pyscrai_api.money.names import canonical_name

_SHAPE = "model: {input: 0.15, output: 0.60}, in US dollars per million tokens"
_SYSTEMS_OWN = "source"
"""A field of a price that only the system fills in."""


def read_prices(path: Path | None) -> dict[str, Price]:
    """Model (by its canonical name, or the beginning of one and a `*`) → its price.

    Raises StartupError naming the file, the line and the field of every mistake.
    """
    if path is None:
        return {}
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise StartupError(f"cannot read the prices in {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise StartupError(f"cannot read the prices in {path}: the file is not UTF-8") from None
    try:
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise StartupError(f"the prices in {path} cannot be read: {_said(error)}") from None
    return _Reader(path).prices(root)


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._mistakes: list[str] = []
        self._lines: dict[str, int] = {}

    def prices(self, root: yaml.Node | None) -> dict[str, Price]:
        if root is None:
            return {}
        if not isinstance(root, yaml.MappingNode):
            self._complain(root, f"write a mapping: {_SHAPE}")
        found: dict[str, Price] = {}
        for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
            name = canonical_name(str(key.value))
            if name in self._lines:
                self._complain(key, f"{key.value}: the model has a price already, in line {self._lines[name]}")
                continue
            self._lines[name] = key.start_mark.line + 1
            if (price := self._price(str(key.value), value)) is not None:
                found[name] = price
        if self._mistakes:
            raise StartupError("the declared prices cannot be used:\n" + "\n".join(self._mistakes))
        return found

    def _price(self, model: str, node: yaml.Node) -> Price | None:
        if not isinstance(node, yaml.MappingNode):
            self._complain(node, f"{model}: write {_SHAPE}")
            return None
        values = _plain(node)
        if _SYSTEMS_OWN in values:
            self._complain(node, f"{model}, {_SYSTEMS_OWN}: the system says by itself where a price is from")
            return None
        try:
            # Every value is plain text, so that no price becomes a binary float on its way.
            return Price.model_validate(values)
        except ValidationError as error:
            for mistake in error.errors():
                where = _node_at(node, mistake["loc"])
                field = ".".join(map(str, mistake["loc"]))
                self._complain(where, f"{model}{f', {field}' if field else ''}: {_lower(mistake['msg'])}")
        return None

    def _complain(self, node: yaml.Node, message: str) -> None:
        mark = node.start_mark
        self._mistakes.append(f"{self._path}:{mark.line + 1}:{mark.column + 1}: {message}")


def _plain(node: yaml.MappingNode) -> Mapping[str, Any]:
    values: Mapping[str, Any] = yaml.constructor.BaseConstructor().construct_object(node, deep=True)
    return values


def _node_at(node: yaml.Node, place: tuple[int | str, ...]) -> yaml.Node:
    """The node that a validation error names: the value, for a field that should not be there its name, and for one
    that is missing what it is missing in."""
    for part in place:
        if isinstance(node, yaml.MappingNode):
            inner = next((value for key, value in node.value if key.value == part), None)
        else:
            inner = node.value[part] if isinstance(part, int) and isinstance(node, yaml.SequenceNode) else None
        if inner is None:
            break
        node = inner
    return node


def _said(error: yaml.YAMLError) -> str:
    """YAML's message in one line."""
    return " ".join(str(error).split())


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]

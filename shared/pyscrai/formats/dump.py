"""A scenario as native YAML, the way a person would write it: what is default is left out, texts are blocks."""

from __future__ import annotations

from typing import Any

import yaml

from pyscrai.domain.scenario import FORMAT, Scenario
from pyscrai.formats.yaml_events import BOOL, FLOAT, INT, NULL

WIDTH = 110
_BLOCK_FROM = 90


class _Dumper(yaml.SafeDumper):
    """Quotes whatever YAML 1.1 or 1.2 would not read as text, and writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


for _tag, _pattern in (("bool", BOOL), ("int", INT), ("float", FLOAT), ("null", NULL)):
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, None)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None
    if not text.replace("\n", "").isprintable():
        style = '"'  # escapes: PyYAML takes NEL and its kin for line breaks
    elif "\n" in text and _fits_block(text):
        style = "|"
    elif len(text) > _BLOCK_FROM and _fits_folded(text):
        style = ">"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _fits_block(text: str) -> bool:
    """Whether a literal block keeps every character: no blanks at line ends or before the first word."""
    lines = text.split("\n")
    starts = lines[0][:1]
    return starts != "" and not starts.isspace() and all(line == line.rstrip() and line.isprintable() for line in lines)


def _fits_folded(text: str) -> bool:
    """Whether a folded block keeps every character: one line of words with single blanks between them."""
    return text.isprintable() and "  " not in text and text == text.strip()


_Dumper.add_representer(str, _text)


def dump(scenario: Scenario) -> str:
    """Native YAML; `load` of it gives an equal scenario. Keys are in the model's order, seats in theirs."""
    plain = scenario.model_dump(mode="json", exclude_defaults=True)
    for order in ("seat_order", "flow_order"):
        plain.pop(order, None)  # a YAML mapping keeps its order, and the model has put it into that one
    return plain_yaml({"format": FORMAT, "name": scenario.name, **plain})


def plain_yaml(document: dict[str, Any]) -> str:
    """Plain values as YAML of the same style, keys in their order."""
    return yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=False
    )

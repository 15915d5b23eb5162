"""What a template lets a run change: `extensions.pyscrai.overrides` of a scenario against the choices of one run.

Rules are by seat (or `narrator`, `analyst`), section and field. A field without a rule may be changed freely.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pyscrai.domain.canonical import escape
from pyscrai.domain.choices import Choices, SeatChoice
from pyscrai.domain.scenario import Scenario

_FIELDS = {
    "model": ("llm_config", ("model_id", "model", "id")),
    "temperature": ("llm_config", ("temperature",)),
    "max_tokens": ("llm_config", ("max_tokens",)),
    "instructions": ("personality_config", ("instructions",)),
    "situation": ("personality_config", ("backstory",)),
    "style": ("personality_config", ("traits",)),
    "tools": ("tools_config", ("tools",)),
}
"""Choice of a seat → section and names of the field that it replaces."""
_SECTIONS = ("personality_config", "llm_config", "tools_config", "other")


def refused(scenario: Scenario, choices: Choices) -> list[tuple[str, str]]:
    """JSON Pointer into the choices and reason, for each choice that a template of this scenario forbids."""
    overrides = _of(scenario)
    found: list[tuple[str, str]] = []
    for who, rules in overrides.items():
        chosen = choices.seats.get(who)
        own = _given(chosen) if chosen is not None else {}
        found += _refused_of(scenario, who, rules, own)
        if choices.model is not None and "model" not in own and choices.model != _declared(scenario, who, "model"):
            rule, _ = _rule(rules, "model")
            if rule == "forbidden":
                found.append(("/model", f"the model of {who} may not be changed, and this stands for every seat"))
    return found


def refused_edits(scenario: Scenario, edits: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """JSON Pointer into the edits and reason, for each field of a seat that a template forbids to change."""
    for who, rules in _of(scenario).items():
        for key, value in edits.get(who, {}).items():
            yield from _one(scenario, who, rules, key, value, f"/{escape(who)}/{escape(key)}")


def _of(scenario: Scenario) -> dict[str, Mapping[str, Any]]:
    """Seat → section → field → rule; what has another shape says nothing."""
    own = scenario.extensions.get("pyscrai")
    found = own.get("overrides") if isinstance(own, dict) else None
    if not isinstance(found, dict):
        return {}
    return {who: rules for who, rules in found.items() if isinstance(rules, Mapping)}


def _given(chosen: SeatChoice) -> dict[str, Any]:
    """What was chosen for a seat, also beyond the fields that the system knows."""
    return {key: value for key, value in chosen.model_dump(exclude_unset=True).items() if value is not None}


def _refused_of(
    scenario: Scenario, who: str, rules: Mapping[str, Any], own: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    for key, value in own.items():
        pointer = f"/seats/{escape(who)}/{escape(key)}"
        if key in _SECTIONS and isinstance(value, dict):
            for field, inner in value.items():
                yield from _one(scenario, who, rules, field, inner, f"{pointer}/{escape(field)}", key)
        else:
            yield from _one(scenario, who, rules, key, value, pointer)


def _one(
    scenario: Scenario,
    who: str,
    rules: Mapping[str, Any],
    key: str,
    value: Any,
    pointer: str,
    section: str | None = None,
) -> Iterator[tuple[str, str]]:
    rule, field = _rule(rules, key, section)
    if rule in (None, "override_allowed"):
        return
    declared = _declared(scenario, who, key)
    if value == declared:
        return
    if rule == "forbidden":
        yield pointer, f"{field} of {who} may not be changed"
    elif rule == "append_allowed" and not _appends(declared, value):
        yield pointer, f"{field} of {who} may only be added to: it has to begin with what the template says"
    elif rule == "merge_allowed" and not _merges(declared, value):
        yield pointer, f"{field} of {who} may only be added to, key by key: nothing of the template's may be left out"


def _rule(rules: Mapping[str, Any], key: str, section: str | None = None) -> tuple[str | None, str]:
    """The rule for a choice, and what the template calls the field."""
    known, names = _FIELDS.get(key, (section, (key,)))
    sections = [section] if section else [known] if known else list(rules)
    for place in sections:
        fields = rules.get(str(place))
        for name in names:
            if isinstance(fields, Mapping) and name in fields:
                return str(fields[name]), name
    return None, key


def _declared(scenario: Scenario, who: str, key: str) -> Any:
    """What the scenario itself says there; None where it has no such field."""
    name = {"model_id": "model", "id": "model"}.get(key, key)
    part: Any = scenario.seats.get(who) or (scenario.narrator if who == "narrator" else scenario.analyst)
    return getattr(part, name, None)


def _appends(declared: Any, value: Any) -> bool:
    if isinstance(value, list):
        kept = declared if isinstance(declared, list) else []
        return value[: len(kept)] == kept
    if isinstance(value, str):
        return value.startswith(declared.rstrip() if isinstance(declared, str) else "")
    return declared is None


def _merges(declared: Any, value: Any) -> bool:
    """Lists and texts are merged by keeping what there is; of a mapping's keys the run's own win."""
    if isinstance(value, dict):
        return declared is None or isinstance(declared, dict | str)
    return _appends(declared, value) and isinstance(value, list | str)

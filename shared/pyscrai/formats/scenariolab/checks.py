"""validation-rules → checks of the analyst."""

from __future__ import annotations

import re
from typing import Any

from pyscrai.domain.scenario import slug
from pyscrai.formats import fields
from pyscrai.formats.assembly import Assembly, Source, Taken
from pyscrai.formats.findings import did_you_mean

KNOWN = [
    "validation_model",
    "checks",
    "run_after_each_turn",
    "run_at_scenario_end",
    "halt_on_critical",
    "severity_thresholds",
    "include_in_costs",
    "generate_turn_reports",
    "generate_summary_report",
]
UNUSED = {
    "schema_version": "the document is read by its content",
    "scenario_name": "the scenario's own name is used",
}
CHECK_KEYS = ("enabled", "description", "severity", "prompt_template", "prompt")
SEVERITIES = {
    "info": "low",
    "low": "low",
    "minor": "low",
    "warning": "medium",
    "medium": "medium",
    "moderate": "medium",
    "error": "high",
    "high": "high",
    "major": "high",
    "critical": "critical",
}
ORDER = ("low", "medium", "high", "critical")
ACTIONS = {
    "log": "log",
    "ignore": "log",
    "info": "log",
    "warn": "warn",
    "warning": "warn",
    "reask": "reask",
    "retry": "reask",
    "regenerate": "reask",
    "halt": "halt",
    "stop": "halt",
    "abort": "halt",
    "error": "halt",
}
STRENGTH = ("log", "warn", "reask", "halt")
PLACEHOLDERS = {
    "actor_name": "(each actor in turn)",
    "actor_profile": "(the actor's profile, as given to you)",
    "actor_reasoning": "(known to the actor alone: judge by the action)",
    "actor_action": "(the actor's move of this turn, as given to you)",
    "actor_actions": "(the moves of this turn, as given to you)",
    "actor_decision": "(the actor's move of this turn, as given to you)",
    "world_state": "(the world as it was before this turn's update, as given to you)",
    "current_world_state": "(the world as it is now, as given to you)",
    "public_world_state": "(the world as it was before this turn's update, as given to you)",
    "previous_world_state": "(the world as it was before this turn's update, as given to you)",
    "new_world_state": "(the world as it is now, as given to you)",
    "private_communications": "(private messages that the actor was part of, if there are any)",
    "restricted_information": "(what the profiles of the other actors mark as private)",
    "turn": "(this turn)",
    "turn_number": "(this turn)",
    "scenario_name": "(this scenario)",
}
"""What a prompt of theirs is filled with, in words: our analyst's prompt already shows all of it."""
_PLACEHOLDER = re.compile(r"\{([a-z_][a-z0-9_]*)\}")


def read_checks(into: Assembly, source: Source, switched_on: bool) -> None:
    """All checks that are switched on, with what happens when one finds something."""
    into.move(("analyst", "model"), source, "validation_model")
    checks = source.within("checks")
    if not switched_on:
        if checks:
            into.keep(source, "checks", "features.quality_assurance is switched off")
        checks = None
    elif checks is None and source.data.get("checks") is not None:
        into.say("error", source.place("checks"), "checks is a mapping (name: check)", path=source.here("checks"))
        source.used.add("checks")
    ladder = _ladder(into, source)
    for name in list(checks.data) if checks else []:
        _check(into, checks, name, ladder)
    _timing(into, source)
    _reports(into, source, switched_on)
    into.finish(source, KNOWN, UNUSED)


def _check(into: Assembly, checks: Source | None, name: str, ladder: dict[str, str]) -> None:
    source = checks.within(name) if checks else None
    if checks is None or source is None:
        if checks is not None:
            into.say("error", checks.place(name), "a check is a mapping (key: value)", path=checks.here(name))
            checks.used.add(name)
        return
    if fields.truth(into, source.take("enabled")) is False:
        into.keep_whole(source, name, "the check is switched off (enabled: false)")
        return
    here = ("checks", slug(name))
    into.put(here, {}, source)
    described = source.take("description")
    if described:
        into.put((*here, "description"), fields.told(into, described), described)
    prompt = source.take("prompt_template", "prompt")
    if prompt:
        into.put((*here, "prompt"), _filled(into, prompt), prompt)
    severity, action = _reaction(into, source, ladder)
    if severity:
        into.put((*here, "severity"), severity, source)
    if action:
        into.put((*here, "on_issue"), action, source)
    into.finish(source, CHECK_KEYS, {})


def _filled(into: Assembly, prompt: Taken) -> Any:
    """Their placeholders as references that a reader of our analyst's prompt understands."""
    if not isinstance(prompt.value, str):
        return fields.told(into, prompt)

    def fill(found: re.Match[str]) -> str:
        word = found.group(1)
        if word in PLACEHOLDERS:
            return PLACEHOLDERS[word]
        message = f'the placeholder "{{{word}}}" is not known: it stays in the text'
        into.say("warning", prompt, message, did_you_mean(word, PLACEHOLDERS))
        return found.group()

    return _PLACEHOLDER.sub(fill, prompt.value).strip()


def _ladder(into: Assembly, source: Source) -> dict[str, str]:
    """Severity → what happens, from `severity_thresholds` and `halt_on_critical`."""
    thresholds = source.within("severity_thresholds")
    ladder: dict[str, str] = {}
    for key in list(thresholds.data) if thresholds else []:
        taken = thresholds.take(key) if thresholds else None
        severity, action = SEVERITIES.get(key.lower()), ACTIONS.get(str(taken.value).lower() if taken else "")
        if taken is None:
            continue
        if severity is None:
            into.say("error", taken, f'"{key}" is not a severity', did_you_mean(key, SEVERITIES))
        elif action is None:
            hint = did_you_mean(str(taken.value), ACTIONS) or f"one of: {', '.join(STRENGTH)}"
            into.say("error", taken, f'"{taken.value}" is not something that can be done about an issue', hint)
        else:
            ladder[severity] = action
    if source.value("halt_on_critical") is True:
        ladder["critical"] = "halt"
    return ladder


def _reaction(into: Assembly, source: Source, ladder: dict[str, str]) -> tuple[str | None, str | None]:
    """The severity from which a check acts, and what it does.

    A check has one reaction here: its own severity's, else the strongest of the thresholds from where it begins.
    """
    declared = source.take("severity")
    if declared:
        severity = SEVERITIES.get(str(declared.value).lower())
        if severity is None:
            hint = did_you_mean(str(declared.value), SEVERITIES) or f"one of: {', '.join(ORDER)}"
            into.say("error", declared, f'"{declared.value}" is not a severity', hint)
            return None, None
        reached = [ladder[s] for s in ORDER[: ORDER.index(severity) + 1] if s in ladder]
        return severity, reached[-1] if reached else None
    acting = [s for s in ORDER if ladder.get(s, "log") != "log"]
    if not acting:
        return None, None
    strongest = max((ladder[s] for s in acting), key=STRENGTH.index)
    start = next(s for s in acting if ladder[s] == strongest)
    weaker = [s for s in acting if STRENGTH.index(ladder[s]) < STRENGTH.index(strongest)]
    if weaker:
        message = f"one reaction per check: {strongest} from {start}; issues that are {weaker[0]} are only logged"
        into.say("note", source, message)
    return start, strongest


def _timing(into: Assembly, source: Source) -> None:
    each = source.take("run_after_each_turn")
    at_end = source.take("run_at_scenario_end")
    if each and each.value is False:
        into.keep(source, "run_after_each_turn", "checks are made after each turn, the last one included", "warning")
    elif at_end and at_end.value is False:
        into.keep(source, "run_at_scenario_end", "the last turn is checked like every other", "note")
    costs = source.take("include_in_costs")
    if costs and costs.value is False:
        into.keep(source, "include_in_costs", "every model call is counted", "warning")


def _reports(into: Assembly, source: Source, switched_on: bool) -> None:
    """The analyst's reports: after each turn, at the end."""
    for key, path, value in (
        ("generate_turn_reports", ("reports", "every"), 1),
        ("generate_summary_report", ("reports", "at_end"), True),
    ):
        taken = source.take(key)
        wanted = fields.truth(into, taken)
        if taken is None or not wanted:
            continue
        if switched_on:
            into.put(path, value, taken)
        else:
            into.keep(source, key, "features.quality_assurance is switched off")

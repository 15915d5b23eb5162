"""scenario.yaml → the scenario, and what every actor is told."""

from __future__ import annotations

from typing import Any

from pyscrai.domain.conditions import parse
from pyscrai.domain.errors import InvalidValue
from pyscrai.formats import fields
from pyscrai.formats.assembly import Assembly, Source, Taken
from pyscrai.formats.findings import Position, finding
from pyscrai.formats.folder import Folder
from pyscrai.formats.positions import MAX_BYTES
from pyscrai.formats.words import as_text, as_texts, paragraphs, readable

KNOWN = [
    "name",
    "description",
    "system_prompt",
    "initial_world_state",
    "turns",
    "num_turns",
    "scenario_length",
    "turn_duration",
    "actors",
    "world_state_model",
    "background_information",
    "success_criteria",
    "tags",
    "features",
    "language",
]
UNUSED = {
    "schema_version": "the document is read by its content",
    "allow_actor_reflection": "each actor reasons before it acts, in the same answer",
    "parallel_action_resolution": "all actors of a turn always act at once",
}
FEATURES: dict[str, dict[str, str]] = {
    "communications": {},
    "exogenous_events": {},
    "metrics_extraction": {},
    "quality_assurance": {},
    "context_management": {},
}
LEAST_TOKENS, MOST_TOKENS = 500, 500_000
MAX_BACKGROUND = 40_000
"""Characters of background that go into every prompt; more is kept and reported."""


def read_scenario(into: Assembly, source: Source) -> None:
    """Everything of scenario.yaml but the actors, the switches and what depends on the metrics."""
    into.move(("title",), source, "name")
    into.move(("language",), source, "language")
    for key, path in (("description", ("description",)), ("initial_world_state", ("world", "text"))):
        taken = source.take(key)
        if taken:
            into.put(path, fields.told(into, taken), taken)
    if "initial_world_state" not in source.data:
        hint = "it is what every actor sees at the start"
        into.say("warning", source, "initial_world_state is missing: the world is empty", hint)
    tags = source.take("tags")
    if tags:
        into.put(("tags",), as_texts(tags.value), tags)
    into.move(("narrator", "model"), source, "world_state_model")
    into.move(("schedule", "turn_length"), source, "turn_duration")
    success = source.take("success_criteria")
    if success:
        told = f"What counts as success in this scenario:\n{as_text(as_texts(success.value))}"
        into.put(("analyst", "instructions"), told, success)
    _turns(into, source)


def common_ground(into: Assembly, source: Source, folder: Folder) -> str:
    """What the scenario tells every actor and the narrator: its system prompt, then the background."""
    prompt = source.take("system_prompt")
    text = fields.told(into, prompt) if prompt else ""
    text = paragraphs(text, *_background(into, source, folder))
    if text:
        into.put(("narrator", "instructions"), text, prompt or source)
    return text


def _background(into: Assembly, source: Source, folder: Folder) -> list[str]:
    found: list[str] = []
    taken = source.take("background_information")
    files = folder.inside("background", (".md",))
    if taken:
        items = taken.value if isinstance(taken.value, list) else [taken.value]
        written = [item for item in items if not _names_file(item, files)]
        found += [f"Background\n{as_text(written[0] if len(written) == 1 else written)}"] if written else []
    size = sum(map(len, found))
    for file in files:
        text = folder.files[file][:MAX_BYTES].decode("utf-8", errors="replace").removeprefix("\ufeff").strip()
        if size + len(text) > MAX_BACKGROUND:
            into.kept.setdefault(file, {})[""] = text
            message = f"{file} is not used: more than {MAX_BACKGROUND:,} characters of background would go into prompts"
            at = Position(folder.shown(file))
            into.findings.append(finding("warning", at, "", message, "shorten it", unused=True))
            continue
        size += len(text)
        title = readable(file.rpartition("/")[2].removesuffix(".md").replace("-", " "))
        found.append(f"Background: {title}\n{text}")
    return found


def _names_file(item: Any, files: list[str]) -> bool:
    return isinstance(item, str) and (item in files or f"background/{item}" in files)


def _turns(into: Assembly, source: Source) -> None:
    taken = source.take("turns", "num_turns")
    length = source.within("scenario_length")
    plain = None if length else source.take("scenario_length")
    if length:
        inner = length.take("turns", "max_turns", "num_turns")
        if inner and taken:
            into.keep(length, inner.key, f'"{taken.key}" says how many turns there are', "warning")
        taken = taken or inner
        length.used.add("type")
    elif plain and taken:
        into.keep(source, "scenario_length", f'"{taken.key}" says how many turns there are', "warning")
    taken = taken or plain
    if taken:
        into.put(("schedule", "turns"), taken.value, taken)
    else:
        into.say("warning", source, "turns is missing: 5 turns are played", "add turns: 5")


def read_condition(into: Assembly, source: Source) -> None:
    """`scenario_length.condition`, where it is a condition on metrics that there are."""
    length = source.within("scenario_length")
    if length is None:
        return
    taken: Taken | None = length.take("condition")
    if taken is not None:
        try:
            metrics = parse(str(taken.value)).metrics
        except InvalidValue:
            metrics = None
        if metrics is not None and metrics <= set(into.native.get("metrics", {})):
            into.put(("schedule", "end_when"), [str(taken.value)], taken)
            into.trace(("schedule", "end_when", "0"), taken)
        else:
            hint = 'a condition is about metrics, as in "trust >= 0.8"'
            into.keep(length, "condition", "it is no condition on metrics of this scenario", "warning", hint)
    length.used |= {"type", "turns", "max_turns", "num_turns"}
    into.finish(length, ("type", "turns", "condition"), {})


def communicates(source: Source) -> bool:
    """Whether `features.communications` leaves communication switched on."""
    features = source.data.get("features")
    told = features.get("communications") if isinstance(features, dict) else None
    enabled = told.get("enabled") if isinstance(told, dict) else told
    return enabled is not False


def read_features(into: Assembly, source: Source) -> dict[str, bool]:
    """The switches of `features`: name → on, for those that are written."""
    features = source.within("features")
    if features is None:
        return {}
    switches: dict[str, bool] = {}
    for name, reasons in FEATURES.items():
        one = features.within(name)
        if one is None:
            taken = features.take(name)
            enabled, holder, key = (taken.value if taken else None), features, name
        else:
            enabled, holder, key = one.value("enabled"), one, "enabled"
        if isinstance(enabled, bool):
            switches[name] = enabled
        elif enabled is not None:
            into.say("error", holder.place(key), f"{name} is switched by true or false", path=holder.here(key))
        if one is not None:
            if name == "context_management":
                _context(into, one, enabled is not False)
            into.finish(one, ("enabled",), reasons)
    into.finish(features, FEATURES, {})
    return switches


def _context(into: Assembly, source: Source, switched_on: bool) -> None:
    """How many tokens of what happened before go into a prompt."""
    taken = source.take("max_context_tokens", "max_tokens")
    if taken is None:
        return
    if not switched_on:
        into.keep(source, taken.key, "features.context_management is switched off: our own bound holds")
        return
    wanted = taken.value
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        into.say("error", taken, f"{taken.key} is a whole number of tokens, not {wanted!r}")
        return
    tokens = min(max(wanted, LEAST_TOKENS), MOST_TOKENS)
    if tokens != wanted:
        into.say("warning", taken, f"{taken.key} is {wanted}: {tokens} is taken")
    into.put(("context", "tokens"), tokens, taken)

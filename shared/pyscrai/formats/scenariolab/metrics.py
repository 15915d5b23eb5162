"""metrics.yaml, four dialects of it → metrics.

A: mapping, `extraction_method`, `pattern`. B: mapping, `extraction_type`, `data_type`, `aggregation`.
C: list, `extraction.type: regex`, `patterns`. D: list, `type: continuous…`, `extraction.type: llm…`, thresholds.
They are read by one set of keys, since files in the wild mix them.
"""

from __future__ import annotations

import re
from typing import Any

from pyscrai.domain.scenario import slug
from pyscrai.formats import fields
from pyscrai.formats.assembly import Assembly, Source, Taken
from pyscrai.formats.findings import did_you_mean
from pyscrai.formats.words import as_texts

TYPES = {
    **dict.fromkeys(
        ("float", "number", "numeric", "continuous", "percentage", "percent", "decimal", "double"), "number"
    ),
    **dict.fromkeys(("integer", "int", "count", "discrete"), "integer"),
    **dict.fromkeys(("boolean", "bool", "binary"), "boolean"),
    **dict.fromkeys(("string", "str", "text", "list", "array", "object"), "text"),
    **dict.fromkeys(("categorical", "category", "enum", "ordinal"), "category"),
}
METHODS = {
    **dict.fromkeys(("regex", "regexp", "pattern"), "pattern"),
    **dict.fromkeys(("keyword", "keywords", "keyword_count"), "keyword"),
    **dict.fromkeys(("llm", "model", "ai", "gpt", "prompt"), "model"),
    **dict.fromkeys(("manual", "human", "none"), "manual"),
}
_PATTERN = ("pattern", "patterns", "regex")
_PROMPT = ("prompt", "extraction_prompt", "prompt_template", "question", "instructions")
_CATEGORIES = ("categories", "options", "values", "allowed_values", "enum")
_METHOD = ("extraction_method", "extraction_type", "method")
KNOWN = (
    *[
        "name",
        "id",
        "description",
        "type",
        "data_type",
        "unit",
        "units",
        "extraction",
        "actor_specific",
        "per_actor",
        "actor",
    ],
    *["range", "min", "max", "min_value", "max_value", "keywords", "thresholds", "aggregation", "enabled"],
    *_METHOD,
    *_PATTERN,
    *_PROMPT,
    *_CATEGORIES,
)
EXTRACTION_KEYS = ("type", *_METHOD, *_PATTERN, *_PROMPT, "keywords")
UNUSED = {
    "model": "the analyst's model measures (analyst: model)",
    "llm_model": "the analyst's model measures (analyst: model)",
    "visualization": "how values are drawn is not part of a scenario",
    "display": "how values are drawn is not part of a scenario",
}
_RANGE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*(?:-|–|to|\.\.)\s*(-?\d+(?:\.\d+)?)\s*\Z")


def read_metrics(into: Assembly, source: Source, seats: dict[str, str], switched_on: bool) -> None:
    """All metrics of the file. `seats`: display and short names → seat."""
    if not switched_on:
        for key in {"metrics"} & set(source.data):
            into.keep(source, key, "features.metrics_extraction is switched off")
    named = source.data.get("scenario_name")
    if isinstance(named, str) and named.strip() == into.native.get("title"):
        source.used.add("scenario_name")
    model = source.take("extraction_model", "metrics_model")
    if model and "model" not in into.native.get("analyst", {}):
        into.put(("analyst", "model"), model.value, model)
    elif model:
        into.keep(source, model.key, "the analyst has one model: that of the validation rules", "warning")
    for name, metric in _each(into, source) if switched_on else []:
        _metric(into, metric, name, seats)
    reasons = {"scenario_name": "the scenario's own name is used", "schema_version": "it is read by its content"}
    into.finish(source, ("metrics", "scenario_name", "extraction_model"), reasons)


def _each(into: Assembly, source: Source) -> list[tuple[str, Source]]:
    """The metrics of a mapping or a list, by name."""
    found = source.data.get("metrics")
    source.used.add("metrics")
    here = source.here("metrics")
    if isinstance(found, dict):
        pairs = [(key, value, f"{here}/{key.replace('~', '~0').replace('/', '~1')}") for key, value in found.items()]
    elif isinstance(found, list):
        pairs = [(_name_in(value, i), value, f"{here}/{i}") for i, value in enumerate(found)]
    else:
        if found is not None:
            into.say("error", source.place("metrics"), "metrics is a mapping or a list of metrics", path=here)
        return []
    metrics: dict[str, Source] = {}
    for name, value, pointer in pairs:
        place = source.document.positions.place(pointer)
        if not isinstance(value, dict):
            into.say("error", place, "a metric is a mapping (key: value)", path=pointer)
        elif slug(name) in metrics:
            into.say("error", place, f'the metric "{name}" is here twice', "keep one of them", pointer)
        else:
            metrics[slug(name)] = Source(source.document, source.file, value, pointer)
    return list(metrics.items())


def _name_in(value: Any, i: int) -> str:
    for key in ("id", "name"):
        if isinstance(value, dict) and isinstance(value.get(key), str):
            return str(value[key])
    return f"metric-{i + 1}"


def _metric(into: Assembly, source: Source, name: str, seats: dict[str, str]) -> None:
    if fields.truth(into, source.take("enabled")) is False:
        into.keep_whole(source, name, "the metric is switched off")
        return
    here = ("metrics", name)
    into.put(here, {}, source)
    source.used |= {"id", "name"} & set(source.data)
    extraction = source.within("extraction") or Source(source.document, source.file, {}, source.pointer)
    _described(into, source, here)
    unit = source.take("unit", "units")
    if unit:
        into.put((*here, "unit"), fields.told(into, unit), unit)
    pattern = extraction.take(*_PATTERN) or source.take(*_PATTERN)
    keywords = extraction.take("keywords") or source.take("keywords")
    by = _by(into, source, extraction, pattern, keywords)
    into.put((*here, "by"), by[0], by[1])
    if pattern:
        into.put((*here, "pattern"), _one_pattern(pattern.value), pattern)
    if keywords:
        into.put((*here, "keywords"), _one_list(into, keywords), keywords)
    prompt = extraction.take(*_PROMPT) or source.take(*_PROMPT)
    if prompt:
        into.put((*here, "prompt"), fields.told(into, prompt), prompt)
    categories = source.take(*_CATEGORIES)
    _typed(into, source, here, categories, pattern)
    _range(into, source, here)
    _whose(into, source, here, seats)
    _rest(into, source, here)
    into.finish(extraction, EXTRACTION_KEYS, UNUSED)
    into.finish(source, KNOWN, UNUSED)


def _described(into: Assembly, source: Source, here: tuple[str, str]) -> None:
    described = source.take("description")
    title = source.data.get("name")
    if described:
        into.put((*here, "description"), fields.told(into, described), described)
    elif isinstance(title, str) and slug(title) != title:
        into.put((*here, "description"), title, Taken(source, "name", title))


def _by(
    into: Assembly, source: Source, extraction: Source, pattern: Taken | None, keywords: Taken | None
) -> tuple[str, Taken | Source]:
    method = extraction.take("type", *_METHOD) or source.take(*_METHOD)
    if method is None:
        return ("pattern" if pattern else "keyword" if keywords else "model"), source
    word = str(method.value).strip().lower()
    if word in METHODS:
        return METHODS[word], method
    hint = did_you_mean(word, METHODS) or "one of: regex, keyword, llm, manual"
    into.say("error", method, f'"{method.value}" is no way to extract a metric', hint)
    return "manual", method


def _one_pattern(value: Any) -> Any:
    """One pattern; several become alternatives (of alternative groups, the one that matched is the value)."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value[0] if len(value) == 1 else "|".join(f"(?:{item})" for item in value)
    return value


def _one_list(into: Assembly, keywords: Taken) -> Any:
    """A list of keywords. Of a mapping (category: words) the categories count, which is said."""
    if not isinstance(keywords.value, dict):
        return as_texts(keywords.value)
    into.say("warning", keywords, "keywords is a mapping: its keys are looked for, not the words below them")
    return [str(key) for key in keywords.value]


def _typed(
    into: Assembly, source: Source, here: tuple[str, str], categories: Taken | None, pattern: Taken | None
) -> None:
    declared = source.take("type", "data_type")
    kind = TYPES.get(str(declared.value).strip().lower()) if declared else None
    if declared and kind is None:
        hint = did_you_mean(str(declared.value), TYPES) or "one of: float, integer, boolean, string, categorical"
        into.say("error", declared, f'"{declared.value}" is no type of a metric', hint)
        return
    if kind is None:
        without_group = pattern is not None and not re.search(r"\((?!\?)", str(pattern.value))
        kind = "category" if categories else "boolean" if without_group else "number"
    if kind == "text" and categories:
        kind = "category"
    if kind == "category" and not categories:
        into.say("warning", declared or source, "a categorical metric without categories: read as text")
        kind = "text"
    into.put((*here, "type"), kind, declared or source)
    if categories:
        into.put((*here, "categories"), as_texts(categories.value), categories)


def _range(into: Assembly, source: Source, here: tuple[str, str]) -> None:
    taken = source.take("range")
    low, high = source.take("min", "min_value"), source.take("max", "max_value")
    if taken is None:
        if low and high:
            into.put((*here, "range"), [low.value, high.value], low)
        elif low or high:
            one = low or high
            assert one is not None
            into.keep(source, one.key, "a range needs both ends", "warning")
        return
    value = taken.value
    if isinstance(value, dict):
        value = [value.get("min", value.get("low")), value.get("max", value.get("high"))]
    elif isinstance(value, str) and (found := _RANGE.match(value)):
        value = [float(found.group(1)), float(found.group(2))]
    into.put((*here, "range"), value, taken)


def _whose(into: Assembly, source: Source, here: tuple[str, str], seats: dict[str, str]) -> None:
    specific = source.take("actor_specific", "per_actor")
    actor = source.take("actor")
    if specific and specific.value is False and actor:
        into.keep(source, "actor", "the metric is not actor_specific", "warning")
        return
    if actor is None:
        if specific and specific.value is True:
            into.put((*here, "per_seat"), True, specific)
        return
    seat = seats.get(str(actor.value).strip().lower())
    if seat is None:
        hint = did_you_mean(str(actor.value), seats) or f"the actors are: {', '.join(dict.fromkeys(seats.values()))}"
        into.say("error", actor, f'there is no actor "{actor.value}"', hint)
        return
    into.put((*here, "seat"), seat, actor)


def _rest(into: Assembly, source: Source, here: tuple[str, str]) -> None:
    thresholds = source.take("thresholds")
    if thresholds:
        into.put((*here, "thresholds"), _levels(thresholds.value), thresholds)
    aggregation = source.take("aggregation")
    if aggregation and str(aggregation.value).lower() not in ("last", "latest", "final", "none"):
        into.keep(source, "aggregation", "the value of every turn is kept; nothing is aggregated")


def _levels(value: Any) -> dict[str, Any]:
    """Thresholds by name: a number or a comparison, also from `{value: 3, operator: "<"}` and from a list of those."""
    if isinstance(value, dict):
        return {str(name): _level(level) for name, level in value.items()}
    found: dict[str, Any] = {}
    for number, level in enumerate(value if isinstance(value, list) else [value], 1):
        told = level if isinstance(level, dict) else {}
        named = next((told[key] for key in ("name", "label") if isinstance(told.get(key), str)), f"level {number}")
        found[named] = _level(level)
    return found


def _level(level: Any) -> Any:
    if not isinstance(level, dict):
        return level
    for word, compared in (("above", ">"), ("below", "<")):
        if level.get(word) is not None:
            return f"{compared} {level[word]}"
    value = next((level[key] for key in ("value", "threshold", "at") if level.get(key) is not None), None)
    sign = next((level[key] for key in ("operator", "comparison", "op") if isinstance(level.get(key), str)), "")
    if value is None:
        return level
    return f"{sign.strip()} {value}" if sign.strip() in (">=", "<=", ">", "<", "==", "!=") else value

"""Agent templates of the dialects P0, P1 and P2 → `pyscrai/agent@1`."""

from __future__ import annotations

from typing import Any

from pyscrai.domain.agent import RULES, AgentTemplate
from pyscrai.domain.canonical import escape
from pyscrai.formats import fields, native
from pyscrai.formats.assembly import Assembly, Source
from pyscrai.formats.findings import Finding, did_you_mean, one_of
from pyscrai.formats.positions import Positions

ENGINES = ("actor", "narrator", "analyst")
OVERALL = "other"
"""The section of override rules that are said of the agent as a whole."""
_KNOWN = (
    "name",
    "description",
    "engine_type",
    "personality_config",
    "llm_config",
    "tools_config",
    "runtime_overrides",
    "engine_specific_config",
)
_NO_PLACE = {
    "engine_specific_config": "engines take their settings when they are started",
    "version": "versions are the catalog's",
    "id": "ids are the catalog's",
    "created_at": "times are the catalog's",
    "updated_at": "times are the catalog's",
}
_PERSONALITY = ("name", "role", "description", "backstory", "goals", "constraints", "traits", "instructions")
_LLM = ("provider", "model_id", "temperature", "max_tokens")
_FIELDS = {"personality_config": _PERSONALITY, "llm_config": (*_LLM, "model", "id")}
_TOOLS = {
    "reasoning": "a seat always reasons before it acts",
    "memory": "what a seat remembers is kept by the system",
}


def is_agent(data: Any) -> bool:
    """Whether a mapping is an agent template, ours or of one of these dialects."""
    if not isinstance(data, dict) or any(key in data for key in ("event_flow", "agent_roles", "seats", "agents")):
        return False
    if str(data.get("format", "")).startswith("pyscrai/agent"):
        return True
    return any(key in data for key in ("personality_config", "llm_config", "tools_config", "runtime_overrides")) or (
        "engine_type" in data and "name" in data and not any(key in data for key in ("schema", "data_schema", "prompt"))
    )


def read_agent(source: Source, fallback_name: str) -> tuple[AgentTemplate | None, list[Finding], Positions]:
    """One agent template; None where there is an error. `source` may be a part of a larger document."""
    into = Assembly(source.document.file)
    into.mark((), source.place())
    if str(source.data.get("format", "")).startswith("pyscrai/agent"):
        return _native(source, fallback_name)
    title = fields.text(into, ("title",), (source, "name"))
    if title is None:
        fields.missing(into, "warning", source, "name", "the agent has no name", _KNOWN)
    into.put(("name",), fields.named(title or fallback_name), source)
    fields.text(into, ("description",), (source, "description"))
    _personality(into, source)
    _llm(into, source)
    _tools(into, source)
    _overrides(into, source)
    _engine(into, source, title or fallback_name)
    into.finish(source, _KNOWN, _NO_PLACE)
    if into.kept:
        into.native["extensions"] = {"pyscrai": into.kept}
    agent, wrong = native.fitted(AgentTemplate, into.native, into.positions())
    broken = any(found.severity == "error" for found in into.findings)
    return None if broken else agent, [*into.findings, *wrong], into.positions()


def _native(source: Source, fallback_name: str) -> tuple[AgentTemplate | None, list[Finding], Positions]:
    tidied = native.tidied(source.document, AgentTemplate)
    positions = source.document.positions.moved(tidied.moves)
    agent, wrong = native.fitted(AgentTemplate, native.with_name(tidied.data, fallback_name), positions)
    return agent, [*tidied.findings, *wrong], positions


def _engine(into: Assembly, source: Source, name: str) -> None:
    taken = source.take("engine_type")
    if taken is None:
        told = f"{name} {into.native.get('role', '')}".lower()
        guess = next((engine for engine in ENGINES[1:] if engine in told), "actor")
        into.put(("engine_type",), guess, source)
        into.say("note", source, f"the template does not say its engine_type: {guess}", f'"engine_type": "{guess}"')
        return
    word = str(taken.value).strip().lower().removesuffix("_engine").removesuffix("engine")
    if word not in ENGINES:
        hint = did_you_mean(word, ENGINES) or one_of(ENGINES)
        into.say("error", taken, f'no engine is called "{taken.value}"', hint)
        return
    into.put(("engine_type",), word, taken)


def _personality(into: Assembly, source: Source) -> None:
    inner = fields.mapping(into, source, "personality_config")
    if inner is None:
        if "personality_config" not in source.data:
            message = "the agent has no personality: there is no personality_config"
            fields.missing(into, "warning", source, "personality_config", message, _KNOWN)
        return
    inner.used.add("name")
    fields.text(into, ("role",), (inner, "role"))
    fields.text(into, ("backstory",), (inner, "backstory"), (inner, "description"))
    fields.texts(into, ("goals",), (inner, "goals"))
    fields.texts(into, ("constraints",), (inner, "constraints"))
    traits = inner.take("traits")
    if traits is not None:
        into.put(("traits",), as_traits(traits.value), traits)
    told = inner.take("instructions")
    if told is not None:
        listed = [told.value] if isinstance(told.value, str) else told.value
        if isinstance(listed, list) and all(isinstance(line, str) for line in listed):
            into.put(("instructions",), listed, told)
        else:
            inner.used.discard("instructions")
            fields.texts(into, ("instructions",), (inner, "instructions"))
    into.finish(inner, _PERSONALITY, {"agent_kwargs": "they are switches of one model library"})


def as_traits(value: Any) -> dict[str, Any]:
    """Traits by name: a list of words says that each is there."""
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {item if isinstance(item, str) else str(item): True for item in value}
    return {"traits": value}


def _llm(into: Assembly, source: Source) -> None:
    key = next((key for key in ("llm_config", "model_config") if source.data.get(key) is not None), "llm_config")
    if isinstance(source.data.get(key), str):
        into.move(("llm", "model"), source, key)
        return
    inner = fields.mapping(into, source, key)
    if inner is None:
        return
    into.put(("llm",), {}, inner)
    fields.text(into, ("llm", "provider"), (inner, "provider"))
    names = ((inner, name) for name in ("model_id", "id", "model", "model_name"))
    if fields.text(into, ("llm", "model"), *names) is None:
        message = "the run's model is used: there is no model_id"
        fields.missing(into, "warning", inner, "model_id", message, _LLM)
    fields.number(into, ("llm", "temperature"), inner.take("temperature"), 0, 2)
    fields.number(into, ("llm", "max_tokens"), inner.take("max_tokens"), 1, 200_000, whole=True)
    sampling = dict.fromkeys(("top_p", "top_k", "seed", "stop"), "only temperature and max_tokens are passed on")
    into.finish(inner, _LLM, sampling)


def _tools(into: Assembly, source: Source) -> None:
    taken = source.take("tools_config")
    if taken is None:
        return
    listed = taken.value
    if isinstance(listed, list):
        listed = {str(item): True for item in listed}
    if not isinstance(listed, dict):
        into.say("error", taken, f"a mapping (key: value) is wanted here, not {fields.shown(taken.value)}")
        return
    into.put(("tools",), listed, taken)
    for name, tool in listed.items():
        enabled = tool.get("enabled", True) if isinstance(tool, dict) else tool
        if enabled not in (False, None):
            why = _TOOLS.get(name, "engines bring no tools of that name")
            pointer = f"{taken.pointer}/{escape(name)}"
            at = source.document.positions.key(pointer)
            into.lose(at, pointer, f'the tool "{name}" is not used: {why}')


def _overrides(into: Assembly, source: Source) -> None:
    inner = fields.mapping(into, source, "runtime_overrides")
    if inner is None:
        return
    for section in list(inner.data):
        part = inner.within(section)
        if part is None:
            _rule(into, inner, section, ("overrides", OVERALL, section))
        else:
            into.put(("overrides", section), {}, part)
            for field in part.data:
                known = _FIELDS.get(section, ())
                meant = did_you_mean(field, known) if field not in known else None
                if meant:
                    at = source.document.positions.key(part.here(field))
                    into.say("warning", at, f'{section} has no "{field}"', meant, part.here(field))
                _rule(into, part, field, ("overrides", section, field))


def _rule(into: Assembly, source: Source, field: str, path: tuple[str, ...]) -> None:
    taken = source.take(field)
    source.used.add(field)
    if taken is None:
        return
    value = taken.value
    if isinstance(value, bool):
        value = "override_allowed" if value else "forbidden"
    if value not in RULES:
        hint = did_you_mean(str(value), RULES) or one_of(RULES)
        into.say("error", taken, f'"{value}" is no rule for what a run may change', hint)
        return
    into.put(path, value, taken)

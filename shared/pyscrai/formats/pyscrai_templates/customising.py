"""What a role changes of its template, in `role_config`: only as far as the template's own rules let it."""

from __future__ import annotations

from typing import Any

from pyscrai.domain.agent import AgentTemplate
from pyscrai.formats import fields
from pyscrai.formats.assembly import Assembly, Source, Taken
from pyscrai.formats.pyscrai_templates.agents import as_traits
from pyscrai.formats.words import as_text, as_texts

_TEXTS = ("role", "backstory")
_LISTS = ("goals", "constraints", "instructions")


def customised(into: Assembly, config: Source | None, agent: AgentTemplate) -> AgentTemplate:
    """The template as this role plays it. What its rules forbid is an error."""
    if config is None:
        return agent
    for section in ("personality_config", "llm_config"):
        inner = config.within(section)
        if inner is not None:
            agent = _section(into, inner, section, agent)
    return agent


def _section(into: Assembly, inner: Source, section: str, agent: AgentTemplate) -> AgentTemplate:
    known = (
        (*_TEXTS, *_LISTS, "traits") if section == "personality_config" else ("model_id", "temperature", "max_tokens")
    )
    for key in known:
        taken = inner.take(key)
        if taken is None:
            continue
        rule = agent.overrides.get(section, {}).get(key)
        if rule == "forbidden":
            into.say("error", taken, f'the template of "{agent.title}" forbids to change {key}', "leave it out")
        elif section == "personality_config":
            agent = agent.model_copy(update={key: _changed(taken, getattr(agent, key), rule)})
        else:
            agent = _model(into, taken, key, agent)
    into.finish(inner, known, {})
    return agent


def _changed(taken: Taken, declared: Any, rule: str | None) -> Any:
    """Texts are replaced, lists too unless they may only be added to, traits are merged."""
    if taken.key == "traits":
        return {**declared, **as_traits(taken.value)}
    if taken.key in _TEXTS:
        return as_text(taken.value)
    found = as_texts(taken.value)
    listed = found if isinstance(found, list) else [as_text(found)]
    adds = rule in ("append_allowed", "merge_allowed")
    return [*declared, *(one for one in listed if one not in declared)] if adds else listed


def _model(into: Assembly, taken: Taken, key: str, agent: AgentTemplate) -> AgentTemplate:
    value: Any = taken.value
    if key == "model_id":
        return agent.model_copy(update={"llm": agent.llm.model_copy(update={"model": as_text(value)})})
    low, high = (0, 2) if key == "temperature" else (1, 200_000)
    scratch = Assembly(into.file)
    value = fields.number(scratch, (key,), taken, low, high, whole=key == "max_tokens")
    into.findings += scratch.findings
    return agent if value is None else agent.model_copy(update={"llm": agent.llm.model_copy(update={key: value})})

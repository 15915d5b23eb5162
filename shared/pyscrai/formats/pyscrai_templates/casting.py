"""`agent_roles` and the templates that they name → seats, narrator and analyst."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pyscrai.domain.agent import AgentTemplate
from pyscrai.domain.scenario import readable
from pyscrai.formats import fields
from pyscrai.formats.assembly import Assembly, Source
from pyscrai.formats.findings import Finding, did_you_mean
from pyscrai.formats.folder import NEXT_DOOR, Folder
from pyscrai.formats.positions import read as read_document
from pyscrai.formats.pyscrai_templates.agents import ENGINES, is_agent, read_agent
from pyscrai.formats.pyscrai_templates.customising import customised
from pyscrai.formats.words import line_of, paragraphs

_ROLE = ("template_name", "engine_type", "required", "role_config", "role", "description", "character_name")
_CONFIG = ("role", "description", "character_name", "personality_config", "llm_config")
_ORDER = "the flow says who acts when"
_NO_PLACE = {
    "interaction_priority": _ORDER,
    "priority": _ORDER,
    "initialization_order": _ORDER,
    "count": "a role is one seat",
}
_TEMPLATE_KEYS = ("template_name", "template", "agent_template", "template_id")


@dataclass(frozen=True)
class Candidate:
    """An agent template beside the scenario; `agent` is None where it has errors, which `findings` says."""

    file: str
    title: str
    agent: AgentTemplate | None
    findings: list[Finding]


@dataclass
class Cast:
    """Who plays which role: role → seat, `narrator` or `analyst`; `absent` are optional roles that nobody plays."""

    parts: dict[str, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    overrides: dict[str, Any] = field(default_factory=dict)
    templates: dict[str, str] = field(default_factory=dict)
    tools: dict[str, Any] = field(default_factory=dict)

    @property
    def seats(self) -> list[str]:
        return [part for part in self.parts.values() if part not in ENGINES[1:]]


def read_roles(into: Assembly, source: Source, folder: Folder | None) -> Cast:
    """Every role of the scenario; a required one without its template is an error that names the candidates."""
    cast = Cast()
    into.mark(("seats",), source.place("agent_roles"))
    roles = list(_roles(into, source))
    candidates = list(_candidates(folder))
    chosen: list[tuple[str, Source, AgentTemplate]] = []
    for name, role in roles:
        agent = _template(into, name, role, candidates)
        if agent is None:
            cast.absent.add(name)
        else:
            chosen.append((name, role, agent))
    titles = [agent.title for _, _, agent in chosen]
    for name, role, agent in chosen:
        _cast(into, cast, name, role, agent, alone=titles.count(agent.title) == 1)
    if not roles and "agent_roles" not in source.data:
        known = ("name", "config", "event_flow")
        fields.missing(into, "error", source, "agent_roles", "nobody plays: there are no agent_roles", known)
    elif not cast.seats and not any(found.severity == "error" for found in into.findings):
        into.say("error", source.place("agent_roles"), "there is no actor: nobody plays", "add a role for an actor")
    return cast


def _roles(into: Assembly, source: Source) -> Iterator[tuple[str, Source]]:
    taken = source.take("agent_roles")
    if taken is None:
        return
    listed = taken.value
    pairs: list[tuple[str, Any, str]]
    if isinstance(listed, dict):
        pairs = [(name, item, key) for name, item, key in ((n, v, n) for n, v in listed.items())]
    elif isinstance(listed, list):
        pairs = [(_role_name(item, i), item, str(i)) for i, item in enumerate(listed)]
    else:
        into.say("error", taken, f"agent_roles is a mapping, not {fields.shown(listed)}", 'as in {"hero": {…}}')
        return
    for name, item, key in pairs:
        inner = Source(source.document, source.file, item if item is not None else {}, f"{taken.pointer}/{key}")
        if isinstance(item, str):
            inner.data = {"template_name": item}
        elif not isinstance(item, dict):
            into.say(
                "error", inner, f"a role is a mapping, not {fields.shown(item)}", '"template_name" names its agent'
            )
            continue
        inner.used |= {"name", "role_name"} if isinstance(listed, list) else set()
        yield name, inner


def _role_name(item: Any, i: int) -> str:
    if isinstance(item, dict):
        for key in ("name", "role_name", "role"):
            if isinstance(item.get(key), str) and item[key]:
                return str(item[key])
    return item if isinstance(item, str) else f"role-{i + 1}"


def _candidates(folder: Folder | None) -> Iterator[Candidate]:
    """Every agent template in the folder, its `agents/`, `templates/`, or `agents/` next door."""
    if folder is None:
        return
    for place in ("", "agents", "templates", NEXT_DOOR):
        for file in folder.documents(place):
            document = read_document(folder.files[file], folder.shown(file))
            if not is_agent(document.data):
                continue
            stem = file.rpartition("/")[2].rpartition(".")[0]
            agent, findings, _ = read_agent(Source(document, file), stem)
            name = document.data.get("name") or document.data.get("title")
            title = name if isinstance(name, str) and name else stem
            yield Candidate(file, title, agent, [*document.findings, *findings])


def _template(into: Assembly, name: str, role: Source, candidates: list[Candidate]) -> AgentTemplate | None:
    """The template of a role. None: it has none, which has been said."""
    required = fields.truth(into, role.take("required"))
    if is_agent(role.data) and not any(key in role.data for key in _TEMPLATE_KEYS):
        agent, findings, _ = read_agent(role, name)
        into.findings += findings
        role.used |= set(role.data)
        return agent
    named = fields.first(*((role, key) for key in _TEMPLATE_KEYS))
    if named is None or not isinstance(named.value, str):
        fields.missing(into, "error", role, "template_name", f'the role "{name}" has no template_name', _ROLE)
        return None
    found = [one for one in candidates if _same(named.value, one.title)]
    found = found or [one for one in candidates if _of_file(named.value, one.file)]
    if found:
        into.findings += found[0].findings
        if len(found) > 1:
            files = ", ".join(one.file for one in found)
            into.say("warning", named, f'"{named.value}" is here {len(found)} times: {files}', "the first one is used")
        if found[0].agent is None:
            into.say("error", named, f'the template "{named.value}" has mistakes', f"see {found[0].file}")
        return found[0].agent
    titles = [one.title for one in candidates]
    hint = f"there are: {', '.join(titles)}" if titles else "put it beside the scenario, or into agents/"
    message = f'there is no agent template "{named.value}" beside the scenario'
    if required is False:
        into.say("warning", named, f'{message}: the role "{name}" is left out, and its steps', hint)
    else:
        into.say("error", named, message, hint)
    return None


def _words(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _same(wanted: str, title: str) -> bool:
    return (_words(wanted) or wanted.strip()) == (_words(title) or title.strip())


def _of_file(wanted: str, file: str) -> bool:
    """`P0-agent-pope_leo_xiii.json` is the file of "Pope Leo XIII"."""
    stem = _words(file.rpartition("/")[2].rpartition(".")[0])
    word = _words(wanted.removesuffix(".json"))
    return bool(word) and (stem == word or stem.endswith(f"-{word}"))


def _cast(into: Assembly, cast: Cast, name: str, role: Source, agent: AgentTemplate, *, alone: bool) -> None:
    agent = customised(into, role.within("role_config"), agent)
    engine = _engine(into, role, agent)
    if engine == "actor":
        part = fields.named(name)
        if part in cast.seats:
            into.say("error", role, f'there are two roles called "{part}"', "give each a name of its own")
            return
        _seat(into, ("seats", part), role, agent, alone=alone)
    else:
        part = engine
        if part in cast.parts.values():
            into.say("warning", role, f"there is one {engine}: this one is not used", "keep one of them")
        else:
            _voice(into, engine, role, agent)
    cast.parts[name] = part
    cast.templates[part] = agent.name
    if agent.tools:
        cast.tools[part] = dict(agent.tools)
    for file, kept in _kept(agent):
        into.kept.setdefault(file, {}).update(kept)
    if agent.overrides:
        cast.overrides[part] = {section: dict(rules) for section, rules in agent.overrides.items()}
    config = role.within("role_config")
    if config is not None:
        into.finish(config, _CONFIG, _NO_PLACE)
    into.finish(role, _ROLE, _NO_PLACE)


def _kept(agent: AgentTemplate) -> Iterator[tuple[str, dict[str, Any]]]:
    """What the template itself has no place for, by file."""
    own = agent.extensions.get("pyscrai")
    for file, kept in own.items() if isinstance(own, dict) else ():
        if isinstance(kept, dict):
            yield file, kept


def _engine(into: Assembly, role: Source, agent: AgentTemplate) -> str:
    taken = role.take("engine_type")
    if taken is None:
        return agent.engine_type
    word = str(taken.value).strip().lower()
    if word not in ENGINES:
        into.say("error", taken, f'no engine is called "{taken.value}"', did_you_mean(word, ENGINES))
        return agent.engine_type
    return word


def _told(into: Assembly, role: Source, *keys: str) -> list[str]:
    """What the role says about itself, in its own keys or in role_config."""
    config = role.within("role_config")
    found = []
    for key in keys:
        taken = fields.first((config, key), (role, key))
        if taken is not None:
            text = taken.value
            if not isinstance(text, str):
                into.say("warning", taken, f'"{key}" is {fields.shown(text)}: it is taken as text', "write a text")
            found.append(line_of(text))
    return found


def _seat(into: Assembly, seat: tuple[str, ...], role: Source, agent: AgentTemplate, *, alone: bool) -> None:
    into.put(seat, {}, role)
    called = _told(into, role, "character_name")
    into.put(
        (*seat, "title"), called[0] if called else agent.title if alone and agent.title else readable(seat[-1]), role
    )
    told = [readable(text) for text in _told(into, role, "role")] + _told(into, role, "description")
    into.put((*seat, "role"), ": ".join(told) or readable(agent.role), role)
    character = f"Your character: {readable(agent.role)}" if agent.role and told else ""
    into.put((*seat, "situation"), paragraphs(agent.backstory, character), role)
    into.put((*seat, "goals"), agent.goals, role)
    into.put((*seat, "constraints"), agent.constraints, role)
    into.put((*seat, "style"), _traits(agent), role)
    into.put((*seat, "instructions"), "\n".join(agent.instructions), role)
    _model(into, seat, role, agent)


def _voice(into: Assembly, engine: str, role: Source, agent: AgentTemplate) -> None:
    told = ": ".join(_told(into, role, "role", "description"))
    parts = (
        "\n".join(agent.instructions),
        f"Who you are: {readable(agent.role)}" if agent.role else "",
        f"In this scenario: {told}" if told else "",
        agent.backstory,
        "Your goals:\n" + "\n".join(f"- {goal}" for goal in agent.goals) if agent.goals else "",
        "\n".join(f"- {text}" for text in agent.constraints),
        _traits(agent),
    )
    into.put((engine, "instructions"), paragraphs(*parts), role)
    _model(into, (engine,), role, agent)


def _model(into: Assembly, path: tuple[str, ...], role: Source, agent: AgentTemplate) -> None:
    for key, value in (
        ("model", agent.llm.name()),
        ("temperature", agent.llm.temperature),
        ("max_tokens", agent.llm.max_tokens),
    ):
        if value is not None:
            into.put((*path, key), value, role)


def _traits(agent: AgentTemplate) -> str:
    """`{"empathy": "high", "curious": true}` as "Your traits: curious; empathy: high"."""
    told = [readable(name).lower() if value is True else f"{readable(name).lower()}: {line_of(value)}"
            for name, value in agent.traits.items() if value is not False]  # fmt: skip
    return f"Your traits: {'; '.join(told)}" if told else ""

"""The corpus of authors' mistakes in ScenarioConfigurations and PyScrAI templates."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.unit.formats.corpus import expect
from tests.unit.formats.test_conversation import LOAN
from tests.unit.formats.test_pyscrai_templates import ACTOR, ANALYST, EVENT, NARRATOR, OLD_ACTOR, VOYAGE

from pyscrai.formats.load import load

PHASED = {
    **VOYAGE,
    "event_flow": {
        "phases": [
            {"name": "dawn", "trigger": "scenario_start", "prompt_template": "Dawn."},
            {"name": "noon", "trigger": "dawn_complete", "prompt_template": "Noon."},
            {"name": "dusk", "trigger": "noon_complete", "prompt_template": "Dusk."},
        ],
        "transitions": {"dawn": "noon", "noon": "dusk", "dusk": "scenario_complete"},
    },
}
BESIDE = {"captain.json": ACTOR, "cook.json": OLD_ACTOR, "wind.json": NARRATOR, "log.json": ANALYST}

# (id, text in the document, its replacement, text on the line to look at or None for the replacement, severity, words)
CONVERSATION = [
    ("agents", '"agents"', '"agnets"', None, "error", 'did you mean "agents"?'),
    ("metadata", '"metadata"', '"metdata"', None, "warning", 'did you mean "metadata"?'),
    ("title", '"title": ', '"titel": ', None, "warning", 'did you mean "title"?'),
    ("background", '"background"', '"backgroud"', None, "warning", 'did you mean "background"?'),
    ("challenges", '"challenges"', '"chalenges"', None, "warning", 'did you mean "challenges"?'),
    ("agent-id", '"agentId"', '"agentID"', None, "error", 'did you mean "agentId"?'),
    ("agent-id-number", '"agentId": "bank"', '"agentId": 7', None, "error", '"agentId" is a text'),
    ("agent-id-twice", '"agentId": "bank"', '"agentId": "Baker_1"', None, "error", "two agents"),
    ("agent-reserved", '"agentId": "bank"', '"agentId": "narrator"', None, "error", "cannot be called"),
    ("prompt", '"systemPrompt": "Lend', '"sytemPrompt": "Lend', None, "warning", 'did you mean "systemPrompt"?'),
    ("situation", '"situation": "Some', '"situaton": "Some', None, "warning", 'did you mean "situation"?'),
    ("goals", '"no losses"', "5", None, "warning", "a list of texts"),
    ("principal", '"type": "organization"', '"type": "orgnization"', None, "warning", 'did you mean "organization"?'),
    ("principal-name", '"name": "Town Bank"', '"nmae": "Town Bank"', None, "warning", 'did you mean "name"?'),
    ("knowledge", '"knowledgeBase": {}', '"knowledgeBase": ["x"]', '"knowledgeBase": [\n', "warning", "one note"),
    ("knowledge-key", '"knowledgeBase": {}', '"knowledgBase": {}', None, "warning", 'did you mean "knowledgeBase"?'),
    ("opening", '"messageToUseWhenInit', '"mesageToUseWhenInit', None, "warning", "messageToUseWhenInitiatingConv"),
    ("tool-name", '"toolName"', '"toolname_"', None, "error", 'did you mean "toolName"?'),
    ("tool-blank", '"toolName": "approve"', '"toolName": "approve it"', None, "warning", '"approve_it"'),
    ("tool-schema", '"type": "string"', '"type": "strng"', None, "warning", 'did you mean "string"?'),
    ("tool-array", '"type": "object"', '"type": "array"', None, "warning", "a tool's input is an object"),
    ("tool-objct", '"type": "object"', '"type": "objct"', None, "warning", 'did you mean "object"?'),
    ("tool-required", '"required": [\n', '"required": "reason", "x": [\n', None, "warning", "list of names"),
    ("tool-declared", '[\n "reason"', '[\n "raeson"', '"raeson"', "warning", 'did you mean "reason"?'),
    ("tool-properties", '"properties"', '"propertes"', None, "warning", 'did you mean "properties"?'),
    ("tool-schema-key", '"inputSchema"', '"inputSchma"', None, "warning", 'did you mean "inputSchema"?'),
    ("tool-guidance", '"synthesisGuidance"', '"sythesisGuidance"', None, "warning", 'did you mean "synthesisGuid'),
    ("tool-status", '"success"', '"sucess"', None, "error", 'did you mean "success"?'),
    (
        "tool-no-status",
        '"conversationEndStatus": "success"',
        '"x": 1',
        '"endsConversation"',
        "warning",
        "without saying",
    ),
    ("tool-ends", '"endsConversation": true', '"endsConversation": 3', None, "error", "true or false"),
    (
        "tool-not-ending",
        '"endsConversation": true',
        '"endsConversation": false',
        '"conversationEndStatus"',
        "warning",
        "not",
    ),
    (
        "comma",
        '"situation": "You need an oven.",',
        '"situation": "You need an oven."',
        '"systemPrompt": "Ask',
        "error",
        "comma",
    ),
    ("trailing", '"no losses"', '"no losses",', '"no losses",', "error", "trailing comma"),
    ("quote", '"Lend with care."', "'Lend with care.'", None, "error", "double quotes"),
    ("comment", '"tags": [', '// tags\n  "tags": [', "// tags", "error", "no comments"),
    ("duplicate", '"situation": "Some', '"agentId": "x", "situation": "Some', None, "error", "here twice"),
]

SCENARIO = [
    ("roles", '"agent_roles"', '"agent_rols"', None, "error", 'did you mean "agent_roles"?'),
    ("flow", '"event_flow"', '"event_flw"', None, "error", 'did you mean "event_flow"?'),
    ("config", '"config"', '"confg"', None, "warning", 'did you mean "config"?'),
    ("name", '"name": "A Voyage"', '"nmae": "A Voyage"', None, "warning", 'did you mean "name"?'),
    ("turns", '"max_turns": 6', '"max_turns": "six"', None, "error", "a whole number"),
    ("turns-key", '"max_turns": 6', '"max_turn": 6', '"config.max_turns"', "error", 'did you mean "config.max_turn"?'),
    ("config-key", '"timeout_seconds"', '"timout_seconds"', None, "warning", 'did you mean "timeout_seconds"?'),
    ("template", '"Sea Captain"', '"Sea Captin"', None, "error", "there are: Sea Captain"),
    ("template-key", '"template_name": "Sea', '"template_nmae": "Sea', None, "error", 'did you mean "template_name"?'),
    ("template-optional", '"The Wind"', '"The Wnd"', None, "warning", "is left out"),
    ("required", '"required": true', '"required": "always"', None, "error", "true or false"),
    ("engine", '"engine_type": "actor"', '"engine_type": "acter"', None, "error", 'did you mean "actor"?'),
    ("role-key", '"role_config"', '"role_confg"', None, "warning", 'did you mean "role_config"?'),
    ("source", '"source": "captain"', '"source": "captian"', None, "error", 'did you mean "captain"?'),
    ("source-key", '"source": "captain"', '"sorce": "captain"', None, "warning", 'did you mean "source"?'),
    ("source-word", '"any_actor"', '"any_acter"', None, "error", 'did you mean "any_actor"?'),
    ("target", '"target": "cook"', '"target": "coook"', None, "error", 'did you mean "cook"?'),
    ("trigger", '"scenario_start"', '"scenario_strat"', None, "warning", 'did you mean "scenario_start"?'),
    ("trigger-step", '"weather_complete"', '"wether_complete"', None, "warning", 'did you mean "weather_complete"?'),
    ("trigger-key", '"trigger": "weather_c', '"triger": "weather_c', None, "warning", 'did you mean "trigger"?'),
    ("n", '"n": 2', '"n": "two"', None, "error", "a whole number above 0"),
    ("n-missing", '"n": 2', '"m": 2', '"trigger": "every_n_turns"', "error", "needs n"),
    ("max", '"config.max_turns"', '"config.max_trns"', None, "error", 'did you mean "config.max_turns"?'),
    ("max-zero", '"config.max_turns"', "0", '"max_iterations"', "error", "above 0"),
    ("repeatable", '"repeatable": true', '"repeatable": "often"', None, "error", "true or false"),
    (
        "conditions-key",
        '"conditions": {\n    "trigger": "weather',
        '"condtions": {\n    "trigger": "weather',
        '"condtions"',
        "warning",
        'did you mean "conditions"?',
    ),
    ("schema-type", '"force": "int"', '"force": "itn"', None, "warning", "is no type"),
    (
        "schema-key",
        '"data_schema": {\n    "force"',
        '"data_shema": {\n    "force"',
        '"data_shema"',
        "warning",
        'did you mean "data_schema"?',
    ),
    ("itself", '"weather_complete"', '"order_complete"', None, "warning", "nothing here triggers"),
    (
        "step-text",
        '"landfall": {',
        '"landing": "system", "landfall": {',
        '"landing"',
        "error",
        "is a mapping, not text",
    ),
    ("duplicate", '"talk": {', '"departure": {', None, "error", "here twice"),
    ("bracket", '"sea": "calm"', '"sea": "calm', None, "error", "does not end"),
]

PHASES = [
    ("transition-from", '"noon": "dusk"', '"non": "dusk"', None, "error", 'did you mean "noon"?'),
    ("transition-to", '"noon": "dusk"', '"noon": "dsk"', None, "error", 'did you mean "dusk"?'),
    ("phase-twice", '"name": "dusk"', '"name": "dawn"', None, "error", "two steps"),
    ("phase-name", '"name": "noon"', '"nmae": "noon"', None, "warning", 'did you mean "name"?'),
    (
        "prompt",
        '"prompt_template": "Noon."',
        '"promt_template": "Noon."',
        None,
        "warning",
        'did you mean "prompt_templ',
    ),
    ("transitions", '"transitions"', '"transtions"', None, "warning", 'did you mean "transitions"?'),
]

AGENT = [
    ("name", '"name": "Sea Captain"', '"naem": "Sea Captain"', None, "warning", 'did you mean "name"?'),
    ("engine", '"engine_type": "actor"', '"engine_type": "actr"', None, "error", 'did you mean "actor"?'),
    ("engine-key", '"engine_type"', '"engin_type"', None, "warning", 'did you mean "engine_type"?'),
    (
        "personality",
        '"personality_config": {\n  "role"',
        '"personalty_config": {\n  "role"',
        '"personalty_config"',
        "warning",
        'did you mean "personality_config"?',
    ),
    ("backstory", '"backstory"', '"backstroy"', None, "warning", 'did you mean "backstory"?'),
    ("goals", '"goals": [', '"gaols": [', None, "warning", 'did you mean "goals"?'),
    ("model", '"model_id": "gpt-4o-mini"', '"modelid": "gpt-4o-mini"', None, "warning", 'did you mean "model_id"?'),
    ("temperature", '"temperature": 0.7', '"temperature": 7', None, "error", "between 0 and 2"),
    ("temperature-text", '"temperature": 0.7', '"temperature": "warm"', None, "error", "a number is wanted"),
    ("tokens", '"max_tokens": 300', '"max_tokens": 0', None, "error", "between 1"),
    (
        "rule",
        '"temperature": "override_allowed"',
        '"temperature": "overide_allowed"',
        None,
        "error",
        "override_allowed",
    ),
    ("rule-forbid", '"forbidden"', '"forbiden"', None, "error", 'did you mean "forbidden"?'),
    ("instructions", '"Never swim."', "5", None, "warning", "a list of texts"),
]

EVENT_TYPE = [
    ("type", '"type": "object"', '"type": "objet"', None, "error", 'did you mean "object"?'),
    ("schema", '"schema": {', '"shema": {', None, "warning", 'did you mean "schema"?'),
    ("core", '"is_core": true', '"is_core": "quite"', None, "error", "true or false"),
    ("name", '"name": "storm"', '"nme": "storm"', None, "error", 'did you mean "name"?'),
]


def cases(dialect: str, document: Any, mistakes: list[Any]) -> list[Any]:
    return [pytest.param(dialect, document, *mistake, id=f"{dialect}-{mistake[0]}") for mistake in mistakes]


@pytest.mark.parametrize(
    ("dialect", "document", "name", "old", "new", "anchor", "severity", "words"),
    [
        *cases("conversation", LOAN, CONVERSATION),
        *cases("pyscrai", VOYAGE, SCENARIO),
        *cases("pyscrai", PHASED, PHASES),
        *cases("pyscrai", ACTOR, AGENT),
        *cases("pyscrai", [EVENT], EVENT_TYPE),
    ],
)
def test_foreign(
    dialect: str,
    document: Any,
    name: str,
    old: str,
    new: str,
    anchor: str | None,
    severity: str,
    words: str,
    tmp_path: Path,
) -> None:
    text = json.dumps(document, indent=1)
    where = _after(text, old)
    mistaken = text[: where[0]] + _spaced(text, where, new) + text[where[1] :]
    for file, content in BESIDE.items():
        (tmp_path / file).write_text(json.dumps(content))
    (tmp_path / "mistaken.json").write_text(mistaken)
    line = mistaken[: _after(mistaken, anchor)[0] if anchor else where[0]].count("\n") + 1
    expect(load(tmp_path / "mistaken.json"), dialect, name, str(tmp_path / "mistaken.json"), line, severity, words)


def _after(text: str, wanted: str) -> tuple[int, int]:
    """Where a text stands, its line breaks standing for any indentation."""
    pattern = r"\s*".join(re.escape(part.strip()) for part in wanted.split("\n"))
    found = re.search(pattern, text)
    assert found, wanted
    return found.start(), found.end()


def _spaced(text: str, where: tuple[int, int], new: str) -> str:
    """The replacement, with the line breaks that stood in what it replaces."""
    breaks = text[slice(*where)].count("\n")
    return new if new.count("\n") >= breaks else new + "\n" * (breaks - new.count("\n"))

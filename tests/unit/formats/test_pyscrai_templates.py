"""PyScrAI's own templates of all three dialects: agents, scenarios, event types."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from pyscrai.domain.scenario import FlowStep, Scenario
from pyscrai.formats.load import Loaded, dump, load, pointer_to_position

SAMPLES = Path(__file__).parents[4] / "shared" / "samples" / "pyscrai"
ACTOR: dict[str, Any] = {
    "name": "Sea Captain",
    "description": "Somebody who sails.",
    "engine_type": "actor",
    "personality_config": {
        "role": "captain",
        "backstory": "Thirty years at sea.",
        "goals": ["come home"],
        "traits": {"brave": True, "patience": "low", "cruel": False},
        "instructions": ["Speak plainly.", "Never swim."],
        "constraints": ["no rum"],
    },
    "llm_config": {"provider": "openai", "model_id": "gpt-4o-mini", "temperature": 0.7, "max_tokens": 300},
    "tools_config": {"memory": {"name": "memory", "enabled": True, "config": {}}, "web": {"enabled": False}},
    "runtime_overrides": {
        "llm_config": {"temperature": "override_allowed", "model_id": "forbidden"},
        "personality_config": {"traits": "merge_allowed", "goals": "append_allowed"},
        "tone": "override_allowed",
    },
}
OLD_ACTOR: dict[str, Any] = {
    "name": "Ship's Cook",
    "personality_config": {"name": "Cook", "description": "Cooks.", "instructions": "Cook.", "agent_kwargs": {"x": 1}},
    "model_config": {"id": "meta-llama/llama-3.1-8b-instruct:free", "temperature": 0.8},
    "tools_config": {"reasoning": True, "web_search": False},
}
NARRATOR = {**ACTOR, "name": "The Wind", "engine_type": "narrator", "runtime_overrides": {}}
ANALYST = {**ACTOR, "name": "The Log", "engine_type": "analyst", "runtime_overrides": {}}
VOYAGE: dict[str, Any] = {
    "name": "A Voyage",
    "description": "Two people on a ship.",
    "config": {"max_turns": 6, "setting": {"sea": "calm"}, "timeout_seconds": 60},
    "agent_roles": {
        "captain": {"template_name": "Sea Captain", "role_config": {"role": "master_of_ship", "description": "leads"}},
        "cook": {"template_name": "Ship's Cook", "required": True, "engine_type": "actor"},
        "wind": {"template_name": "The Wind", "required": False, "engine_type": "narrator"},
        "log": {"template_name": "The Log", "required": False, "engine_type": "analyst"},
    },
    "event_flow": {
        "departure": {
            "type": "trigger",
            "source": "system",
            "target": "all_agents",
            "conditions": {"trigger": "scenario_start"},
        },
        "weather": {
            "source": "wind",
            "target": None,
            "data_schema": {"force": "int", "sky": "string", "seen": ["gull", "sail"]},
            "conditions": {"trigger": "initialization_complete", "required_if": "narrator_present"},
        },
        "talk": {
            "source": "any_actor",
            "target": "other_actors",
            "prompt": "Say what you think of the weather.",
            "data_schema": {"message": "string", "mood": "string"},
            "conditions": {
                "trigger": "previous_turn_complete",
                "repeatable": True,
                "max_iterations": "config.max_turns",
            },
        },
        "order": {
            "source": "captain",
            "target": "cook",
            "conditions": {"trigger": "weather_complete", "required": False},
        },
        "reckoning": {"source": "log", "target": "system", "conditions": {"trigger": "every_n_turns", "n": 2}},
        "landfall": {"source": "system", "conditions": {"trigger": "completion_condition_met", "final": True}},
    },
    "runtime_customization": {"tone": "configurable"},
}
BESIDE = {"captain.json": ACTOR, "P0-agent-ships_cook.json": OLD_ACTOR, "wind.json": NARRATOR, "log.json": ANALYST}


def write(folder: Path, scenario: Any, beside: dict[str, Any] = BESIDE) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**beside, "voyage.json": scenario}.items():
        (folder / name).write_text(json.dumps(content, indent=1))
    return folder / "voyage.json"


def good(path: Path) -> Scenario:
    loaded = load(path)
    assert loaded.scenario is not None, [str(found) for found in loaded.errors]
    return loaded.scenario


def said(loaded: Loaded, severity: str, words: str) -> bool:
    return any(found.severity == severity and words in str(found) for found in loaded.findings)


def changed(*path: str, to: Any) -> dict[str, Any]:
    document = copy.deepcopy(VOYAGE)
    here = document
    for key in path[:-1]:
        here = here[key]
    if to is KeyError:
        del here[path[-1]]
    else:
        here[path[-1]] = to
    return document


def test_an_agent(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, ACTOR))
    agent = loaded.agent
    assert agent is not None, [str(found) for found in loaded.errors]
    assert loaded.scenario is None
    assert (agent.name, agent.title, agent.engine_type) == ("sea-captain", "Sea Captain", "actor")
    assert (agent.role, agent.backstory, agent.goals) == ("captain", "Thirty years at sea.", ["come home"])
    assert agent.instructions == ["Speak plainly.", "Never swim."]
    assert agent.llm.name() == "openai:gpt-4o-mini"
    assert agent.overrides["llm_config"]["model_id"] == "forbidden"
    assert agent.overrides["other"] == {"tone": "override_allowed"}
    assert [found.path for found in loaded.losses] == ["/tools_config/memory"]
    assert pointer_to_position(loaded, "/goals/0").line > pointer_to_position(loaded, "/role").line


def test_an_old_agent(tmp_path: Path) -> None:
    loaded = load(write(tmp_path, OLD_ACTOR))
    assert loaded.agent is not None
    assert (loaded.agent.backstory, loaded.agent.instructions) == ("Cooks.", ["Cook."])
    assert loaded.agent.llm.name() == "meta-llama/llama-3.1-8b-instruct:free"
    assert said(loaded, "note", "does not say its engine_type: actor")
    assert loaded.agent.extensions["pyscrai"]["voyage.json"] == {"/personality_config/agent_kwargs": {"x": 1}}


def test_an_agent_of_ours(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("format: pyscrai/agent@1\nname: ann\nrole: baker\ngoals: win\n")
    loaded = load(tmp_path / "a.yaml")
    assert loaded.agent is not None
    assert (loaded.dialect, loaded.agent.goals, loaded.about) == ("native", ["win"], "ann, an agent template (actor)")
    (tmp_path / "a.yaml").write_text("format: pyscrai/agent@1\nname: ann\nlmm: {}\n")
    assert said(load(tmp_path / "a.yaml"), "error", 'did you mean "llm"?')
    (tmp_path / "a.yaml").write_text("format: pyscrai/agent@1\nname: ann\nengine_type: actr\n")
    assert said(load(tmp_path / "a.yaml"), "error", 'a.yaml:3:14: error: the text "actr" is not one of')


def test_a_voyage(tmp_path: Path) -> None:
    scenario = good(write(tmp_path, VOYAGE))
    assert (scenario.name, scenario.title) == ("a-voyage", "A Voyage")
    assert scenario.world.facts == {"sea": "calm"}
    assert scenario.world.text == "Two people on a ship.\n\nSea: calm"
    assert list(scenario.seats) == ["captain", "cook"]
    captain = scenario.seats["captain"]
    assert (captain.title, captain.role) == ("Sea Captain", "Master of ship: leads")
    assert captain.style == "Your traits: brave; patience: low"
    assert captain.instructions == "Speak plainly.\nNever swim."
    assert (captain.model, captain.temperature, captain.max_tokens) == ("openai:gpt-4o-mini", 0.7, 300)
    assert "Never swim." in scenario.narrator.instructions
    assert scenario.analyst.model == "openai:gpt-4o-mini"
    assert scenario.flow == {
        "departure": FlowStep(by="system", prompt="The scenario begins: A Voyage. Two people on a ship."),
        "weather": FlowStep(
            by="narrator",
            on="departure",
            prompt="Weather.",
            result={"force": {"type": "integer"}, "sky": {"type": "string"}, "seen": {"enum": ["gull", "sail"]}},
        ),
        "talk": FlowStep(
            by="any_seat",
            on="turn_complete",
            repeat=6,
            prompt="Say what you think of the weather.",
            result={"mood": {"type": "string"}},
        ),
        "order": FlowStep(by="captain", on="weather", to="cook", required=False, prompt="Order."),
        "reckoning": FlowStep(by="analyst", on="every_n_turns", n=2, repeat=3, prompt="Reckoning."),
        "landfall": FlowStep(by="system", on="end", prompt="The scenario is over."),
    }
    assert (scenario.schedule.policy, scenario.schedule.turns) == ("flow@1", 13)
    own = scenario.extensions["pyscrai"]
    assert own["overrides"] == {
        "captain": {
            "llm_config": {"temperature": "override_allowed", "model_id": "forbidden"},
            "personality_config": {"traits": "merge_allowed", "goals": "append_allowed"},
            "other": {"tone": "override_allowed"},
        }
    }
    assert own["kept"]["P0-agent-ships_cook.json"] == {"/personality_config/agent_kwargs": {"x": 1}}
    assert own["tools"]["cook"] == {"reasoning": True, "web_search": False}
    assert set(own["kept"]["voyage.json"]) == {
        "/config/timeout_seconds",
        "/runtime_customization",
        "/event_flow/talk/data_schema/message",
    }


def test_it_comes_back_from_its_dump(tmp_path: Path) -> None:
    scenario = good(write(tmp_path, VOYAGE))
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "voyage.yaml").write_text(dump(scenario))
    assert good(tmp_path / "again" / "voyage.yaml") == scenario


@pytest.mark.parametrize("place", ["templates", "agents", "../agents"])
def test_where_templates_are_found(place: str, tmp_path: Path) -> None:
    path = write(tmp_path / "scenarios", VOYAGE, {})
    write(tmp_path / "scenarios" / place, ACTOR)
    for name, content in BESIDE.items():
        (tmp_path / "scenarios" / place / name).write_text(json.dumps(content))
    (tmp_path / "scenarios" / place / "voyage.json").unlink()
    assert list(good(path).seats) == ["captain", "cook"]


def test_a_folder_with_one_scenario(tmp_path: Path) -> None:
    write(tmp_path, VOYAGE)
    assert good(tmp_path).title == "A Voyage"


def test_a_required_template_that_is_missing_and_an_optional_one(tmp_path: Path) -> None:
    beside = {"captain.json": ACTOR, "log.json": ANALYST}
    loaded = load(write(tmp_path, VOYAGE, beside))
    assert [found.path for found in loaded.errors] == ["/agent_roles/cook/template_name"]
    assert "there are: Sea Captain, The Log" in str(loaded.errors[0])
    assert said(loaded, "warning", 'the role "wind" is left out, and its steps')


def test_steps_of_an_absent_role_are_left_out_and_the_others_follow(tmp_path: Path) -> None:
    scenario = good(write(tmp_path, VOYAGE, {k: v for k, v in BESIDE.items() if k != "wind.json"}))
    assert "weather" not in scenario.flow
    assert scenario.flow["order"].on == "departure"
    assert scenario.extensions["pyscrai"]["kept"]["voyage.json"]["/event_flow/weather"]["source"] == "wind"


def test_phases_follow_their_transitions(tmp_path: Path) -> None:
    phases = [
        {"name": "first", "trigger": "scenario_start", "duration": 5, "prompt_template": "It begins."},
        {"name": "last", "trigger": "middle_over", "prompt_template": "It ends."},
        {"name": "middle", "trigger": "time_elapsed", "prompt_template": "It goes on."},
    ]
    flow = {"phases": phases, "transitions": {"first": "middle", "middle": "last", "last": "scenario_complete"}}
    scenario = good(write(tmp_path, changed("event_flow", to=flow)))
    assert {name: (step.by, step.on, step.prompt) for name, step in scenario.flow.items()} == {
        "first.scene": ("narrator", "start", "It begins."),
        "first": ("all_seats", "first.scene", "It begins."),
        "last.scene": ("narrator", "middle", "It ends."),
        "last": ("all_seats", "last.scene", "It ends."),
        "middle.scene": ("narrator", "first", "It goes on."),
        "middle": ("all_seats", "middle.scene", "It goes on."),
    }


def test_without_transitions_phases_follow_each_other(tmp_path: Path) -> None:
    phases = {"first": {"prompt_template": "a"}, "second": {"trigger": "whenever", "prompt_template": "b"}}
    document = changed("event_flow", to={"phases": phases})
    document["agent_roles"] = {"captain": {"template_name": "captain"}}
    loaded = load(write(tmp_path, document))
    assert loaded.scenario is not None
    assert [(step.by, step.on) for step in loaded.scenario.flow.values()] == [
        ("captain", "start"),
        ("captain", "first"),
    ]
    assert said(loaded, "warning", 'nothing here triggers "whenever": it comes after "first"')


def test_a_flow_that_nothing_starts_is_opened_by_the_system(tmp_path: Path) -> None:
    flow = {"talk": {"source": "all", "conditions": {"trigger": "previous_turn_complete", "repeatable": True}}}
    loaded = load(write(tmp_path, changed("event_flow", to=flow)))
    assert loaded.scenario is not None
    assert loaded.scenario.flow["scenario_start"].by == "system"
    assert loaded.scenario.flow["talk"].repeat == 6
    assert said(loaded, "note", "no step is triggered by scenario_start")


@pytest.mark.parametrize(
    ("path", "to", "words"),
    [
        (("agent_roles",), KeyError, "there are no agent_roles"),
        (("agent_roles",), 5, "agent_roles is a mapping"),
        (("agent_roles", "cook"), 5, "a role is a mapping"),
        (("agent_roles", "cook", "template_name"), KeyError, "has no template_name"),
        (("agent_roles", "cook", "engine_type"), "actr", 'did you mean "actor"?'),
        (("agent_roles",), {"wind": {"template_name": "The Wind"}}, "there is no actor"),
        (("event_flow",), KeyError, "there is no event_flow"),
        (("event_flow",), 5, "event_flow is a mapping of steps"),
        (("event_flow",), {}, "the flow has no steps"),
        (("event_flow", "talk"), "x", "is a mapping, not text"),
        (("event_flow", "talk", "source"), "captian", 'did you mean "captain"?'),
        (("event_flow", "order", "target"), "cok", 'did you mean "cook"?'),
        (("event_flow", "talk", "conditions"), 5, "a mapping"),
        (("event_flow", "talk", "conditions", "max_iterations"), "config.max_turn", 'did you mean "config.max_turns"?'),
        (("event_flow", "talk", "conditions", "max_iterations"), 0, "a whole number above 0"),
        (("event_flow", "talk", "conditions", "repeatable"), "maybe", "true or false"),
        (("event_flow", "reckoning", "conditions", "n"), KeyError, "every_n_turns needs n"),
        (("event_flow", "reckoning", "conditions", "n"), "two", "every_n_turns needs n"),
        (("event_flow", "talk", "data_schema"), "string", "data_schema is a mapping"),
        (("event_flow",), {"a": {"source": "all", "conditions": {"trigger": "b_complete"}},
                           "b": {"source": "all", "conditions": {"trigger": "a_complete"}}}, "wait for each other"),
        (("config", "max_turns"), "many", "a whole number"),
        (("config",), [], "a mapping"),
        (("event_flow",), {"phases": [{"name": "a"}], "transitions": {"a": "b"}}, 'there is no phase "b"'),
        (("event_flow",), {"phases": [{"name": "a"}], "transitions": {"c": "a"}}, 'there is no phase "c"'),
        (("event_flow",), {"phases": [{"name": "a"}, {"name": "a"}]}, "two steps"),
    ],
)  # fmt: skip
def test_what_is_refused(path: tuple[str, ...], to: Any, words: str, tmp_path: Path) -> None:
    loaded = load(write(tmp_path, changed(*path, to=to)))
    assert loaded.scenario is None
    assert said(loaded, "error", words), [str(found) for found in loaded.findings]


@pytest.mark.parametrize(
    ("path", "to", "words"),
    [
        (("event_flow", "talk", "conditions", "trigger"), "previous_turn_complet", "previous_turn_complete"),
        (("event_flow", "talk", "data_schema", "mood"), "strng", 'did you mean "string"?'),
        (("event_flow", "talk", "conditions", "max_iteration"), 3, 'did you mean "max_iterations"?'),
        (("event_flow", "talk", "sorce"), "captain", 'did you mean "source"?'),
        (("event_flow", "talk", "source"), KeyError, "it has no source"),
        (("agent_roles", "cook", "required"), "yes", "taken as true"),
        (("agent_roles", "wind2"), {"template_name": "The Wind"}, "there is one narrator"),
        (("name",), KeyError, "the scenario has no name"),
        (("descripton",), "x", 'did you mean "description"?'),
    ],
)
def test_what_is_warned_of(path: tuple[str, ...], to: Any, words: str, tmp_path: Path) -> None:
    loaded = load(write(tmp_path, changed(*path, to=to)))
    assert loaded.scenario is not None, [str(found) for found in loaded.errors]
    assert said(loaded, "warning", words), [str(found) for found in loaded.findings]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"engine_type": "actr"}, 'did you mean "actor"?'),
        ({"personality_config": 5}, "a mapping"),
        ({"llm_config": {"model_id": "x", "temperature": 9}}, "between 0 and 2"),
        ({"llm_config": {"model_id": "x", "temperature": "hot"}}, "a number is wanted"),
        ({"llm_config": {"model_id": "x", "max_tokens": 1.5}}, "a whole number"),
        ({"runtime_overrides": {"llm_config": {"temperature": "override"}}}, "override_allowed"),
        ({"runtime_overrides": 5}, "a mapping"),
        ({"tools_config": 5}, "a mapping"),
    ],
)
def test_agents_that_are_refused(keys: dict[str, Any], words: str, tmp_path: Path) -> None:
    loaded = load(write(tmp_path, {**ACTOR, **keys}))
    assert loaded.agent is None
    assert said(loaded, "error", words), [str(found) for found in loaded.findings]
    assert load(write(tmp_path, VOYAGE, {**BESIDE, "captain.json": {**ACTOR, **keys}})).scenario is None


EVENT = {"name": "storm", "description": "It storms.", "schema": {"type": "object"}, "category": "sea", "is_core": True}


@pytest.mark.parametrize(
    "event",
    [
        EVENT,
        {"name": "storm", "description": "It storms.", "data_schema": {}, "event_category": "sea", "is_core": True},
    ],
)
def test_event_types(event: dict[str, Any], tmp_path: Path) -> None:
    for content in (event, [event], {"event_types": [event]}):
        loaded = load(write(tmp_path, content))
        assert [one.name for one in loaded.event_types] == ["storm"], [str(found) for found in loaded.findings]
        one = loaded.event_types[0]
        assert (one.category, one.is_core, one.lane, one.prompt) == ("sea", True, "log", "")
        assert said(loaded, "note", "a line of the log")


def test_an_event_type_with_a_prompt_is_work(tmp_path: Path) -> None:
    event = {**EVENT, "prompt": "Tell of the storm.", "engine_type": "Narrator", "schema": {"force": "integer"}}
    loaded = load(write(tmp_path, event))
    assert loaded.event_types[0].lane == "narrator"
    assert loaded.event_types[0].payload_schema == {"type": "object", "properties": {"force": {"type": "integer"}}}
    assert loaded.findings == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([EVENT, EVENT], "two event types"),
        ({**EVENT, "schema": {"type": "objekt"}}, 'did you mean "object"?'),
        ({**EVENT, "schema": "object"}, "a JSON Schema is wanted"),
        ({**EVENT, "name": ""}, "no name"),
    ],
)
def test_event_types_that_are_refused(content: Any, words: str, tmp_path: Path) -> None:
    loaded = load(write(tmp_path, content))
    assert loaded.event_types == ()
    assert said(loaded, "error", words), [str(found) for found in loaded.findings]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")
def test_the_vision_and_the_conversation() -> None:
    vision = good(SAMPLES / "P0-scenario-supernatural_vision.json")
    assert vision.seats["primary_agent"].title == "Pope Leo XIII"
    assert [name for name in vision.flow if not name.endswith(".scene")] == [
        "initial_experience",
        "vision_deepens",
        "theological_reflection",
        "decision_making",
    ]
    conversation = good(SAMPLES / "P2-scenario-generic_conversation.json")
    assert list(conversation.seats) == ["primary_actor", "secondary_actor"]
    assert list(conversation.flow) == ["scenario_initialization", "conversation_turn", "scenario_conclusion"]
    assert conversation.flow["conversation_turn"].repeat == 20


def test_names_that_no_letter_of_ours_can_write(tmp_path: Path) -> None:
    document = changed("agent_roles", to={"教皇": {"template_name": "利奥"}, "医生": {"template_name": "大夫"}})
    document["event_flow"] = {"黎明": {"source": "医生", "conditions": {"trigger": "scenario_start"}}}
    document["event_flow"]["正午"] = {"source": "教皇", "conditions": {"trigger": "黎明_complete"}}
    beside = {"a.json": {**ACTOR, "name": "大夫"}, "b.json": {**ACTOR, "name": "利奥"}}
    scenario = good(write(tmp_path, document, beside))
    dawn, noon = scenario.flow
    pope, doctor = scenario.seats
    assert (scenario.flow[dawn].by, scenario.flow[noon].by, scenario.flow[noon].on) == (doctor, pope, dawn)
    assert [seat.title for seat in scenario.seats.values()] == ["利奥", "大夫"]


def test_a_role_may_change_its_template_as_far_as_that_lets_it(tmp_path: Path) -> None:
    config = {
        "personality_config": {"backstory": "Born at sea.", "goals": ["sleep"], "traits": {"patience": "none"}},
        "llm_config": {"temperature": 0.1},
    }
    captain = good(write(tmp_path, changed("agent_roles", "captain", "role_config", to=config))).seats["captain"]
    assert captain.situation == "Born at sea."
    assert captain.goals == ["come home", "sleep"]
    assert captain.style == "Your traits: brave; patience: none"
    assert captain.temperature == 0.1
    config["llm_config"] = {"model_id": "gpt-4o"}
    loaded = load(write(tmp_path, changed("agent_roles", "captain", "role_config", to=config)))
    assert said(loaded, "error", 'the template of "Sea Captain" forbids to change model_id')


@pytest.mark.parametrize(
    "roles",
    [
        ["Sea Captain", "Ship's Cook"],
        [{"name": "captain", "template": "Sea Captain"}, {"role_name": "cook", "agent_template": "Ship's Cook"}],
        {"captain": "Sea Captain", "cook": {k: v for k, v in OLD_ACTOR.items() if k != "name"}},
    ],
)
def test_other_ways_to_write_roles(roles: Any, tmp_path: Path) -> None:
    document = changed("agent_roles", to=roles)
    document["event_flow"] = {"talk": {"source": "all", "conditions": {"trigger": "scenario_start"}}}
    scenario = good(write(tmp_path, document))
    assert len(scenario.seats) == 2
    assert scenario.flow["talk"].by == "all_seats"


def test_flows_as_lists_and_other_triggers(tmp_path: Path) -> None:
    flow = [
        {"name": "one", "source": "captain", "trigger": "immediate"},
        {"step": "two", "source": "cook", "conditions": {"trigger": "one"}},
        {"name": "three", "source": "cook", "conditions": {"trigger": "every_3_turns"}},
        {"name": "four", "source": "captain", "target": ["cook"], "conditions": {"trigger": 5}},
        {"name": "five", "type": "trigger", "conditions": {"final": True}},
    ]
    loaded = load(write(tmp_path, changed("event_flow", to=flow)))
    assert loaded.scenario is not None, [str(found) for found in loaded.errors]
    on = {name: (step.on, step.n) for name, step in loaded.scenario.flow.items()}
    assert on == {
        "one": ("start", None),
        "two": ("one", None),
        "three": ("every_n_turns", 3),
        "four": ("three", None),
        "five": ("end", None),
    }
    assert loaded.scenario.flow["five"].by == "system"
    assert said(loaded, "warning", "a trigger is a word, not a number")
    assert said(loaded, "warning", "one role is wanted here, not a list")


@pytest.mark.parametrize(
    ("word", "schema"),
    [
        ("str", {"type": "string"}),
        ("Integer", {"type": "integer"}),
        ("float?", {"type": ["number", "null"]}),
        ("any", {}),
        ("string[]", {"type": "array", "items": {"type": "string"}}),
        ("list<int>", {"type": "array", "items": {"type": "integer"}}),
        (["string"], {"type": "array", "items": {"type": "string"}}),
        (["calm", "storm"], {"enum": ["calm", "storm"]}),
        ({"height": "float"}, {"type": "object", "properties": {"height": {"type": "number"}}}),
        ({"type": "Str", "description": "d"}, {"type": "string", "description": "d"}),
        ({"type": "object", "properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"enum": [1, 2]}, {"enum": [1, 2]}),
        (None, {}),
    ],
)  # fmt: skip
def test_words_for_types(word: Any, schema: dict[str, Any], tmp_path: Path) -> None:
    document = changed("event_flow", "talk", "data_schema", to={"wave": word})
    assert good(write(tmp_path, document)).flow["talk"].result == {"wave": schema}


def test_models_and_tools_in_other_words(tmp_path: Path) -> None:
    agent = {
        **ACTOR,
        "llm_config": "gpt-4o-mini",
        "tools_config": ["memory"],
        "personality_config": {"traits": ["brave"]},
        "runtime_overrides": {"llm_config": {"temperature": True, "max_tokens": False}},
    }
    loaded = load(write(tmp_path, agent))
    assert loaded.agent is not None
    assert (loaded.agent.llm.name(), loaded.agent.traits) == ("gpt-4o-mini", {"brave": True})
    assert loaded.agent.overrides == {"llm_config": {"temperature": "override_allowed", "max_tokens": "forbidden"}}
    assert loaded.about == "Sea Captain, an agent template (actor)"

"""ScenarioConfigurations in all their shapes, as dialogues."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from pyscrai.domain.scenario import Principal, Scenario
from pyscrai.formats.load import Loaded, dump, load, load_text, pointer_to_position

TOOL = {
    "toolName": "approve",
    "description": "Approve the loan.",
    "inputSchema": {"type": "object", "properties": {"reason": {"type": "string"}}, "required": ["reason"]},
    "synthesisGuidance": "Give a number for the loan.",
    "endsConversation": True,
    "conversationEndStatus": "success",
}
LOAN: dict[str, Any] = {
    "metadata": {
        "id": "loan.v2",
        "title": "A loan",
        "description": "Somebody wants money.",
        "tags": ["bank"],
        "background": "A small town.",
        "challenges": ["The books are thin."],
    },
    "agents": [
        {
            "agentId": "Baker_1",
            "principal": {"type": "individual", "name": "Ann Baker", "description": "She bakes."},
            "situation": "You need an oven.",
            "systemPrompt": "Ask for a loan.",
            "goals": ["an oven"],
            "knowledgeBase": {"debts": [{"to": "mill", "sum": 12}]},
        },
        {
            "agentId": "bank",
            "principal": {"type": "organization", "name": "Town Bank", "description": "A bank."},
            "situation": "Somebody comes in.",
            "systemPrompt": "Lend with care.",
            "goals": ["no losses"],
            "tools": [TOOL],
            "knowledgeBase": {},
            "messageToUseWhenInitiatingConversation": "Good morning.",
        },
    ],
}


def changed(**keys: Any) -> dict[str, Any]:
    return {**copy.deepcopy(LOAN), **keys}


def agent(i: int = 1, **keys: Any) -> dict[str, Any]:
    document = copy.deepcopy(LOAN)
    document["agents"][i].update(keys)
    return document


def tool(**keys: Any) -> dict[str, Any]:
    return agent(tools=[{**TOOL, **keys}])


def reading(document: Any) -> Loaded:
    return load_text(json.dumps(document, indent=1), "fallback", "loan.json")


def good(document: Any) -> Scenario:
    loaded = reading(document)
    assert loaded.scenario is not None, [str(found) for found in loaded.errors]
    assert loaded.dialect == "conversation"
    return loaded.scenario


def said(loaded: Loaded, severity: str, words: str) -> bool:
    return any(found.severity == severity and words in str(found) for found in loaded.findings)


def test_everything_has_its_place() -> None:
    loaded = reading(LOAN)
    assert loaded.findings == []
    scenario = good(LOAN)
    assert (scenario.name, scenario.title, scenario.tags) == ("loan.v2", "A loan", ["bank"])
    assert (scenario.world.text, scenario.world.challenges) == ("A small town.", ["The books are thin."])
    assert (scenario.schedule.policy, scenario.schedule.first) == ("dialogue@1", "bank")
    assert list(scenario.seats) == ["baker_1", "bank"]
    baker, bank = scenario.seats.values()
    assert (baker.title, baker.role) == ("Ann Baker", "Baker 1")
    assert baker.principal == Principal(type="individual", name="Ann Baker", description="She bakes.")
    assert (baker.situation, baker.instructions) == ("You need an oven.", "Ask for a loan.")
    assert (baker.goals, baker.knowledge) == (["an oven"], {"debts": [{"to": "mill", "sum": 12}]})
    assert bank.opening == "Good morning."
    assert bank.tools[0].model_dump() == {
        "name": "approve",
        "description": "Approve the loan.",
        "input_schema": TOOL["inputSchema"],
        "guidance": "Give a number for the loan.",
        "ends": "success",
    }
    assert scenario.extensions["conversation"] == {"loan.json": {"/agents/0/agentId": "Baker_1"}}


def test_it_comes_back_from_its_dump() -> None:
    scenario = good(LOAN)
    assert load_text(dump(scenario), "x", "x.yaml").scenario == scenario


def test_places_are_kept() -> None:
    loaded = reading(LOAN)
    lines = json.dumps(LOAN, indent=1).splitlines()
    for pointer, text in (
        ("/seats/bank/goals/0", '"no losses"'),
        ("/seats/bank/tools/0/guidance", '"synthesisGuidance"'),
        ("/seats/bank/tools/0/input_schema/required/0", '"reason"'),
        ("/world/challenges/0", '"The books are thin."'),
        ("/title", '"title"'),
    ):
        assert text in lines[pointer_to_position(loaded, pointer).line - 1], pointer


@pytest.mark.parametrize(
    "document",
    [
        {**LOAN, "scenario": {}},
        {"scenario": LOAN["metadata"], "agents": LOAN["agents"]},
        {"Metadata": 1, **LOAN},
        {"type": "Scenario", **LOAN},
        {"name": "Loan", "config": LOAN, "history": []},
        {**LOAN["metadata"], "agents": LOAN["agents"]},
        {**LOAN, "agents": {one["agentId"]: {**one, "agentId": None} for one in LOAN["agents"]}},
    ],
)
def test_other_shapes_of_the_same(document: dict[str, Any]) -> None:
    scenario, wanted = good(document), good(LOAN)
    assert scenario.seats == wanted.seats
    assert (scenario.world, scenario.title, scenario.name) == (wanted.world, wanted.title, wanted.name)


def test_the_old_shape() -> None:
    meta = {"id": "loan", "title": "A loan", "description": "d"}
    older = {"background": "A small town.", "challenges": ["one"], "interactionNotes": {"tone": "kind"}}
    loaded = reading({"metadata": meta, "scenario": older, "agents": LOAN["agents"]})
    assert loaded.scenario is not None
    assert (loaded.scenario.world.text, loaded.scenario.world.challenges) == ("A small town.", ["one"])
    assert [found.path for found in loaded.losses] == ["/scenario/interactionNotes"]
    assert loaded.scenario.extensions["conversation"]["loan.json"]["/scenario/interactionNotes"] == {"tone": "kind"}


def test_what_metadata_says_goes_before_what_scenario_says_and_both_are_kept() -> None:
    loaded = reading(changed(scenario={"background": "A city."}))
    assert loaded.scenario is not None
    assert loaded.scenario.world.text == "A small town."
    assert loaded.scenario.extensions["conversation"]["loan.json"]["/scenario/background"] == "A city."


def test_without_principals_and_tools_and_openings() -> None:
    bare = [{"agentId": f"agent-{i}", "systemPrompt": "Talk."} for i in range(4)]
    loaded = reading(changed(agents=bare))
    assert loaded.scenario is not None
    assert list(loaded.scenario.seats) == ["agent-0", "agent-1", "agent-2", "agent-3"]
    assert loaded.scenario.schedule.first is None
    assert loaded.scenario.seat_title("agent-0") == "Agent 0"
    assert {found.severity for found in loaded.findings} == {"note"}


def test_two_agents_of_one_principal_keep_their_own_names() -> None:
    scenario = good(agent(principal={"type": "individual", "name": "Ann Baker"}))
    assert [seat.title for seat in scenario.seats.values()] == ["Baker 1", "Bank"]
    assert scenario.seats["bank"].role == "speaks for Ann Baker"


def test_older_ids_and_other_words() -> None:
    scenario = good(
        agent(agentId={"id": "bank", "label": "The bank", "role": "lender"}, principal="Town", tools=["look_up", TOOL])
    )
    assert scenario.seats["bank"].role == "lender"
    assert scenario.seats["bank"].principal == Principal(name="Town")


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "objekt"}, 'did you mean "object"?'),
        ({"type": "object", "properties": {"a": {"type": "strin"}}}, 'did you mean "string"?'),
        ({"type": "object", "required": "a"}, "list of names"),
        ({"type": "array", "items": {}}, "a tool's input is an object"),
        ("not json", "a JSON Schema, not text"),
        (["a"], "a JSON Schema, not a list"),
        ({"$ref": "https://example.org/a.json"}, "not a JSON Schema"),
    ],
)
def test_a_schema_that_is_none_is_warned_of_and_takes_anything(schema: Any, words: str) -> None:
    loaded = reading(tool(inputSchema=schema))
    assert loaded.scenario is not None
    assert loaded.scenario.seats["bank"].tools[0].input_schema == {"type": "object"}
    assert said(loaded, "warning", words), [str(found) for found in loaded.findings]
    assert schema in loaded.scenario.extensions["conversation"]["loan.json"].values()


def test_capital_types_are_read() -> None:
    schema = {"type": "OBJECT", "properties": {"a": {"type": "STRING"}, "b": {"type": "Array", "items": {}}}}
    document = tool(inputSchema=schema)
    document["agents"][0]["principal"]["type"] = "Individual"
    loaded = reading(document)
    assert loaded.scenario is not None
    tools = loaded.scenario.seats["bank"].tools
    assert tools[0].input_schema["properties"] == {"a": {"type": "string"}, "b": {"type": "array", "items": {}}}
    assert loaded.scenario.seats["baker_1"].principal.type == "individual"  # type: ignore[union-attr]
    assert said(loaded, "note", "written small")


@pytest.mark.parametrize(
    ("keys", "ends"),
    [
        ({}, "success"),
        ({"conversationEndStatus": "Failure"}, "failure"),
        ({"conversationEndStatus": "neutral"}, "neutral"),
        ({"conversationEndStatus": None}, "neutral"),
        ({"endsConversation": "true"}, "success"),
        ({"endsConversation": False}, None),
        ({"endsConversation": None}, None),
    ],
)
def test_how_a_tool_ends(keys: dict[str, Any], ends: str | None) -> None:
    assert good(tool(**keys)).seats["bank"].tools[0].ends == ends


def test_an_ending_without_a_status_and_a_status_without_an_ending_are_said() -> None:
    assert said(reading(tool(conversationEndStatus=None)), "warning", "without saying how")
    assert said(reading(tool(endsConversation=False)), "warning", "does not end the conversation")


def test_the_messages_are_bounded_where_it_says_so() -> None:
    assert good(LOAN).schedule.turns == 40
    assert good({**LOAN, "metadata": {**LOAN["metadata"], "maxTurns": 12}}).schedule.turns == 12


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("listed", [None, ["Baker_1", "bank"], ["./agents/b.json", {"file": "a.json"}]])
def test_agents_in_files_of_their_own(inside: bool, listed: Any, tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    place = tmp_path / "agents" if inside else tmp_path
    document = {"type": "Scenario", "metadata": LOAN["metadata"]} | ({"agents": listed} if listed else {})
    (tmp_path / "scenario.json").write_text(json.dumps(document))
    for name, one in zip(("b.json", "a.json") if listed else ("a.json", "b.json"), LOAN["agents"], strict=True):
        (place / name).write_text(json.dumps({"type": "Agent", **one}, indent=1))
    for path in (tmp_path, tmp_path / "scenario.json"):
        loaded = load(path)
        assert loaded.scenario is not None, [str(found) for found in loaded.errors]
        assert list(loaded.scenario.seats) == ["baker_1", "bank"]
        assert loaded.scenario.seats == good(LOAN).seats
        assert pointer_to_position(loaded, "/seats/bank/goals/0").file.endswith("a.json" if listed else "b.json")


def test_an_agent_that_is_only_named(tmp_path: Path) -> None:
    (tmp_path / "scenario.json").write_text(json.dumps({"metadata": {"title": "x"}, "agents": ["bnk", "b"]}))
    (tmp_path / "bank.json").write_text(json.dumps(LOAN["agents"][1]))
    assert said(load(tmp_path), "error", 'did you mean "bank"?')


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (changed(agents=[]), "there are no agents"),
        ({"metadata": LOAN["metadata"]}, "there are no agents"),
        ({"metadata": LOAN["metadata"], "agnets": LOAN["agents"]}, 'did you mean "agents"?'),
        (changed(agents=5), "agents is a list"),
        (changed(agents=[5]), "an agent is a mapping"),
        (changed(agents=LOAN["agents"][:1]), "at least two seats"),
        (changed(agents=[*LOAN["agents"], LOAN["agents"][0]]), "two agents"),
        (agent(agentId=None), "no agentId"),
        (agent(tools=[TOOL, TOOL]), "two tools"),
        (agent(tools={"a": 5}, goals=[]), None),
        (agent(tools="approve"), "tools is a list"),
        (agent(tools=[5]), "a tool is a mapping"),
        (agent(tools=[{"toolNmae": "x"}]), 'did you mean "toolName"?'),
        (tool(conversationEndStatus="sucess"), 'did you mean "success"?'),
        (tool(endsConversation=7), "true or false is wanted"),
        (agent(agentId="narrator"), 'cannot be called "narrator"'),
        (changed(metadata=5), "a mapping"),
        (agent(principal=7), "a mapping"),
    ],
)
def test_what_is_refused(document: Any, words: str | None) -> None:
    loaded = reading(document)
    assert (loaded.scenario is None) == (words is not None)
    assert words is None or said(loaded, "error", words), [str(found) for found in loaded.findings]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (agent(systemPromt="x", systemPrompt=None), 'did you mean "systemPrompt"?'),
        (agent(goals=5), "a list of texts"),
        (agent(goals=[{"a": 1}]), "a list of texts"),
        (agent(situation=5), "taken as text"),
        (agent(knowledgeBase=["x"]), "kept as one note"),
        (agent(principal={"type": "robot", "name": "R"}), "individual or an organization"),
        (agent(principal={"type": "individual", "nmae": "R"}), "the principal has no name"),
        (tool(toolName="approve the loan!"), '"approve_the_loan"'),
        (tool(description=5), "taken as text"),
        (tool(inputSchem={}), 'did you mean "inputSchema"?'),
        (changed(metadata=None, title=None), "no metadata"),
    ],
)
def test_what_is_warned_of(document: Any, words: str) -> None:
    loaded = reading(document)
    assert loaded.scenario is not None, [str(found) for found in loaded.errors]
    assert said(loaded, "warning", words), [str(found) for found in loaded.findings]


def test_names_that_no_letter_of_ours_can_write() -> None:
    agents = [{"agentId": name, "systemPrompt": "Talk."} for name in ("医生", "保险")]
    scenario = good(changed(agents=agents))
    assert len(scenario.seats) == 2
    assert list(scenario.extensions["conversation"]["loan.json"].values()) == ["医生", "保险"]


def test_of_two_openings_the_first_is_spoken() -> None:
    loaded = reading(agent(0, messageToUseWhenInitiatingConversation="Hello."))
    assert loaded.scenario is not None
    assert loaded.scenario.schedule.first == "baker_1"
    assert [(found.line, found.severity) for found in loaded.findings if "this message is not used" in found.message]


def test_agents_in_one_file(tmp_path: Path) -> None:
    (tmp_path / "scenario.json").write_text(json.dumps({"metadata": LOAN["metadata"]}))
    for content in (LOAN["agents"], {"agents": LOAN["agents"]}):
        (tmp_path / "people.json").write_text(json.dumps(content))
        assert list(load(tmp_path).scenario.seats) == ["baker_1", "bank"]  # type: ignore[union-attr]

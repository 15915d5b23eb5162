"""The rehearsal model: any schema, the same for the same, and prose that a person likes to read."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyscrai.domain.entry import Entry
from pyscrai.llm.rehearsal.compose import compose
from pyscrai.llm.rehearsal.quantities import bounds, named, quantities
from pyscrai.llm.rehearsal.reading import Sheet
from pyscrai.llm.rehearsal.words import Voice, cut, doing, lower_first, mentioned, ruled, sentence, sentences, topic


def _load_offline() -> Any:
    path = Path(__file__).parent / "offline.py"
    spec = importlib.util.spec_from_file_location("offline_play", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["offline_play"] = module
    spec.loader.exec_module(module)
    return module


offline = _load_offline()
SEEDS = range(5)

TEXT = st.fixed_dictionaries({"type": st.just("string")}, optional={"maxLength": st.integers(5, 90)})
NUMBERS = st.builds(
    lambda low, span, kind: {"type": kind, "minimum": low, "maximum": low + span},
    st.integers(-50, 50),
    st.integers(0, 50),
    st.sampled_from(["number", "integer"]),
)
LEAVES = (
    TEXT
    | NUMBERS
    | st.sampled_from(
        [
            {"type": "boolean"},
            {"type": "null"},
            {"type": ["string", "null"]},
            {"enum": ["a", 2, None]},
            {"const": 3},
            {"type": "string", "format": "date"},
            {"type": "string", "format": "email"},
            {"type": "string", "format": "uuid"},
            {"type": "string", "pattern": "^[A-Z]{2}-\\d{3,5}$"},
            {"type": "string", "pattern": "^(yes|no), \\w+$"},
            {"type": "number", "multipleOf": 0.5, "minimum": 1, "maximum": 4},
            {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
            {"type": "string", "minLength": 60, "maxLength": 70},
            {"anyOf": [{"type": "null"}, {"type": "integer"}]},
            {"$ref": "#/$defs/word"},
            {"allOf": [{"type": "object", "properties": {"x": {"type": "integer"}}}, {"required": ["x"]}]},
        ]
    )
)


def _objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(st.sampled_from(["name", "why", "items", "note"]), inner, min_size=1)
    objects = fields.map(
        lambda told: {"type": "object", "properties": told, "required": list(told), "additionalProperties": False}
    )
    arrays = st.builds(
        lambda item, least, more: {"type": "array", "items": item, "minItems": least, "maxItems": least + more},
        inner,
        st.integers(0, 3),
        st.integers(0, 3),
    )
    return objects | arrays


SCHEMAS = st.recursive(LEAVES, _objects, max_leaves=8).map(
    lambda told: {
        "type": "object",
        "properties": {"answer": told},
        "required": ["answer"],
        "$defs": {"word": {"type": "string", "maxLength": 20}},
    }
)


@settings(max_examples=200, deadline=None)
@given(
    SCHEMAS, st.integers(0, 2**52), st.sampled_from(["", "# T\n\n## Goals\n\n- Win\n\nSome words, and more of them."])
)
def test_any_schema_is_answered(schema: dict[str, Any], seed: int, prompt: str) -> None:
    made = compose("", prompt, schema, seed)
    assert jsonschema_rs.is_valid(schema, made), made
    assert made == compose("", prompt, schema, seed)


def test_without_a_schema_it_says_what_it_is() -> None:
    assert "rehearsal model" in str(compose("", "Tell me about bridges.", None, 1))
    assert "Tell me about bridges." in str(compose("", "Tell me about bridges.", None, 1))


@pytest.mark.parametrize("prompt", ["", "do it", "## Goals\n", "- \n- \n", "# \n## \n### x\n", "Turn 9 of 3: x\n" * 50])
@pytest.mark.parametrize(
    "name", ["decide", "agent_message", "world_update", "check", "measure", "letters", "coalition", "turn_report"]
)
def test_any_prompt_of_any_author_is_answered(prompt: str, name: str) -> None:
    schema = offline.event_type(name).result_schema
    assert jsonschema_rs.is_valid(schema, compose("", prompt, schema, 3))


def public(entry: Entry) -> str:
    told = (entry.body.get(key) for key in ("action", "text", "narrative"))
    return next((str(text) for text in told if text), "")


def grammar(text: str) -> list[str]:
    """What a proofreader would mark."""
    faults = {
        "a doubled word": r"\b(\w{2,}) \1\b",
        "two blanks": r"[^\n]  ",
        "a blank before a mark": r"\w [,.;:!?]",
        "two marks": r"(?<!\.)\.\.(?!\.)|[,;:][.,;:]|\?\.|“[.,]|[.]”[.,]",
        "a small letter after a full stop": r"(?<!vs)[.!?] [a-z]",
        "a hole": r"[{}]|None|\bnull\b",
        "a goal with its capital": r"\b(?:to|that we) (?:Leave|Get|Keep|Be|Have|Open|Bring|Write|Agree|Stop)\b",
        "I in the wrong form": r"\b[Ii] (?:are|has|is)\b|\bwe am\b|\bi\b",
        "a quotation in a quotation": r"“[^”]*“",
    }
    found = [name for name, pattern in faults.items() if re.search(pattern, text)]
    if not text[:1].isupper() and text[:1] not in "“0123456789":
        found.append("a small start")
    if not text.rstrip().endswith((".", "!", "?", "”")):
        found.append("no end")
    return found


@pytest.fixture(scope="module")
def runs() -> dict[tuple[str, int], list[Entry]]:
    import asyncio

    async def all_of_them() -> dict[tuple[str, int], list[Entry]]:
        made = {}
        for name in ("negotiation", "dialogue", "vision"):
            for seed in SEEDS:
                plan = offline.plan_of(offline.scenario(name), seed)
                made[name, seed] = [entry async for entry in offline.play(plan)]
        return made

    return asyncio.run(all_of_them())


def test_what_is_said_is_good_english(runs: dict[tuple[str, int], list[Entry]]) -> None:
    marked = [
        (place, entry.turn, fault, public(entry))
        for place, log in runs.items()
        for entry in log
        if public(entry)
        for fault in grammar(public(entry))
    ]
    assert marked == []


def test_nobody_says_the_same_twice(runs: dict[tuple[str, int], list[Entry]]) -> None:
    for log in runs.values():
        said = [public(entry) for entry in log if public(entry)]
        assert len(said) == len(set(said))


def test_no_goal_is_recited_three_times(runs: dict[tuple[str, int], list[Entry]]) -> None:
    for (name, _), log in runs.items():
        for seat, declared in offline.scenario(name).seats.items():
            own = " ".join(public(entry).lower() for entry in log if entry.seat == seat)
            assert all(own.count(goal[1:].lower()) < 3 for goal in declared.goals)


def test_no_secret_is_told(runs: dict[tuple[str, int], list[Entry]]) -> None:
    for (name, _), log in runs.items():
        told = " ".join(public(entry) for entry in log)
        for seat in offline.scenario(name).seats.values():
            assert all(part[:40] not in told for part in sentences(seat.private))


def test_the_negotiation_comes_to_a_figure_within_everybodys_limits(
    runs: dict[tuple[str, int], list[Entry]],
) -> None:
    for seed in SEEDS:
        log = runs["negotiation", seed]
        values = [entry.body["value"] for entry in log if entry.body.get("metric") == "figure_on_the_table"]
        assert 330 <= float(str(values[-1])) <= 390
        trust = [float(str(entry.body["value"])) for entry in log if entry.body.get("metric") == "trust"]
        assert trust == sorted(trust)
        assert all(entry.body["consistent"] for entry in log if entry.body.get("check") == "promises")
        assert log[-1].body["outcome"] == "agreement"


def test_the_dialogue_ends_by_itself_and_everybody_speaks(runs: dict[tuple[str, int], list[Entry]]) -> None:
    for seed in SEEDS:
        log = runs["dialogue", seed]
        spoken = [entry.seat for entry in log if entry.kind == "message"]
        assert set(spoken) == {"marta", "jonas", "landlord"}
        assert 9 <= len(spoken) <= 12
        assert log[-1].body["outcome"] == "closed"


def test_a_flow_answers_each_moment(runs: dict[tuple[str, int], list[Entry]]) -> None:
    flow = offline.scenario("vision").flow
    for seed in SEEDS:
        log = runs["vision", seed]
        fields = {entry.body["step"]: entry.body["fields"] for entry in log if entry.kind == "message"}
        assert fields["morning"]["told"] == ["Monsignor Corsi", "Doctor Serra"]
        for step in ("weighing", "morning"):
            name, asked = next(iter(flow[step].result.items()))
            said = [entry.body for entry in log if entry.kind == "message" and entry.body["step"] == step]
            assert all(body["fields"][name] in asked["enum"] for body in said)
            assert all(body["fields"][name] in body["text"] for body in said)
        scenes = [entry.body["narrative"] for entry in log if entry.kind == "world_update"]
        assert scenes[0].startswith("Something is in the study that was not there before")
        assert not any("Tell" in scene or "Leave it there" in scene for scene in scenes)
        [report] = [entry for entry in log if entry.kind == "report"]
        kept = [sentences(seat.private)[0] for seat in offline.scenario("vision").seats.values()]
        assert all(
            secret.rstrip(".") in str(found) for secret, found in zip(kept, report.body["findings"], strict=True)
        )
        assert report.visible_to == "none"
        assert log[-1].body["outcome"] == "flow_complete"


def test_another_seed_gives_another_play(runs: dict[tuple[str, int], list[Entry]]) -> None:
    for name in ("negotiation", "dialogue", "vision"):
        plays = {"\n".join(public(entry) for entry in runs[name, seed]) for seed in SEEDS}
        assert len(plays) > len(SEEDS) // 2


ONE, WE = Voice(), Voice("we", "us", "our")


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        ("Keep the mill open.", "keep the mill open"),
        ("To protect your members", "protect my members"),
        ("Ensuring stability", "go on ensuring stability"),
        ("The school stays open", "see the school stays open"),
        ("The school is safe", "make sure that the school is safe"),
        ("Fair prices", "see fair prices"),
        ("Rewire the hall", "rewire the hall"),
        ("EU leadership", "see EU leadership"),
    ],
)
def test_a_goal_goes_on_after_i_want_to(goal: str, said: str) -> None:
    assert doing(goal, ONE, frozenset()) == said


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("Cannot pay more", "I cannot pay more"),
        ("You must not lie", "I must not lie"),
        ("Never threaten anybody", "I will never threaten anybody"),
        ("No layoffs", "there can be no layoffs"),
        ("Limited budget", "I have to live with limited budget"),
        ("The budget is fixed", "the budget is fixed"),
        ("Shareholders expect growth", "shareholders expect growth"),
        ("Respect the law", "I have to respect the law"),
    ],
)
def test_a_rule_becomes_a_clause(rule: str, said: str) -> None:
    assert ruled(rule, ONE, frozenset()) == said


def test_a_body_speaks_as_we() -> None:
    assert Voice.of("City Council") == WE
    assert Voice.of("Ines Karr") == ONE
    assert ruled("Cannot pay", WE, frozenset()) == "we cannot pay"


def test_small_words() -> None:
    assert sentence("we we go “home”") == "We go “home.”"
    assert mentioned("Ines Karr") == "Ines"
    assert mentioned("Tech company") == "the tech company"
    assert mentioned("European Union") == "the European Union"
    assert mentioned("Club (Representative: A. B.)") == "the club"
    assert lower_first("NATO exercise") == "NATO exercise"
    assert topic("Keep the turbines running") == "the turbines"
    assert topic("Leave no more than 250 litres") is None
    assert cut("a long text, with a clause", 20) == "a long text…"
    assert sentences("He said “Go.” She went. Done") == ["He said “Go.”", "She went.", "Done"]


_SENTENCE_ENDS = r"(?:(?<=[.!?…])(?<!\bvs\.)|(?<=[.!?…][”\"]))\s+(?=[A-Z“\"0-9])"
_WITH_CAPITALS = r"(?<=[a-z,;] )([A-Z][\w'’-]+)"
"""What was first written: a rehearsed play is pinned by its digest, so not one character may come out otherwise."""


@settings(max_examples=400)
@given(
    text=st.lists(st.sampled_from([*'AvBs.!?…”“" ,;1x\n', "vs. ", "vs.” ", " Aa", "a Bb"]), max_size=24).map("".join)
)
def test_sentences_and_names_are_what_they_were(text: str) -> None:
    parts = [part.strip() for part in re.split(_SENTENCE_ENDS, text)]
    assert sentences(text) == [part for part in parts if part]
    assert Sheet(text).names == frozenset(re.findall(_WITH_CAPITALS, text))


def test_figures_are_read_and_written_as_they_stand() -> None:
    text = "about 1,150 litres a second, €2.5 million, 12 % and 3 of 7"
    found = quantities(text)
    assert [(q.value, q.unit) for q in found] == [(1150, "litre a second"), (2.5, "€million"), (12, "%")]
    assert named(text, found[0], 1200) == "1,200 litres a second"
    assert named(text, found[1], 3) == "€3.0 million"
    assert bounds(["Cannot go above 390 litres a second", "not below 3 litres a second"], "litre a second") == (3, 390)

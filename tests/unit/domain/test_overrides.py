"""What a template lets a run change."""

from __future__ import annotations

from typing import Any

import pytest

from pyscrai.domain.choices import Choices
from pyscrai.domain.overrides import refused
from pyscrai.domain.scenario import Scenario

RULES = {
    "ann": {
        "llm_config": {
            "temperature": "override_allowed",
            "max_tokens": "forbidden",
            "model_id": "forbidden",
        },
        "personality_config": {
            "instructions": "append_allowed",
            "goals": "append_allowed",
            "traits": "merge_allowed",
            "backstory": "forbidden",
        },
        "other": {"narrative_style": "forbidden"},
    },
    "narrator": {"llm_config": {"temperature": "forbidden"}},
}


def scenario(overrides: Any = RULES) -> Scenario:
    return Scenario.model_validate(
        {
            "name": "s",
            "seats": {
                "ann": {"model": "openai:gpt-4o-mini", "instructions": "Be kind.", "goals": ["win"]},
                "bob": {"instructions": "Be brief."},
            },
            "narrator": {"temperature": 0.5},
            "extensions": {"pyscrai": {"overrides": overrides}},
        }
    )


def found(seats: dict[str, Any] | None = None, **choices: Any) -> list[str]:
    return [pointer for pointer, _ in refused(scenario(), Choices.model_validate({"seats": seats or {}, **choices}))]


@pytest.mark.parametrize(
    ("chosen", "pointers"),
    [
        ({}, []),
        ({"temperature": 1.5}, []),
        ({"max_tokens": 5}, ["/seats/ann/max_tokens"]),
        ({"model": "rehearsal"}, ["/seats/ann/model"]),
        ({"model": "openai:gpt-4o-mini"}, []),
        ({"human": True}, []),
        ({"instructions": "Be kind. And quick."}, []),
        ({"instructions": "Be cruel."}, ["/seats/ann/instructions"]),
        ({"goals": ["win", "rest"]}, []),
        ({"goals": ["rest"]}, ["/seats/ann/goals"]),
        ({"traits": {"calm": True}}, []),
        ({"traits": "calm"}, []),
        ({"traits": 5}, ["/seats/ann/traits"]),
        ({"backstory": "none"}, ["/seats/ann/backstory"]),
        ({"narrative_style": "none"}, ["/seats/ann/narrative_style"]),
        ({"personality_config": {"backstory": "x", "role": "y"}}, ["/seats/ann/personality_config/backstory"]),
        ({"llm_config": {"max_tokens": 7, "temperature": 1}}, ["/seats/ann/llm_config/max_tokens"]),
        ({"favourite_colour": "red"}, []),
    ],
)
def test_each_rule(chosen: dict[str, Any], pointers: list[str]) -> None:
    assert found({"ann": chosen}) == pointers


def test_who_has_no_rules_may_be_changed() -> None:
    assert found({"bob": {"model": "rehearsal", "instructions": "x", "max_tokens": 5}}) == []


def test_the_narrator_has_rules_too() -> None:
    assert found({"narrator": {"temperature": 1}}) == ["/seats/narrator/temperature"]
    assert found({"narrator": {"temperature": 0.5}}) == []


def test_a_model_for_all_stands_for_the_one_that_may_not_change() -> None:
    assert found(model="rehearsal") == ["/model"]
    assert found(model="openai:gpt-4o-mini") == []
    assert found({"ann": {"model": "openai:gpt-4o-mini"}}, model="rehearsal") == []


@pytest.mark.parametrize("overrides", [None, [], {"ann": 5}, {"ann": {"llm_config": "forbidden"}}, {"zoe": {}}])
def test_rules_of_another_shape_say_nothing(overrides: Any) -> None:
    choices = Choices.model_validate({"seats": {"ann": {"model": "rehearsal"}}})
    assert refused(scenario(overrides), choices) == []


def test_without_templates_everything_may_be_changed() -> None:
    plain = scenario().model_copy(update={"extensions": {}})
    assert refused(plain, Choices.model_validate({"model": "rehearsal", "seats": {"ann": {"max_tokens": 1}}})) == []

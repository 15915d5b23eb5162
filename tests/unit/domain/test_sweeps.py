"""From the document of a sweep to the runs that it means."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.domain.plans import TALKS

from pyscrai.domain.edits import edited
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.sweeps import InvalidSweep, Sweep, planned, variations

SCENARIO = Scenario.model_validate(TALKS)


def sweep(**more: Any) -> Sweep:
    return Sweep.model_validate({"name": "s", "scenario": "talks", **more})


def varied(**more: Any) -> list[dict[str, Any]]:
    return [dict(one.varied) for one in variations(sweep(**more), SCENARIO)]


def test_a_grid_has_every_combination() -> None:
    found = varied(vary={"turns": [1, 2], "model": ["a:b", "c:d"]})
    assert found == [
        {"turns": 1, "model": "a:b"},
        {"turns": 1, "model": "c:d"},
        {"turns": 2, "model": "a:b"},
        {"turns": 2, "model": "c:d"},
    ]


def test_zip_takes_them_side_by_side_and_a_list_as_they_are() -> None:
    assert varied(mode="zip", vary={"turns": [1, 2], "model": ["a", "b"]}) == [
        {"turns": 1, "model": "a"},
        {"turns": 2, "model": "b"},
    ]
    assert varied(mode="list", vary=[{"turns": 3}, {}, {"model": "a"}]) == [{"turns": 3}, {}, {"model": "a"}]
    with pytest.raises(InvalidSweep, match="as many values"):
        varied(mode="zip", vary={"turns": [1, 2], "model": ["a"]})


def test_steps_are_exact() -> None:
    found = varied(vary={"union.temperature": {"from": 0, "to": 0.3, "step": 0.1}})
    assert [one["union.temperature"] for one in found] == [0, 0.1, 0.2, 0.3]
    assert varied(vary={"turns": {"from": 2, "to": 7, "step": 2}}) == [{"turns": 2}, {"turns": 4}, {"turns": 6}]


def test_without_anything_to_vary_there_is_one_variation() -> None:
    runs = planned(sweep(seeds=2, repetitions=3, choices={"seed": 5}), SCENARIO)
    assert [(run.place, run.variation, run.seed, run.repetition) for run in runs] == [
        (1, 1, 5, 1), (2, 1, 5, 2), (3, 1, 5, 3), (4, 1, 6, 1), (5, 1, 6, 2), (6, 1, 6, 3),
    ]  # fmt: skip
    assert [run.seed for run in planned(sweep(seeds=[3, 9, 3]), SCENARIO)] == [3, 9]


def test_paths_reach_choices_seats_fields_and_parts_of_the_scenario() -> None:
    (one,) = variations(
        sweep(
            vary={
                "turns": [7],
                "limit": [0.5],
                "seats.union.model": ["rehearsal"],
                "analyst.model": ["rehearsal"],
                "union.private": ["we will not"],
                "board.goals.0": ["higher cost"],
                "world.facts.window": [48],
                "schedule.turn_length": ["1 year"],
            }
        ),
        SCENARIO,
    )
    choices = one.choices
    assert (choices.turns, str(choices.limit), choices.group, choices.on_dead_letter) == (7, "0.5", "s", "fail")
    assert (choices.seats["union"].model, choices.seats["analyst"].model) == ("rehearsal", "rehearsal")
    played = edited(SCENARIO, choices.edits)
    assert (played.seats["union"].private, played.seats["union"].goals) == ("we will not", ["higher pay"])
    assert played.seats["board"].goals == ["higher cost"]
    assert (played.world.facts, played.world.text) == ({"window": 48}, SCENARIO.world.text)
    assert (played.schedule.turn_length, played.schedule.turns) == ("1 year", 2)
    assert SCENARIO.seats["board"].goals == ["lower cost"], "the scenario itself stays as it is"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("mayor.model", "there is nothing of that name"),
        ("seats.mayor.model", "there are union, board, narrator, analyst"),
        ("union", "say what of union"),
        ("union.hat", "there is nothing of that name"),
        ("board.goals.7", "there is nothing called 7 in it"),
        ("world.facts.window.deeper", "there is nothing called deeper in it"),
        ("seed", "there is nothing of that name"),
        ("edits", "there is nothing of that name"),
    ],
)
def test_a_path_that_leads_nowhere_is_named(path: str, message: str) -> None:
    with pytest.raises(InvalidSweep, match=message) as raised:
        varied(vary={path: [1]})
    assert raised.value.pointer == f"/vary/{path}"


def test_there_is_an_end_to_it() -> None:
    with pytest.raises(InvalidSweep, match="at most 5,000"):
        planned(sweep(seeds=5001), SCENARIO)
    with pytest.raises(InvalidSweep, match="without any value"):
        varied(vary={"turns": []})
    with pytest.raises(InvalidSweep, match="turns"):
        varied(vary={"turns": ["many"]})

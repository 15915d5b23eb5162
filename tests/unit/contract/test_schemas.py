"""The published schemas are schemas, and the models fit them."""

import jsonschema_rs
import pytest

from pyscrai.contract.schemas import entry_schema, event_type_schema, scenario_schema
from pyscrai.domain.entry import Entry
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.work import EventType

SCENARIO = {
    "format": "pyscrai/scenario@1",
    "name": "s",
    "seats": {"a": {"role": "one"}, "b": {}},
    "schedule": {"end_when": ["trust > 1", {"when": "trust < 0", "outcome": "lost"}]},
    "metrics": {"trust": {"range": [0, 1]}},
}


@pytest.mark.parametrize("schema", [scenario_schema(), event_type_schema(), entry_schema()])
def test_they_name_themselves_and_are_valid(schema: dict[str, object]) -> None:
    assert str(schema["$id"]).startswith("urn:pyscrai:")
    assert schema["title"]
    jsonschema_rs.meta.validate(schema)


def test_a_scenario_fits_its_schema_as_written_and_as_dumped() -> None:
    validator = jsonschema_rs.validator_for(scenario_schema())
    assert validator.is_valid(SCENARIO)
    assert validator.is_valid(Scenario.model_validate(SCENARIO).model_dump(mode="json"))
    assert not validator.is_valid({**SCENARIO, "seets": {}})


def test_event_types_and_entries_fit_theirs() -> None:
    event_type = EventType(name="decide", lane="actor", prompt="…")
    assert jsonschema_rs.is_valid(event_type_schema(), event_type.model_dump(mode="json"))
    entry = Entry(kind="decision", seq=1, step=0, n=0, seat="a", visible_to=["a"])
    assert jsonschema_rs.is_valid(entry_schema(), entry.model_dump(mode="json"))
    assert jsonschema_rs.is_valid(entry_schema(), {**entry.model_dump(mode="json"), "kind": "something_later"})

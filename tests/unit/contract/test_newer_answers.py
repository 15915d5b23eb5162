"""Answers of a newer API: what is not known is ignored, also inside documents that are strict in requests."""

from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from pyscrai.contract.costs import ModelPriceInfo
from pyscrai.contract.runs import NewRun, Run, Snapshot
from pyscrai.contract.wire import Tolerant
from pyscrai.domain.choices import Choices

NEWER: dict[str, Any] = {
    "model": "rehearsal",
    "of_next_year": {"a": [1]},
    "prices": {"openai:m": {"input": "1", "output": "2", "per_image": "3", "tiers": [
        {"above": 5, "input": "2", "output": "3", "per_image": "4"}
    ]}},
}  # fmt: skip


@pytest.mark.parametrize("as_text", [True, False])
def test_choices_of_an_answer_lose_what_nobody_knows(as_text: bool) -> None:
    kind: TypeAdapter[Choices] = TypeAdapter(Annotated[Choices, Tolerant])
    found = kind.validate_json(json.dumps(NEWER)) if as_text else kind.validate_python(NEWER)
    assert found.model == "rehearsal"
    assert found.prices["openai:m"].tiers[0].above == 5
    assert found.model_dump(mode="json")["prices"]["openai:m"]["input"] == "1"


def test_what_is_wrong_stays_wrong() -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(Annotated[Choices, Tolerant]).validate_python(NEWER | {"turns": 0})
    assert "turns" in str(refused.value)


def test_a_request_stays_strict() -> None:
    with pytest.raises(ValidationError):
        NewRun.model_validate({"scenario": "a", "choices": NEWER})


def test_every_answer_with_such_a_document_reads_it_so() -> None:
    for kind in (Run, Snapshot):
        assert Tolerant in kind.model_fields["choices"].metadata
    told = {"asked": "m", "model": "m", "source": "run", "price": NEWER["prices"]["openai:m"]}
    assert ModelPriceInfo.model_validate(told).price is not None

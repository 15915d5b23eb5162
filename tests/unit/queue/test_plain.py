"""Events without a run, written as text, say what the contract's model says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyscrai.contract.events import Claimed, ModelChoice, Prompt
from pyscrai.domain.canonical import canonical, normalise
from pyscrai.domain.work import EventType
from pyscrai_api.database import Pool
from pyscrai_api.money.provider_limits import Declared, ProviderLimits
from pyscrai_api.queue.plain import NO_TYPE, Plain, Shown, _members, stands_alone
from pyscrai_api.queue.ports import ClaimedRow

WHEN = datetime(2026, 11, 20, 12, 30, 1, 250_123, tzinfo=UTC).timestamp()
KINDS = {
    "none": None,
    "decide": EventType(
        name="decide", lane="actor", system='Say "yes" – é\n☃', prompt="{{ view }}\\ \u2028",
        result_schema={"type": "object"},
    ),
    "no schema": EventType(name="plain", lane="actor", prompt="p"),
}  # fmt: skip
NO_POOL = cast(Pool, None)


def row(**changes: Any) -> ClaimedRow:
    plain = ClaimedRow(7, None, "prompt", "local", None, None, '{"prompt":"hi"}', 5, 3, WHEN, 20.0, 2, 1)
    return plain._replace(**changes)


def expected(row: ClaimedRow, kind: EventType | None, lease_for: float, key: str | None, timeout: float | None) -> Any:
    model = ModelChoice(id=row.model or "rehearsal", seed=row.id, timeout=timeout)
    prompt = None if kind is None else Prompt(renderer=kind.renderer, system=kind.system, user=kind.prompt)
    schema = dict(kind.result_schema) or None if kind else None
    until = datetime.fromtimestamp(row.lease_until, UTC).isoformat()
    claimed = Claimed(
        id=row.id, event_type=row.event_type, priority=row.priority, data=json.loads(row.payload),
        lease_no=row.lease_no, lease_until=until, lease_for=lease_for, attempt=row.attempt,
        try_no=row.failures + 1, prompt=prompt, result_schema=schema, model=model, key=key,
    )  # fmt: skip
    return json.loads(claimed.model_dump_json(by_alias=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [None, "openai:gpt-4o-mini", 'odd"model\\é'])
@pytest.mark.parametrize("key", [None, 'sk-"quoted"'])
def test_the_text_is_what_the_model_would_write(kind: str, model: str | None, key: str | None) -> None:
    plain = Plain(NO_POOL, "rehearsal", Declared({"openai": ProviderLimits(timeout=12.5)}))
    event_type = KINDS[kind]
    shown = NO_TYPE if event_type is None else Shown("", _members(event_type.model_dump_json()))
    one = row(model=model, event_type='x "é\u2028')
    text = plain.text(one, shown, 19.875, key)
    timeout = 12.5 if model == "openai:gpt-4o-mini" else None
    assert list(json.loads(text).items()) == list(expected(one, event_type, 19.875, key, timeout).items())


DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["prompt", "a", '"', "é"]), inner),
    max_leaves=6,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["prompt", "data_to_analyze", "a", '"prompt"', "z"]), DATA))
def test_any_payload_is_spliced_in_as_it_is(data: dict[str, Any]) -> None:
    payload = canonical(normalise(data))
    one = row(payload=payload)
    text = Plain(NO_POOL, "rehearsal", Declared()).text(one, NO_TYPE, 20.0)
    assert json.loads(text)["data"] == json.loads(payload)
    assert stands_alone(payload) == ("prompt" in data or "data_to_analyze" in data)


def test_the_end_of_a_lease_is_its_own() -> None:
    plain = Plain(NO_POOL, "rehearsal", Declared())
    for when, seconds in ((WHEN, 20.0), (WHEN + 60, 20.0), (WHEN + 60, 20.0), (WHEN + 60, 5.0), (WHEN, 5.0)):
        found = json.loads(plain.text(row(lease_until=when), NO_TYPE, seconds))
        assert datetime.fromisoformat(found["lease_until"]).timestamp() == when
        assert found["lease_for"] == seconds
    assert json.loads(plain.text(row(), NO_TYPE, 5.0))["lease_until"] == "2026-11-20T12:30:01.250123+00:00"

"""Names and numbers of the queue."""

from __future__ import annotations

from typing import get_args

import pytest

from pyscrai.contract.runs import RunStatus
from pyscrai_api.queue.cleaning import clean
from pyscrai_api.queue.lanes import is_lane, lane_of
from pyscrai_api.queue.states import Final, Live
from pyscrai_api.vocabulary import STATUS_OF_FINAL, STATUS_OF_LIVE, conversation_status, event_status, record_status


def test_every_state_has_a_word_of_the_seeds() -> None:
    assert set(STATUS_OF_LIVE) == set(Live)
    assert set(STATUS_OF_FINAL) == set(Final)
    assert event_status(Live.LEASED, None, 2) == ("processing", "leased")
    assert event_status(Live.SCHEDULED, None, 0) == ("queued", "scheduled")
    assert event_status(Live.SCHEDULED, None, 1) == ("retry", "scheduled")
    assert event_status(None, Final.DISCARDED, 3) == ("cancelled", "discarded")
    with pytest.raises(ValueError, match="live or"):
        event_status(None, None, 0)


def test_every_status_of_a_run_has_the_seeds_words() -> None:
    words = {status: (conversation_status(status), record_status(status)) for status in get_args(RunStatus)}
    assert words["completed"] == ("completed", "completed")
    assert words["failed"] == words["cancelled"] == ("completed", "failed")
    assert {words.pop(status)[0] for status in ("pending", "running", "waiting", "paused", "blocked")} == {"active"}


@pytest.mark.parametrize("lane", ["actor", "my-lane", "a_b.c9", "actor:p", lane_of("narrator", "run-7")])
def test_lanes(lane: str) -> None:
    assert is_lane(lane)


@pytest.mark.parametrize("lane", ["", "Actor", "9a", "a b", ":p", "actor:", "actor:P", "actor:p:q", "a" * 64])
def test_what_is_no_lane(lane: str) -> None:
    assert not is_lane(lane)


def test_cleaning_reaches_every_text_and_key() -> None:
    dirty = {"a\x00": ["\ud800x", {"k": "fine", "n": 1.5}], "b": None}
    assert clean(dirty) == {"a\ufffd": ["\ufffdx", {"k": "fine", "n": 1.5}], "b": None}

"""Who gets which row of a claim."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from pyscrai_api.queue.claimer import SIZES, Poll, claim_text, slots_for


def poll(most: int, *ids: int) -> Poll:
    answer: asyncio.Future[list[int]] = asyncio.Future(loop=asyncio.new_event_loop())
    answer.get_loop().close()
    return Poll(uuid4(), uuid4(), most, 20, 0, answer, ids=list(ids))


def test_polls_take_turns_oldest_first() -> None:
    one, two, three = poll(3), poll(1), poll(2)
    assert slots_for([one, two, three]) == [one, two, three, one, three, one]


def test_what_a_poll_has_already_is_not_asked_again() -> None:
    one, two = poll(3, 7, 8), poll(2)
    assert slots_for([one, two]) == [one, two, two]


@pytest.mark.parametrize("wanted", [1, 16, 17, 19, 47, 100, 499, 500, 10_000])
def test_slots_are_cut_to_a_size_that_is_prepared(wanted: int) -> None:
    size = len(slots_for([poll(wanted)]))
    assert size in SIZES
    assert size == max(size for size in SIZES if size <= wanted)


def test_nobody_waits() -> None:
    assert slots_for([]) == []


def test_the_limit_is_a_literal_number() -> None:
    text = claim_text("claim", 20)
    assert "LIMIT 20 FOR UPDATE" in text
    assert ":size" not in text

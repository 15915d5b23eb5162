"""Who gets which row of a claim."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from pyscrai_api.queue.claimer import SIZES, Poll, claim_text, seating
from pyscrai_api.queue.ports import ClaimedRow

NOW = 1_795_000_000.0


def poll(most: int, *ids: int) -> Poll:
    answer: asyncio.Future[list[ClaimedRow]] = asyncio.Future(loop=asyncio.new_event_loop())
    answer.get_loop().close()
    rows = [ClaimedRow(i, None, "x", "local", None, None, "{}", 5, 1, NOW, 20.0, 1, 0) for i in ids]
    return Poll(uuid4(), uuid4(), most, 20, 0, answer, rows=rows)


def test_polls_take_turns_oldest_first() -> None:
    one, two, three = poll(3), poll(1), poll(2)
    assert seating([one, two, three], 500) == ([one, two, three], bytes([0, 1, 2, 0, 2, 0]))


def test_what_a_poll_has_already_is_not_asked_again() -> None:
    one, two = poll(3, 7, 8), poll(2)
    assert seating([one, two], 500) == ([one, two], bytes([0, 1, 1]))


@pytest.mark.parametrize("wanted", [1, 16, 17, 19, 47, 100, 499, 500, 10_000])
def test_slots_are_cut_to_a_size_that_is_prepared(wanted: int) -> None:
    size = len(seating([poll(wanted)], 500)[1])
    assert size in SIZES
    assert size == max(size for size in SIZES if size <= wanted)


def test_no_more_is_asked_for_than_may_be_there() -> None:
    crowd = [poll(5) for _ in range(1000)]
    assert seating(crowd, 16) == (crowd[:16], bytes(range(16)))
    assert seating(crowd[:4], 16) == (crowd[:4], bytes(range(4)) * 4)
    polls, seats = seating(crowd, 500)
    assert (polls, len(seats)) == (crowd[:256], 500)


def test_whom_everybody_has_left_gets_nothing() -> None:
    one, two = poll(2), poll(2)
    one.waiters = 0
    assert seating([one, two], 16) == ([two], bytes(2))


def test_nobody_waits() -> None:
    assert seating([], 500) == ([], b"")
    assert seating([poll(1, 7)], 500) == ([], b"")


def test_the_limit_is_a_literal_number() -> None:
    text = claim_text(20)
    assert "LIMIT 20 FOR UPDATE" in text
    assert ":size" not in text

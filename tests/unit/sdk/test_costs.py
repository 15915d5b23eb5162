"""What a run costs, as programs hear of it."""

from __future__ import annotations

from contextlib import aclosing
from decimal import Decimal

import pytest
from tests.unit.cli.recorded import NEGOTIATION, negotiation, run
from tests.unit.sdk.fake_api import FakeApi

from pyscrai import Runner, Scenario
from pyscrai.client.api import Api
from pyscrai.client.http import Http
from pyscrai.contract.costs import CostNow
from pyscrai.domain.choices import Price
from pyscrai.sdk.follow import follow
from pyscrai.sdk.prices import price_from, price_of, text_of


def costly() -> FakeApi:
    fake = FakeApi(run(), negotiation(), NEGOTIATION)
    for seq in (2, 5):
        spent = Decimal(seq) / 100
        fake.costs_after[seq] = CostNow(
            spent=spent, reserved=Decimal("0.5"), limit=Decimal(1), remaining=1 - spent, model_calls=seq
        )
    return fake


async def test_costs_come_beside_the_entries_and_a_break_of_the_stream_loses_none() -> None:
    fake, told = costly(), list[CostNow]()
    fake.cut_after = [3]
    async with (
        Api(Http("http://api.test", transport=fake.transport)) as api,
        aclosing(follow(api, fake.final.id, costs=told.append)) as entries,
    ):
        numbers = [entry.seq async for entry in entries]
    assert numbers == [entry.seq for entry in fake.log]
    assert [now.spent for now in told] == [Decimal("0.02"), Decimal("0.05")]
    assert told[0].remaining == Decimal("0.98")


def test_who_does_not_ask_for_costs_gets_entries_only() -> None:
    fake = costly()
    result = Runner("http://api.test", transport=fake.transport).run(Scenario.from_dict(NEGOTIATION))
    assert len(result.log) == len(fake.log)


def test_a_program_asks_what_a_run_has_cost() -> None:
    from tests.unit.cli.test_costs import COSTS, MoneyApi

    fake = MoneyApi(run(), negotiation(), NEGOTIATION)
    assert Runner("http://api.test", transport=fake.transport).costs("last") == COSTS


def test_a_price_on_the_command_line() -> None:
    assert price_of("0.15,0.60") == Price(input=Decimal("0.15"), output=Decimal("0.60"))
    assert price_of("$1, 2 ,cached_input=0.1,cache_write=1.25,reasoning=3,request=0.005") == Price(
        input=Decimal(1),
        output=Decimal(2),
        cached_input=Decimal("0.1"),
        cache_write=Decimal("1.25"),
        reasoning=Decimal(3),
        request=Decimal("0.005"),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1", "output: "),
        ("x,2", "input: 'x' is not an amount"),
        ("1,-2", "output: '-2' is not an amount of US dollars, 0 or more"),
        ("1,2,3", "'3': after IN,OUT write NAME=USD"),
        ("1,2,cached=1", "cached_input, cache_write, reasoning, request"),
        ("1,2,request=1,request=2", "request is given twice"),
        ("1,2,request=", "request: '' is not an amount"),
    ],
)
def test_a_price_that_cannot_be_read_says_which_part(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        price_of(text)


def test_a_price_in_a_program_may_be_a_mapping_with_floats() -> None:
    given = {"input": 0.1, "output": "2", "request": 0.005, "tiers": [{"above": 1000, "input": 0.2, "output": 4}]}
    assert price_from(given) == Price.model_validate(
        {"input": "0.1", "output": "2", "request": "0.005", "tiers": [{"above": 1000, "input": "0.2", "output": "4"}]}
    )
    with pytest.raises(ValueError, match="cached"):
        price_from({"input": 1, "output": 2, "cached": 1})


@pytest.mark.parametrize(
    "text", ["0.15,0.6", "1000,0", "1,2,cached_input=0,cache_write=1.25,reasoning=3,request=0.005"]
)
def test_a_price_is_written_as_it_is_read(text: str) -> None:
    assert text_of(price_of(text)) == text


def test_a_price_with_tiers_cannot_be_written_so() -> None:
    assert text_of(price_from({"input": 1, "output": 2, "tiers": [{"above": 5, "input": 2, "output": 3}]})) is None

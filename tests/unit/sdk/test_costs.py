"""What a run costs, as programs hear of it."""

from __future__ import annotations

from contextlib import aclosing
from decimal import Decimal

from tests.unit.cli.recorded import NEGOTIATION, negotiation, run
from tests.unit.sdk.fake_api import FakeApi

from pyscrai import Runner, Scenario
from pyscrai.client.api import Api
from pyscrai.client.http import Http
from pyscrai.contract.costs import CostNow
from pyscrai.sdk.follow import follow


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

"""A test suite is worth what it finds: each broken variant of the queue's SQL must fail it (`make mutants`: all)."""

from __future__ import annotations

import asyncio
import os
from collections import Counter

import asyncpg
import pytest
from hypothesis.stateful import run_state_machine_as_test
from tests.integration.queue.model.finishes import finishes_stand
from tests.integration.queue.model.machine import QueueMachine
from tests.integration.queue.model.mutants import FEW, MUTANTS, Mutant, broken
from tests.integration.queue.model.races import claims_never_meet, rows_go_to_their_polls
from tests.integration.queue.model.service import Service
from tests.integration.queue.model.test_model import QUICK
from tests.integration.queue.model.tour import walk_all

CHOSEN = [m for m in MUTANTS if m.name in FEW or os.environ.get("PYSCRAI_TEST_MUTANTS")]

FINDINGS = (AssertionError, asyncpg.IntegrityConstraintViolationError)
"""Found by a comparison, or by a constraint of the tables; not because the test itself cannot go on."""


def suite(service: Service, dsn: str) -> None:
    """All that looks at the queue's SQL here."""
    asyncio.run(claims_never_meet(dsn))
    service.empty()
    asyncio.run(rows_go_to_their_polls(dsn))
    service.empty()
    asyncio.run(finishes_stand(dsn))
    service.empty()
    walk_all(service)
    run_state_machine_as_test(QueueMachine.of(service), settings=QUICK)


def test_two_claims_never_meet(service: Service, dsn: str) -> None:
    asyncio.run(claims_never_meet(dsn))
    service.empty()


def test_quick_finishes_do_what_is_theirs(service: Service, dsn: str) -> None:
    asyncio.run(finishes_stand(dsn))
    service.empty()


def test_rows_of_a_claim_go_to_their_polls(service: Service, dsn: str) -> None:
    asyncio.run(rows_go_to_their_polls(dsn))
    service.empty()


def test_every_mutant_is_another_statement_that_postgresql_understands(dsn: str) -> None:
    """Else it would fail for the wrong reason."""

    async def prepare() -> None:
        conn = await asyncpg.connect(dsn)
        try:
            for mutant in MUTANTS:
                for text in mutant.texts():
                    await conn.prepare(text.replace(":size", "1"))
        finally:
            await conn.close()

    asyncio.run(prepare())
    assert max(Counter(mutant.name for mutant in MUTANTS).values()) == 1
    assert len(MUTANTS) >= 10
    assert {mutant.name for mutant in MUTANTS} >= set(FEW)


@pytest.mark.parametrize("mutant", CHOSEN, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_broken_queue_is_found(service: Service, dsn: str, mutant: Mutant) -> None:
    with broken(mutant), pytest.raises(FINDINGS):
        suite(service, dsn)
    service.empty()

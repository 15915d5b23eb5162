"""The chaos suite for a minute: every kind of kill and fault, the whole verdict. `make chaos` is the long version."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from tests.chaos.ledger import KINDS
from tests.chaos.load import LoadPlan
from tests.chaos.plays import PlaysPlan
from tests.chaos.report import BEGIN, END, facts_of, generated, summary, write
from tests.chaos.schedule import SHORT, storm
from tests.chaos.suite import play
from tests.chaos.world import WorldConfig, world

SEED = int(os.environ.get("PYSCRAI_TEST_SEED", "1"), 16)
PIECES = ("first-read", "dialogue", "prior-authorization")


@pytest.mark.timeout(500)
def test_nothing_is_lost_under_fire(tmp_path: Path) -> None:
    config = WorldConfig(seed=SEED, replicas=2, light_engines=4, keep_logs=tmp_path)

    async def work() -> dict[str, object]:
        async with world(config) as made:
            judged = await play(
                made,
                lambda: storm(made, SHORT),
                light=LoadPlan(seed=SEED, lease_seconds=config.lease_seconds, rate=60),
                plays=PlaysPlan(seed=SEED, at_once=2, names=PIECES, seeds=1),
                say=print,
            )
            return facts_of(made, judged, SEED, SHORT.seconds / 60)

    facts = asyncio.run(work())
    print(summary(facts))
    assert facts["violations"] == 0, facts["violations_named"]
    kills, network, runs, light = facts["kills"], facts["network"], facts["runs"], facts["light"]
    assert all(kills[kind] for kind in ("engine", "api", "postgres"))  # type: ignore[index]
    assert set(kills) == {"all", *KINDS}  # type: ignore[call-overload]
    assert network["cut before its answer"]  # type: ignore[index]
    assert light["acknowledged"] == light["sent"] > 500  # type: ignore[index]
    assert runs["digests_compared"] > 0  # type: ignore[index]
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write(page, facts)
    assert page.read_text() == f"before\n{BEGIN}\n{generated(facts)}{END}\nafter\n"
    assert "**0 violations.**" in page.read_text()

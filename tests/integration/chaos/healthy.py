"""A small database in which everything is as it should be, and what a harness would remember of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import structlog
from tests.chaos.memory import Begun, Memory, Piece, Sent
from tests.chaos.orders import Order, body_of, order
from tests.chaos.words import Word
from tests.chaos.work import LANE, Work
from tests.integration.runs.desk import Desk, talks
from tests.integration.runs.test_replays import PRICE, play

from pyscrai.contract.events import Claimed, Finish
from pyscrai.engine.outcomes import finish_of
from pyscrai_api.app import create_app
from pyscrai_api.deps import open_deps
from pyscrai_api.loops.promote import Promote
from pyscrai_api.settings import Settings

SEED = 3
DEEDS: tuple[dict[str, Any], ...] = ({}, {"fails": 1}, {"hands_back": 1}, {}, {}, {"dies": True}, {}, {})
SCHEDULED, CANCELLED, LEFT, GIVEN_UP = 3, 4, 6, 5
"""Numbers of light events: one for later, one cancelled under a lease, one cancelled before, one discarded."""
PIECE = Piece(scenario="talks", seed=0)


@dataclass
class Healthy:
    """What is remembered, and what engines were told."""

    memory: Memory
    words: list[Word]


@asynccontextmanager
async def service(dsn: str) -> AsyncIterator[Desk]:
    settings = Settings(database_url=dsn, runs_at_once=None, retry_base=0.01)
    async with open_deps(settings) as deps:
        transport = httpx.ASGITransport(app=create_app(settings, deps), client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
            yield Desk(http=http, deps=deps)


async def build(dsn: str) -> Healthy:
    """Play everything through the service."""
    made = Healthy(Memory(), [])
    async with service(dsn) as desk:
        await _light(desk, made)
        await _runs(desk, made)
    return made


def orders() -> list[Order]:
    """Light events of every kind."""
    plain = (order(SEED, n, 1.0) for n in range(len(DEEDS)))
    return [
        replace(one, payload={**one.payload, "do": deed}, dedupe_key=f"key {one.n}" if one.n % 2 else None)
        for one, deed in zip(plain, DEEDS, strict=True)
    ]


async def _light(desk: Desk, made: Healthy) -> None:
    wanted, memory = orders(), made.memory
    due = await desk.deps.pool.fetchval("SELECT now() + interval '0.2 s'")
    for one in wanted:
        later = due if one.n == SCHEDULED else None
        memory.sent[one.n] = Sent(n=one.n, value=one.value, dedupe_key=one.dedupe_key, due=later)
        posted = await desk.ok("POST", "/events", body_of(one, None if later is None else _text(later)))
        memory.acknowledge(one.n, posted["id"])
    await _cancel(desk, memory.sent[LEFT])
    promote = Promote(pool=desk.deps.pool, bell=desk.deps.bell)
    while await desk.deps.pool.fetchval("SELECT count(*) FROM queue WHERE state < 6"):
        await promote.run_once()
        for event in await desk.claim(LANE):
            await _handle(desk, made, event)
    given_up = memory.sent[GIVEN_UP]
    given_up.discarding = True
    assert (await desk.ok("POST", f"/events/{given_up.event}/discard"))["state"] == "discarded"
    given_up.discard = "yes"


async def _handle(desk: Desk, made: Healthy, event: dict[str, Any]) -> None:
    sent = made.memory.sent[event["data"]["n"]]
    if sent.n == CANCELLED:
        await _cancel(desk, sent)
        return
    outcome = await Work().handle(Claimed.model_validate(event), None, structlog.get_logger())
    finish = finish_of(outcome, event["id"], event["lease_no"])
    assert isinstance(finish, Finish)
    assert await desk.finish(LANE, finish.model_dump(mode="json", exclude_none=True)) == ["done"]
    made.words.append(Word(event["id"], event["lease_no"], finish.status, "light-1"))


async def _cancel(desk: Desk, sent: Sent) -> None:
    sent.cancelling = True
    assert (await desk.ok("POST", f"/events/{sent.event}/cancel"))["state"] == "cancelled"
    sent.cancel = "yes"


async def _runs(desk: Desk, made: Healthy) -> None:
    """A reference, the same played twice, and once cancelled."""
    made.memory.references[PIECE] = (await _begin(desk, "reference"))["id"]
    for key in ("one", "two", "three"):
        begun = Begun(key=key, piece=PIECE, role="left alone")
        made.memory.begun[key] = begun
        made.memory.begin(begun, (await _begin(desk, key, cancel=key == "three"))["id"])
    begun.cancelling, begun.cancel = True, "yes"


async def _begin(desk: Desk, key: str, *, cancel: bool = False) -> dict[str, Any]:
    run = await desk.start(talks(), limit="5", labels={"chaos": key}, **PRICE)
    if cancel:
        while (await desk.run(run))["turn"] < 2:
            await desk.work()
        return dict(await desk.ok("POST", f"/runs/{run['id']}/cancel"))
    played, _ = await play(desk, run)
    assert played["status"] == "completed"
    return played


def _text(moment: Any) -> str:
    assert isinstance(moment, datetime)
    return moment.astimezone(UTC).isoformat()


def lines_of(words: list[Word], folder: Path) -> Path:
    """The words as an engine writes them down."""
    file = folder / "light-1.txt"
    file.write_text("".join(f"{w.event} {w.lease} {w.status} done\n" for w in words))
    return file

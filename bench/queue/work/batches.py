"""Ours, over HTTP, at a given batch: loops of claim and finish with the client that engines use."""

from __future__ import annotations

from itertools import count

from bench.queue.work.session import Session, work
from pyscrai.client.engine import EngineApi
from pyscrai.client.http import Http
from pyscrai.contract.engines import RegisterEngine
from pyscrai.contract.events import Finish

LANE = "bench"
RESULT = {"ok": True}


async def main(session: Session) -> None:
    """`url`, `batch`, and how many `loops` have a request in flight each."""
    async with Http(session.options["url"]) as http:
        api = EngineApi(http)
        await api.register(RegisterEngine(engine_type=LANE, lease_seconds=60, heartbeat_seconds=20))
        await session.go()
        await session.until_stopped(*(loop(session, api, number) for number in range(session.options["loops"])))


async def loop(session: Session, api: EngineApi, number: int) -> None:
    """Claim, look at each event, finish them all; for ever."""
    batch = session.options["batch"]
    for turn in count():
        events = await api.claim(LANE, max_events=batch, wait=20, claim_id=f"{number}-{turn}", repeat=0)
        for event in events:
            session.started(event.data)
        if events:
            ends = [Finish(event_id=e.id, lease_no=e.lease_no, status="completed", result=RESULT) for e in events]
            answers = await api.finish(ends, [])
            session.did(sum(answer.state == "done" for answer in answers))


if __name__ == "__main__":
    work(main)

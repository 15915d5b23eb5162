"""A command's connection to an API, started for it where there is none, with a word about what takes long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyscrai.cli.options import Where
from pyscrai.cli.talk import Talk

if TYPE_CHECKING:
    from pyscrai.client.api import Api
    from pyscrai.sdk.place import Place

PATIENCE_SECONDS = 2.0
NO_ENGINES: Mapping[str, int] = {}


@dataclass(frozen=True, kw_only=True)
class Session:
    """`start_up` is how many seconds it took until the API was ready."""

    api: Api
    place: Place
    start_up: float


@asynccontextmanager
async def session(
    where: Where, talk: Talk, *, engines: Mapping[str, int] = NO_ENGINES, alone: bool = False
) -> AsyncIterator[Session]:
    """The API that `where` leads to; the engines are for the case that one has to be started. Raises as find_place.

    `alone`: one is started also where `pyscrai up` runs."""
    from pyscrai.sdk.place import find_place

    began = time.monotonic()
    with_notes = _Notes(talk)
    found = find_place(
        api_url=where.api_url,
        token=where.token,
        database_url=where.database_url,
        data=where.data,
        engines=engines,
        on_progress=with_notes.add,
        alone=alone,
    )
    try:
        async with found as place, place.api() as api:
            with_notes.ready()
            yield Session(api=api, place=place, start_up=time.monotonic() - began)
    finally:
        with_notes.ready()


class _Notes:
    """What is being started: said only once it has taken long enough to make somebody wonder."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._latest = "Starting the database and the API"
        self._said = False
        self._starting = True
        self._timer = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._say)

    def add(self, text: str) -> None:
        self._latest = text
        if self._said or not self._starting:
            self._say()

    def ready(self) -> None:
        self._timer.cancel()
        self._starting = False

    def _say(self) -> None:
        self._said = True
        self._talk.say(f"{self._latest} …")


def run_async(function: Callable[[], Awaitable[int | None]]) -> int:
    """Carry out the async part of a command; None counts as success.

    The first Ctrl-C cancels it, so that it can put things in order; the second one ends the program at once.
    """

    async def main() -> int:
        return await function() or 0

    return asyncio.run(main())


async def warn_without_engines(at: Session, talk: Talk) -> None:
    """On somebody else's API a run waits for ever where nobody serves its lanes; our own engines are on their way."""
    if at.place.own:
        return
    serving = {engine.engine_type for engine in await at.api.engines(status="active") if engine.pool is None}
    missing = [kind for kind in ("actor", "narrator", "analyst") if kind not in serving]
    if missing:
        talk.say(
            f"No {' and no '.join(missing)} engine is registered at {at.place.api_url}, so the run will wait. "
            f"Start one: pyscrai engine {missing[0]} --api-url {at.place.api_url}",
            "yellow",
        )

"""Where runs are played: an API that is named, one that `pyscrai up` serves here, or a stack of our own."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from anyio import to_thread

from pyscrai.client.api import Api
from pyscrai.client.http import Http

if TYPE_CHECKING:
    import httpx

ONE_OF_EACH: Mapping[str, int] = {"actor": 1, "narrator": 1, "analyst": 1}
NO_ENGINES: Mapping[str, int] = {}


@dataclass(frozen=True, kw_only=True)
class Place:
    """An API to talk to. `own`: it and its engines were started for us; `pool` is the private pool they serve."""

    api_url: str
    token: str | None = field(default=None, repr=False)
    pool: str | None = None
    own: bool = False
    engines: Mapping[str, int] = field(default_factory=dict)
    transport: httpx.AsyncBaseTransport | None = None

    def api(self) -> Api:
        """A client of it, to be closed by who asked for it."""
        return Api(Http(self.api_url, token=self.token, transport=self.transport))


@asynccontextmanager
async def find_place(
    *,
    api_url: str | None = None,
    token: str | None = None,
    database_url: str | None = None,
    data: Path | None = None,
    engines: Mapping[str, int] = ONE_OF_EACH,
    on_progress: Callable[[str], None] | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
    alone: bool = False,
) -> AsyncIterator[Place]:
    """`api_url`, else PYSCRAI_API_URL, else the `pyscrai up` of this data folder, else a stack of our own, which
    ends with the context; without `engines` that is an API alone. `on_progress` is told what is being started;
    `transport` replaces the network to an API that is named.

    A `database_url` given here (not the variable) always means a stack of our own on that database.
    `alone` leaves a running `pyscrai up` aside.
    Raises EmbeddedError, and Interrupted where a signal ends our stack (in the main thread).
    """
    token = token or os.environ.get("PYSCRAI_TOKEN") or None
    named = api_url or (None if database_url else os.environ.get("PYSCRAI_API_URL"))
    if named:
        yield Place(api_url=named, token=token, transport=transport)
        return
    from pyscrai.embedded.stack import running_api, stack
    from pyscrai.machine.files import data_home, private_folder

    folder = private_folder(data) if data else data_home()
    running = None if database_url or alone else await to_thread.run_sync(running_api, folder)
    if running is not None:
        url, its_token = running
        yield Place(api_url=url, token=its_token or token)
        return
    pool = f"own-{secrets.token_hex(6)}" if engines else None
    database = database_url or os.environ.get("PYSCRAI_DATABASE_URL") or None
    async with stack(database_url=database, data=folder, engines=engines, pool=pool, on_progress=on_progress) as own:
        yield Place(api_url=own.api_url, token=own.token, pool=pool, own=True, engines=own.engines)

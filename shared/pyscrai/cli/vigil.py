"""Whether the installation can still do its work: a run that cannot go on must not be waited for in silence."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio

from pyscrai.client.api import Api
from pyscrai.client.errors import ApiUnreachable, ClientError, Unavailable
from pyscrai.domain.errors import PyScrAIError

LOOK_SECONDS = 1.0
ANSWER_SECONDS = 10.0


class Stalled(PyScrAIError):
    """The API or its database has been in trouble for longer than one was willing to wait."""


@asynccontextmanager
async def vigil(api: Api, patience: float, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Look after the API while the body waits for a run; raises Stalled after `patience` seconds of trouble.

    `say` hears of the trouble at once. What the body raises comes out as it is.
    """
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_look, api, patience, say)
            yield
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        only: BaseException = group
        while isinstance(only, BaseExceptionGroup) and len(only.exceptions) == 1:
            only = only.exceptions[0]
        raise only from None


async def _look(api: Api, patience: float, say: Callable[[str], None]) -> None:
    since: float | None = None
    while True:
        await anyio.sleep(LOOK_SECONDS)
        trouble = await _trouble(api)
        now = time.monotonic()
        if trouble is None:
            since = None
        elif since is None:
            since = now
            say(f"{trouble[:1].upper()}{trouble[1:]}. Waiting up to {patience:.0f} s …")
        elif now - since > patience:
            raise Stalled(trouble)


async def _trouble(api: Api) -> str | None:
    try:
        said = (await api.ready(timeout=ANSWER_SECONDS)).get("trouble")
    except (ApiUnreachable, Unavailable) as error:
        return str(error)
    except ClientError:
        return None  # it answers; what it has against us, the next request will say
    return None if said is None else str(said)

"""The model `local`: a small open-weights model in a server of its own on this machine, reached by its own key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from agno.models.response import ModelResponse

from pyscrai.contract.events import ModelChoice
from pyscrai.llm.classify import classify
from pyscrai.llm.clients import openai_client
from pyscrai.llm.constrained import constrained
from pyscrai.llm.errors import NotInstalled, TooLong, Unreachable
from pyscrai.llm.servers import Server
from pyscrai.local.connection import Connection
from pyscrai.local.errors import NotInstalled as Missing
from pyscrai.local.plan import CONTEXT, Plan, plan_from
from pyscrai.machine.errors import MachineError

_connections: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Plan, Connection]] = WeakKeyDictionary()


@dataclass
class Local(Server):
    """One question's model. It is asked inside its `turn` only."""

    connection: Connection | None = None
    context: int = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait in line for the server, which is started if need be. Waiting is no part of a call's time."""
        assert self.connection is not None
        async with AsyncExitStack() as stack:
            try:
                endpoint = await stack.enter_async_context(self.connection.turn())
            except MachineError as error:
                raise _ours(error) from error
            self.async_client = openai_client(endpoint.url, endpoint.key, own=False)
            yield

    def get_request_params(
        self, response_format: Any = None, tools: Any = None, tool_choice: Any = None, run_response: Any = None
    ) -> dict[str, Any]:
        if response_format is not None:
            response_format = constrained(response_format, self.max_tokens or 1024)
        return super().get_request_params(response_format, tools, tool_choice, run_response)

    async def ainvoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        try:
            return await super().ainvoke(*args, **kwargs)
        except Exception as error:
            if not isinstance(classify(error, self.id).error, TooLong):
                raise
            raise TooLong(
                f"local: the request does not fit into {self.context:,} tokens. Play fewer turns or a shorter scenario,"
                f" or give weights that take more a larger {CONTEXT}.",
                unbilled=True,
            ) from None


def local(choice: ModelChoice, seed: int, environ: Mapping[str, str]) -> Local:
    """The agno model for `choice`. Raises NotInstalled where the extra or the weights are missing."""
    mine = _connections.setdefault(asyncio.get_running_loop(), {})
    try:
        plan = plan_from(environ)
        connection = mine.get(plan) or Connection(plan)
    except MachineError as error:
        raise _ours(error) from error
    mine[plan] = connection
    return Local(
        id="local",
        name="local",
        provider="local",
        temperature=choice.temperature,
        seed=seed % 2**31,
        max_tokens=choice.max_tokens,
        max_retries=0,
        retries=0,
        # Nothing of an earlier request is used again: it would change the text in its last digits.
        # Small models repeat themselves until something stops them: the longer a repetition, the less likely it gets.
        extra_body={"cache_prompt": False, "dry_multiplier": 0.8},
        connection=connection,
        context=plan.context,
    )


def close_connections() -> None:
    """Let go of the servers that this event loop used."""
    for each in _connections.pop(asyncio.get_running_loop(), {}).values():
        each.close()


def _ours(error: MachineError) -> NotInstalled | Unreachable:
    return NotInstalled(f"local: {error}") if isinstance(error, Missing) else Unreachable(f"local: {error}")

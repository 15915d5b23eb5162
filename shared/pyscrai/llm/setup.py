"""The first use of agno: imported off the event loop, its telemetry off, its logging away from the terminal."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import sys
import threading

from pyscrai.llm.errors import NotInstalled

_CLIENTS = {"local": "pyscrai.llm.local", "anthropic": "pyscrai.llm.claude"}
"""The module with the models of each provider; all others speak OpenAI's protocol."""
_OPENAI = "pyscrai.llm.servers"
_OURS = frozenset({"rehearsal", "scripted"})
"""They need no client, and are loaded with agno."""

_loaded = threading.Event()
_prepared: set[str] = set()


async def warm_up() -> None:
    """Import agno in a thread (a quarter of a second), so that heartbeats go on meanwhile."""
    if not _loaded.is_set():
        await asyncio.to_thread(load)


async def prepare(provider: str) -> None:
    """Import what this provider alone needs, in a thread: OpenAI's client takes half a second, Anthropic's a whole.

    Raises NotInstalled.
    """
    module = _CLIENTS.get(provider, _OPENAI)
    if provider in _OURS or module in _prepared:
        return
    try:
        await asyncio.to_thread(importlib.import_module, module)
    except ImportError as error:
        raise NotInstalled(
            f"{provider}: its client cannot be loaded: {error} (pip install 'pyscrai[engine]')"
        ) from error
    _prepared.add(module)


def load() -> None:
    """Import what every question needs. Safe to call often and from several threads."""
    os.environ["AGNO_TELEMETRY"] = "false"
    import agno.agent  # noqa: F401
    from agno.utils.log import configure_agno_logging

    # agno reports every failed call as an error of its own, with what the server said; we classify and report them.
    quiet = logging.getLogger("pyscrai.llm.agno")
    quiet.setLevel(logging.CRITICAL)
    configure_agno_logging(
        custom_default_logger=quiet,
        custom_agent_logger=quiet,
        custom_team_logger=quiet,
        custom_workflow_logger=quiet,
    )
    from pyscrai.llm import metered, providers, scripted  # noqa: F401
    from pyscrai.llm.rehearsal import model  # noqa: F401

    _loaded.set()


async def close() -> None:
    """Close the shared HTTP clients of the running event loop; the next question opens new ones."""
    if "pyscrai.llm.clients" in sys.modules:
        from pyscrai.llm.clients import close_clients

        await close_clients()
    if "pyscrai.llm.local" in sys.modules:
        from pyscrai.llm.local import close_connections

        close_connections()

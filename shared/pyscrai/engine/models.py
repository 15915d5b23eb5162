"""The door to `pyscrai.llm`, opened only when the engine is registered: behind it half a second of imports waits."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyscrai.llm import Meter, Question


async def warm_up() -> None:
    """Import what the first question needs, in threads, so that heartbeats go on meanwhile."""
    await asyncio.to_thread(_import)
    from pyscrai.llm import warm_up as load

    await load()


async def ask(question: Question, meter: Meter, *, timeout: float) -> dict[str, Any]:
    """`pyscrai.llm.ask`."""
    from pyscrai.llm import ask as put

    return await put(question, meter, timeout=timeout)


async def close() -> None:
    """Close the providers' connections, where any were opened."""
    if "pyscrai.llm" in sys.modules:
        from pyscrai.llm import close as shut

        await shut()


def _import() -> None:
    from importlib import import_module

    from pyscrai.prompting import render

    import_module("pyscrai.llm")

    render("", {})

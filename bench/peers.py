"""The same play by LangGraph with its PostgreSQL checkpointer, in one process: what others take for it, here and now.

Needs the extra `bench`; without it the row says so.
"""

from __future__ import annotations

import asyncio
import importlib.util
import operator
import statistics
import time
from typing import Annotated, Any, TypedDict

INSTALL = "not installed: pip install 'pyscrai[bench]'"


class State(TypedDict):
    """What the graph keeps: the turn, and every action taken."""

    turn: int
    seat: int
    actions: Annotated[list[str], operator.add]


def available() -> bool:
    return all(importlib.util.find_spec(name) for name in ("langgraph", "psycopg", "psycopg_pool"))


async def langgraph(dsn: str, *, actors: int, turns: int, latency: float, text: str, rounds: int) -> float:
    """The median makespan in seconds, every checkpoint durable before the next step."""
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from psycopg.rows import dict_row
    from psycopg_pool import AsyncConnectionPool

    settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(dsn, max_size=20, open=False, kwargs=settings) as pool:
        saver = AsyncPostgresSaver(pool)  # type: ignore[arg-type]
        await saver.setup()
        graph = _graph(saver, actors, turns, latency, text)
        spans = [await _play(graph, number) for number in range(rounds + 1)]
    return statistics.median(spans[1:])


def _graph(saver: Any, actors: int, turns: int, latency: float, text: str) -> Any:
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Send

    async def decide(_state: State) -> dict[str, Any]:
        await asyncio.sleep(latency)
        return {"actions": [text]}

    async def update(state: State) -> dict[str, Any]:
        await asyncio.sleep(latency)
        return {"turn": state["turn"] + 1}

    def everybody(state: State) -> Any:
        if state["turn"] >= turns:
            return END
        return [Send("decide", {"turn": state["turn"], "seat": seat, "actions": []}) for seat in range(actors)]

    builder = StateGraph(State)
    builder.add_node("decide", decide)
    builder.add_node("update", update)
    builder.add_conditional_edges(START, everybody, ["decide", END])
    builder.add_edge("decide", "update")
    builder.add_conditional_edges("update", everybody, ["decide", END])
    return builder.compile(checkpointer=saver)


async def _play(graph: Any, number: int) -> float:
    config = {"configurable": {"thread_id": f"bench-{number}"}, "recursion_limit": 1000}
    start = time.perf_counter()
    await graph.ainvoke({"turn": 0, "seat": 0, "actions": []}, config, durability="sync")
    return time.perf_counter() - start

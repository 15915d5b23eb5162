"""Plays whose seats sit at different providers: each in its own protocol, keys from a file, settled to the cent."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from tests.acceptance.provider import DECISION, WORLD
from tests.acceptance.terminal import SCENARIO, Cli
from tests.unit.llm.providers.protocols import (
    KEY,
    Anthropic,
    Gemini,
    Groq,
    Ollama,
    OpenAI,
    OpenRouter,
    Protocol,
    Reply,
    Request,
)

READ, WRITTEN = 1117, 46
"""Tokens that each server counts for each question."""


@contextmanager
def talking(kind: type[Protocol], loop: asyncio.AbstractEventLoop) -> Iterator[Protocol]:
    """A provider's server that answers whatever it is asked."""

    class Talking(kind):  # type: ignore[valid-type, misc]
        def respond(self, request: Request) -> Reply | None:
            self.requests.append(request)
            if refused := self.check(request):
                return refused
            decides = any('"action"' in text for _, text in self.texts(request.body))
            return self.answer(json.dumps(DECISION if decides else WORLD))

    made = Talking()
    start = asyncio.start_server(made.serve, "127.0.0.1", 0)
    listening = asyncio.run_coroutine_threadsafe(start, loop).result()
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}{made.base}"
    yield made
    loop.call_soon_threadsafe(listening.close)


@pytest.fixture
def servers() -> Iterator[dict[str, Protocol]]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    with ExitStack() as stack:
        kinds = (OpenAI, Anthropic, Gemini, Groq, OpenRouter, Ollama)
        yield {kind.name: stack.enter_context(talking(kind, loop)) for kind in kinds}

    async def end() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def settings(servers: dict[str, Protocol], tmp_path: Path) -> dict[str, str]:
    keys = tmp_path / "keys.env"
    keys.write_text("".join(f"{each.key_variable}={KEY}\n" for each in servers.values() if each.key_variable))
    keys.chmod(0o600)
    return {each.base_variable: each.url for each in servers.values()} | {"PYSCRAI_KEYS": str(keys)}


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "scenario.yaml"
    path.write_text(SCENARIO)
    return str(path)


def seats(**models: str) -> list[str]:
    return [word for seat, model in models.items() for word in ("--seat", f"{seat}.model={model}")]


def cost(read: str, written: str) -> Decimal:
    return (Decimal(read) * READ + Decimal(written) * WRITTEN) / 1_000_000


def test_three_providers_at_one_table(
    cli: Cli, servers: dict[str, Protocol], settings: dict[str, str], scenario: str
) -> None:
    chosen = seats(left="claude-3-haiku", right="gpt-4o-mini", narrator="groq:llama-3.1-8b-instant")
    done = cli("run", scenario, *chosen, "--limit", "0.25", "--json", **settings)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    turn = cost("0.25", "1.25") + cost("0.15", "0.6") + cost("0.05", "0.08")
    assert told["turns"] == 3
    assert Decimal(told["total_cost"]) == 3 * turn
    asked = {name: len(server.requests) for name, server in servers.items()}
    assert asked == {"openai": 3, "anthropic": 3, "groq": 3, "gemini": 0, "openrouter": 0, "ollama": 0}
    assert KEY not in done.stdout + done.stderr


def test_free_models_need_no_money(
    cli: Cli, servers: dict[str, Protocol], settings: dict[str, str], scenario: str
) -> None:
    chosen = seats(left="ollama/llama3.2", right="alibaba/tongyi-deepresearch-30b-a3b:free", narrator="ollama:qwen3:4b")
    done = cli("run", scenario, *chosen, "--price", "ollama:*=0,0", "--limit", "0", "--json", **settings)
    assert done.returncode == 0, done.stderr
    assert Decimal(json.loads(done.stdout)["total_cost"]) == 0
    assert len(servers["ollama"].requests) == 6
    assert len(servers["openrouter"].requests) == 3


def test_thoughts_of_gemini_are_paid_for(
    cli: Cli, servers: dict[str, Protocol], settings: dict[str, str], scenario: str
) -> None:
    done = cli("run", scenario, "--turns", "1", "--model", "gemini-2.5-flash", "--limit", "0.25", "--json", **settings)
    assert done.returncode == 0, done.stderr
    assert Decimal(json.loads(done.stdout)["total_cost"]) == 3 * cost("0.30", "2.5")
    assert len(servers["gemini"].requests) == 3

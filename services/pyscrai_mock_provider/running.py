"""For tests: a mock provider in a thread of this process, or as a process of its own."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from pyscrai_mock_provider.settings import Settings, read_settings

ANSWER_SECONDS = 30.0
STOP_SECONDS = 15.0


@dataclass(frozen=True)
class MockProvider:
    """A provider that runs. `url` is the server's address, without `/v1`."""

    url: str

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def model(self) -> str:
        """What PyScrAI calls its model."""
        return f"{self.base_url}#mock"

    def bill(self, after: int = 0) -> dict[str, Any]:
        """Totals, how requests ended, and the lines with numbers above `after`."""
        told: dict[str, Any] = json.loads(self._ask("GET", f"/bill?after={after}"))
        return told

    def requests(self, after: int = 0) -> list[dict[str, Any]]:
        """All requests with numbers above `after`: `at`, in seconds since the bill began, and how each ended."""
        told: dict[str, Any] = json.loads(self._ask("GET", f"/requests?after={after}"))
        return list(told["requests"])

    def reset(self) -> None:
        """A new bill; what is asked again is answered as it was the first time."""
        self._ask("DELETE", "/bill")

    def _ask(self, method: str, path: str) -> bytes:
        # The environment's proxies are not for services of this machine.
        opener = build_opener(ProxyHandler({}))
        with opener.open(Request(self.url + path, method=method), timeout=ANSWER_SECONDS) as answer:
            body: bytes = answer.read()
            return body


@contextmanager
def mock_provider(**options: Any) -> Iterator[MockProvider]:
    """A provider in a thread, until the context is left; `options` are those of the command line, with `_` for `-`.

    `mock_provider(latency="lognormal:0.1,0.5", fault=["rate_limit=0.1"], price="1,2")`. Takes a free port unless one
    is named. Raises BadSetting, and CannotListen for a port that is taken. What is held open ends with the context.
    """
    from pyscrai_mock_provider.serve import Server, listen

    settings: Settings = read_settings(**options)
    started = threading.Event()
    urls: list[str] = []
    servers: list[Server] = []

    def ready(url: str) -> None:
        urls.append(url)
        started.set()

    async def main() -> None:
        servers.append(Server(settings, alone=False, ready=ready))
        await servers[0].serve(sockets=[listener])

    def work() -> None:
        try:
            asyncio.run(main())
        finally:
            started.set()

    with listen(settings.host, settings.port) as listener:
        thread = threading.Thread(target=work, name="mock-provider", daemon=True)
        thread.start()
        started.wait()
        if not urls:
            raise RuntimeError("the mock provider did not start; its thread has said why")
        try:
            yield MockProvider(urls[0])
        finally:
            servers[0].should_exit = True
            thread.join(STOP_SECONDS)


@contextmanager
def mock_provider_process(*arguments: str, env: dict[str, str] | None = None) -> Iterator[MockProvider]:
    """A provider as a process of its own, with the command line's arguments, until the context is left.

    Takes a free port unless one is named. `env` is its whole environment. Raises RuntimeError if it does not start;
    its stderr says why.
    """
    command = [sys.executable, "-m", "pyscrai_mock_provider", "--port", "0", *arguments, "--json"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            if not first:
                raise RuntimeError(f"the mock provider did not start (exit code {process.wait()})")
            yield MockProvider(json.loads(first)["url"])
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()

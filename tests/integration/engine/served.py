"""The protocol on a real socket, and engines as real processes."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from tests.acceptance.provider import Handler, completion, provider
from tests.unit.engine.harness import TestApi


@asynccontextmanager
async def served(api: TestApi) -> AsyncIterator[str]:
    """The address of an API that answers as `api` does."""

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        request = httpx.Request(scope["method"], f"http://api.test{scope['path']}", content=body)
        answering, left = asyncio.ensure_future(api(request)), asyncio.ensure_future(receive())
        await asyncio.wait({answering, left}, return_when=asyncio.FIRST_COMPLETED)
        left.cancel()
        if not answering.done():
            answering.cancel()
            return
        answer = answering.result()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer.content)).encode())]
        await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": answer.content})

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, lifespan="off", log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


@dataclass
class Process:
    """An engine process; its log lines are read as they come."""

    process: asyncio.subprocess.Process
    log: list[str] = field(default_factory=list)

    async def line(self, *parts: str, seconds: float = 120) -> str:
        """The first line of its log, from here on, that has all of `parts`."""
        assert self.process.stderr is not None
        async with asyncio.timeout(seconds):
            while line := (await self.process.stderr.readline()).decode():
                self.log.append(line)
                if all(part in line for part in parts):
                    return line
        raise AssertionError(f"no line with {parts} in:\n{''.join(self.log)}")

    async def ended(self, seconds: float = 120) -> int:
        """Its exit code; the rest of its log is read."""
        assert self.process.stderr is not None
        async with asyncio.timeout(seconds):
            self.log += (await self.process.stderr.read()).decode().splitlines(keepends=True)
            return await self.process.wait()


@asynccontextmanager
async def engine(kind: str, api_url: str, *options: str) -> AsyncIterator[Process]:
    """`python -m pyscrai_<kind>` for the time of the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"pyscrai_{kind}",
        "--api-url",
        api_url,
        "--log-level",
        "debug",
        *options,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYSCRAI_NO_PAID_MODELS": "1"},
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        transport = getattr(process, "_transport", None)
        if transport is not None:
            transport.close()


@dataclass
class SlowModel:
    """A model that answers when it is told to: each call is under way until `answer` is set."""

    id: str
    answer: threading.Event


@contextmanager
def slow_model() -> Iterator[SlowModel]:
    """A provider on this machine for the time of the block."""
    answer = threading.Event()

    def hold(handler: Handler) -> None:
        answer.wait()
        handler.answer(200, completion(handler.asked))

    with provider() as server:
        server.always = hold
        try:
            yield SlowModel(f"{server.url}#slow", answer)
        finally:
            answer.set()

"""Questions, a meter that grants, and a server on this machine that speaks OpenAI's protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from pyscrai.contract.events import CallRecord, ModelChoice
from pyscrai.llm import Question, close

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"action": {"type": "string", "maxLength": 400}},
    "required": ["action"],
    "additionalProperties": False,
}


class Ledger:
    """A meter that grants everything and writes it down."""

    def __init__(self) -> None:
        self.reserved: list[dict[str, Any]] = []
        self.calls: list[CallRecord] = []

    async def reserve(self, **what: Any) -> None:
        self.reserved.append(what)

    def record(self, call: CallRecord) -> None:
        self.calls.append(call)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def ask_for() -> Callable[..., Question]:
    def make(model: str, schema: dict[str, Any] | None = SCHEMA, **told: Any) -> Question:
        place: dict[str, Any] = {"event_type": "decide", "seat": "mayor", "turn": 1, "phase": "decision", "try_no": 1}
        place |= {"event_id": 5, "lease_no": 2, "system": "You are the mayor.", "user": "# Town\n\nDecide."}
        return Question(model=ModelChoice(id=model, max_tokens=100), schema=schema, **(place | told))

    return make


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., str]:
    """Writes a script and gives the name of its model."""

    def write(**told: Any) -> str:
        path = tmp_path / "script.yaml"
        path.write_text(yaml.safe_dump(told), encoding="utf-8")
        return f"scripted:{path}"

    return write


@dataclass
class Server:
    """Answers chat completions with what `answers` holds, in turn; remembers what it was asked."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    hang: bool = False
    connections: int = 0
    busy: asyncio.Event = field(default_factory=asyncio.Event)

    def says(self, text: str | None, **told: Any) -> None:
        message = {"role": "assistant", "content": text, **told.pop("message", {})}
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        choice = {"index": 0, "finish_reason": told.pop("finish_reason", "stop"), "message": message}
        body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        self.answers.append((200, {}, body | told))

    def fails(self, status: int, message: str = "no", code: str | None = None, **headers: str) -> None:
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append((status, told, {"error": {"message": message, "code": code}}))

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                length = next(int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length"))
                self.headers.append(head.decode().lower())
                self.asked.append(json.loads(await reader.readexactly(length)))
                self.busy.set()
                if self.hang:
                    await reader.read()
                    return
                if not self.answers:
                    return
                status, headers, body = self.answers.pop(0)
                payload = json.dumps(body).encode()
                extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                start = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(payload)}\r\n"
                writer.write(f"{start}{extra}\r\n".encode() + payload)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.handle, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    yield made
    await close()
    listening.close()
    await listening.wait_closed()

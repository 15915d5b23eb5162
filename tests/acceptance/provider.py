"""A server on this machine that speaks OpenAI's protocol, and can be made to behave as badly as providers do."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "sk-test-the-right-one"
DECISION = {"reasoning": "It is my door.", "goals": [], "action": "I push."}
WORLD = {"narrative": "The doors creak.", "facts": {}, "changes": []}

Trick = Callable[["Handler"], None]
"""What happens instead of an answer to one request."""


class Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        self.asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        trick = self.server.next_trick()
        if trick is not None:
            trick(self)
        elif self.server.key and self.headers["authorization"] != f"Bearer {self.server.key}":
            self.answer(401, {"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}})
        else:
            self.answer(200, completion(self.asked))

    def answer(self, status: int, body: Any, **headers: str) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(text)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Requests are counted, not printed."""


class Provider(ThreadingHTTPServer):
    """Answers every question with the same words, so that a story is the same whenever it is told.

    `tricks` are played on the next requests, one each, then `always` on all that follow, if there is one. `key`: what
    callers have to show. `times`: when each request came, by this process's monotonic clock, in seconds.
    """

    daemon_threads = True
    # Requests that are held for ever must not keep the server from closing.
    block_on_close = False

    def __init__(self, port: int = 0, *, key: str = "") -> None:
        self.key = key
        self.tricks: list[Trick] = []
        self.always: Trick | None = None
        self.times: list[float] = []
        self.gone = threading.Event()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def next_trick(self) -> Trick | None:
        with self._lock:
            self.times.append(time.monotonic())
            return self.tricks.pop(0) if self.tricks else self.always


@contextmanager
def provider(port: int = 0, *, key: str = "") -> Iterator[Provider]:
    """A server that runs until the context is left."""
    with Provider(port, key=key) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.gone.set()
            server.shutdown()
            thread.join()


def completion(asked: dict[str, Any]) -> dict[str, Any]:
    """A chat completion with a fitting answer: whose it is shows in the form that is asked for."""
    wanted = json.dumps(asked.get("response_format", asked["messages"]))
    text = json.dumps(WORLD if "narrative" in wanted else DECISION)
    message = {"role": "assistant", "content": text}
    return {
        "id": "one",
        "object": "chat.completion",
        "created": 0,
        "model": asked["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }


def too_many(seconds: int) -> Trick:
    """429, with a word about when to come back."""
    error = {"error": {"message": "Rate limit reached.", "code": "rate_limit_exceeded"}}
    return lambda handler: handler.answer(429, error, retry_after=str(seconds))


def drop(handler: Handler) -> None:
    """Hang up in the middle of the answer."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{")
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


def silence(handler: Handler) -> None:
    """Take the question and never answer."""
    handler.server.gone.wait()
    handler.close_connection = True

"""One connection that speaks HTTP/1.1, one request at a time. The answers are read by httptools (llhttp)."""

from __future__ import annotations

import asyncio
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from pyscrai.client.route import Answer, NoAnswer

_WITHOUT_BODY = frozenset({204, 304})


class ClosedUnanswered(NoAnswer):
    """The server closed a connection that had been kept, and said nothing: it has most likely not read the request."""


class Connection(asyncio.Protocol):
    """`free`: it can carry a request now. `lost` is done when the socket is closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._parser = HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._begun = False
        self._headed = False
        self._used = False
        self._silence = 0.0
        self._until = 0.0
        self._patient = False
        self.idle_since = 0.0
        self.lost: asyncio.Future[None] = loop.create_future()

    @property
    def free(self) -> bool:
        return self._answer is None and self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes, seconds: float, *, patient: bool) -> Answer:
        """The answer to one request, after `seconds` at most; `patient`: they begin anew with each part that comes.

        Raises NoAnswer. A connection whose request was given up is closed: the answer may come yet.
        """
        if self._transport is None or not self.free:
            raise NoAnswer("the connection was closed before the request was sent")
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        self._silence, self._patient = seconds, patient
        self._until = self._loop.time() + seconds
        self._timer = self._loop.call_at(self._until, self._late)
        self._transport.write(request)
        try:
            return await answer
        except BaseException:
            self._answer = None
            self.abort()
            raise
        finally:
            self._timer.cancel()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()

    # What the socket says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.abort()  # nothing was asked: what follows could pass for the next answer
            return
        self._begun = True
        if self._patient:
            self._until = self._loop.time() + self._silence
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(NoAnswer(f"what came back is not HTTP: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)
        if self._answer is None:
            return
        if error is None and self._headed and self._ends_with_the_connection():
            self._complete()
            return
        where = "in mid-answer" if self._begun else "before an answer came"
        what = f"the connection was closed {where}" + (f": {error}" if error else "")
        self._fail(ClosedUnanswered(what) if self._used and not self._begun else NoAnswer(what))

    # What the parser finds.

    def on_message_begin(self) -> None:
        if self._answer is None:
            self.abort()  # a second answer to one request

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._headed = True

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._forget()  # 100 Continue, 103 Early Hints: the answer is still to come
            return
        keep = self._parser.should_keep_alive()
        self._complete()
        if not keep:
            self.abort()

    def _complete(self) -> None:
        answer, self._answer = self._answer, None
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        if answer is not None and not answer.done():
            answer.set_result(Answer(self._parser.get_status_code(), self._header(b"retry-after"), body))
        self._used, self._begun = True, False
        self._forget()

    def _forget(self) -> None:
        self._headers, self._body, self._headed = [], [], False

    def _header(self, wanted: bytes) -> str | None:
        for name, value in self._headers:
            if len(name) == len(wanted) and name.lower() == wanted:
                return value.decode("latin-1")
        return None

    def _ends_with_the_connection(self) -> bool:
        """Whether the answer says nothing about its length: then it is whole when the server closes."""
        if self._header(b"content-length") is not None or self._header(b"transfer-encoding") is not None:
            return False
        return self._parser.get_status_code() not in _WITHOUT_BODY

    def _late(self) -> None:
        if self._answer is None:
            return
        if self._until > self._loop.time():
            self._timer = self._loop.call_at(self._until, self._late)
            return
        self._fail(NoAnswer(f"no answer within {self._silence:g} s"))

    def _fail(self, error: NoAnswer) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)
        self.abort()

"""HTTP/1.1 as far as a proxy needs it: where a message begins and ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

LONGEST_HEAD = 65_536
LONGEST_PIECE = 65_536
_IDS = re.compile(r"/(?:[0-9a-f]{8}-[0-9a-f-]{27}|\d+)(?=/|$)")
_UNREPEATABLE = (b"\r\nupgrade:", b"text/event-stream")


class Broken(Exception):
    """The message ended before its end, or is none."""


@dataclass(frozen=True)
class Request:
    """A whole request as it came."""

    method: str
    target: str
    head: bytes
    body: bytes

    @property
    def whole(self) -> bytes:
        return self.head + self.body

    @property
    def route(self) -> str:
        """The method and path without ids: what requests of one kind have in common."""
        return f"{self.method} {_IDS.sub('/*', self.target.partition('?')[0])}"

    @property
    def endless(self) -> bool:
        """Whether its answer may never end: a stream, or another protocol."""
        lowered = self.head.lower()
        return any(sign in lowered for sign in _UNREPEATABLE)

    @property
    def calm(self) -> bool:
        """Whether it asks to be left alone."""
        return b"\r\nx-chaos: calm" in self.head.lower()


@dataclass(frozen=True)
class Head:
    """The beginning of an answer. `length` None: chunked or until the connection ends."""

    status: int
    raw: bytes
    length: int | None
    chunked: bool
    closing: bool


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request on a connection; None where the client is done. Raises Broken."""
    head = await _head(reader)
    if head is None:
        return None
    method, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
    length, chunked = _framing(head)
    if chunked:
        body = b"".join([piece async for piece in _chunks(reader)])
    else:
        body = await _exactly(reader, length or 0)
    return Request(method, rest.rpartition(" ")[0], head, body)


async def read_head(reader: asyncio.StreamReader, method: str) -> Head:
    """The head of an answer, after whatever was only provisional. Raises Broken."""
    while True:
        raw = await _head(reader)
        if raw is None:
            raise Broken("no answer")
        status = int(raw.split(b" ", 2)[1])
        if status >= 200 or status == 101:
            break
    length, chunked = _framing(raw)
    if method == "HEAD" or status in (101, 204, 304):
        length, chunked = 0, False
    closing = b"\r\nconnection: close" in raw.lower() or (length is None and not chunked)
    return Head(status, raw, length, chunked, closing)


async def pieces(reader: asyncio.StreamReader, head: Head) -> AsyncIterator[bytes]:
    """The body as it comes, in its framing. Raises Broken."""
    if head.chunked:
        async for piece in _chunks(reader):
            yield piece
    elif head.length is not None:
        left = head.length
        while left:
            piece = await reader.read(min(left, LONGEST_PIECE))
            if not piece:
                raise Broken("cut in mid-body")
            left -= len(piece)
            yield piece
    else:
        while piece := await reader.read(LONGEST_PIECE):
            yield piece


async def _head(reader: asyncio.StreamReader) -> bytes | None:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise Broken("cut in mid-head") from None
        return None
    except asyncio.LimitOverrunError:
        raise Broken("no end of the head") from None


def _framing(head: bytes) -> tuple[int | None, bool]:
    length, chunked = None, False
    for line in head.lower().split(b"\r\n")[1:]:
        if line.startswith(b"content-length:"):
            length = int(line[15:])
        elif line.startswith(b"transfer-encoding:"):
            chunked = b"chunked" in line
    return length, chunked


async def _exactly(reader: asyncio.StreamReader, length: int) -> bytes:
    try:
        return await reader.readexactly(length) if length else b""
    except asyncio.IncompleteReadError:
        raise Broken("cut in mid-body") from None


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while True:
        try:
            size = await reader.readuntil(b"\r\n")
            chunk = await reader.readexactly(int(size.split(b";")[0], 16) + 2)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise Broken("cut in mid-chunk") from None
        yield size + chunk
        if chunk == b"\r\n":
            return

"""Server-sent events out of a stream of bytes, by the rules of the HTML standard."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field

_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, kw_only=True)
class Message:
    """One event; `id` is the last one that the stream named."""

    id: str
    event: str
    data: str


@dataclass
class _Parser:
    last_id: str = ""
    event: str = ""
    data: list[str] = field(default_factory=list)

    def line(self, line: str) -> Message | None:
        """Take one line; a blank one completes an event that has data."""
        if not line:
            return self._complete()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self.data.append(value)
        elif name == "event":
            self.event = value
        elif name == "id" and "\0" not in value:
            self.last_id = value
        return None

    def _complete(self) -> Message | None:
        data, event = self.data, self.event
        self.data, self.event = [], ""
        return Message(id=self.last_id, event=event or "message", data="\n".join(data)) if data else None


async def messages(chunks: AsyncIterable[bytes]) -> AsyncIterator[Message]:
    """Each event of the stream; an event that is cut off before its blank line is not given.

    Lines end at CR, LF or CRLF only: U+2028 and its like are text, which str.splitlines would break.
    """
    parser = _Parser()
    async for line in _lines(chunks):
        message = parser.line(line.decode("utf-8", "replace"))
        if message is not None:
            yield message


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        buffer = rest + chunk
        # A CR at the very end may be the first half of a CRLF: it waits for what follows.
        held = b"\r" if buffer.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(buffer.removesuffix(held) if held else buffer)
        rest += held
        for line in lines:
            yield line

"""How requests get to the API: what every way there takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol


class Answer(NamedTuple):
    """What came back. `retry_after` is the header, as it stands there."""

    status: int
    retry_after: str | None
    body: bytes


class NoAnswer(Exception):
    """The request brought no answer, or nothing that is one; the message says why and holds no secrets."""


class Route(Protocol):
    """A way to the API, which keeps its connections until it is closed."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None,
        seconds: float | None,
        repeatable: bool,
    ) -> Answer:
        """Send once and wait for the answer, `seconds` at most in all; where None, as long as it keeps coming.

        `repeatable`: doing it twice does no harm, so that it may go out again by itself where a connection that was
        kept turned out to be closed. Raises NoAnswer.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...

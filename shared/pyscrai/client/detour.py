"""The long way to the API, through httpx: proxies of the environment, streams, a transport that a test puts in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx

from pyscrai.client.route import Answer, NoAnswer


class Detour:
    """`trust_env`: proxies and certificates as the environment says; `silence` in seconds as for `Direct`."""

    def __init__(
        self, *, transport: httpx.AsyncBaseTransport | None, silence: float, trust_env: bool, verify: bool
    ) -> None:
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(silence, connect=min(silence, 5.0)),
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=60),
            trust_env=trust_env,
            verify=verify,
        )

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
        """`repeatable` is left aside: httpx looks whether a kept connection is closed, and that is all."""
        timeout = httpx.USE_CLIENT_DEFAULT if seconds is None else httpx.Timeout(seconds)
        try:
            response = await self._client.request(method, url, content=content, headers=headers, timeout=timeout)
        except httpx.RequestError as error:
            raise _no_answer(error) from error
        return Answer(response.status_code, response.headers.get("retry-after"), response.content)

    @asynccontextmanager
    async def stream(
        self, url: str, headers: Mapping[str, str], silence: float
    ) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """GET a body as it comes: the answer, whole where it says no, and the parts of it. Raises NoAnswer."""
        timeout = httpx.Timeout(silence, connect=5.0)
        try:
            async with self._client.stream("GET", url, headers=headers, timeout=timeout) as response:
                body = b"" if response.is_success else await response.aread()
                yield Answer(response.status_code, response.headers.get("retry-after"), body), response.aiter_bytes()
        except httpx.RequestError as error:
            raise _no_answer(error) from error

    async def close(self) -> None:
        await self._client.aclose()


def _no_answer(error: httpx.RequestError) -> NoAnswer:
    return NoAnswer(str(error) or type(error).__name__)

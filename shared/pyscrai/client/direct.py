"""The short way to the API: plain sockets, HTTP/1.1, kept connections. See docs/decisions/0013.

It does what our own API needs and nothing else; what lies beyond (proxies, streams) goes through httpx.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from functools import partial
from urllib.parse import SplitResult, quote

from pyscrai.client.connection import ClosedUnanswered, Connection
from pyscrai.client.route import Answer, NoAnswer

MOST = 100
"""Requests under way at once; further ones wait."""
KEPT = 20
KEPT_SECONDS = 60.0
CONNECT_SECONDS = 5.0
_AS_IT_STANDS = "!$%&'()*+,-./:;=?@_~[]|"
_WITH_LENGTH = frozenset({"POST", "PUT", "PATCH"})


class Direct:
    """Connections to the server of one address, `http` or `https`; `silence` in seconds is waited for each part of
    an answer where a request does not say how long it may take."""

    def __init__(self, address: SplitResult, *, silence: float) -> None:
        assert address.hostname is not None
        self._encrypted = address.scheme == "https"
        self._host = address.hostname
        self._port = address.port or (443 if self._encrypted else 80)
        self._named = f"host: {address.netloc}\r\naccept: */*\r\nuser-agent: pyscrai\r\n"
        self._silence = silence
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._places = asyncio.Semaphore(MOST)
        self._tls: ssl.SSLContext | None = None

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
        data = self._encoded(method, url, headers, content)
        async with self._places:
            kept = self._kept()
            if kept is not None:
                try:
                    return await self._exchange(kept, data, seconds)
                except ClosedUnanswered:
                    if not repeatable:
                        raise
            return await self._exchange(await self._connect(), data, seconds)

    async def close(self) -> None:
        for connection in list(self._open):
            connection.abort()
        if self._open:
            await asyncio.wait({connection.lost for connection in self._open})

    async def _exchange(self, connection: Connection, data: bytes, seconds: float | None) -> Answer:
        answer = await connection.exchange(data, seconds or self._silence, patient=seconds is None)
        if connection.free and len(self._idle) < KEPT:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.abort()
        return answer

    def _kept(self) -> Connection | None:
        """The connection that was used last, where it is still good."""
        while self._idle:
            connection = self._idle.pop()
            if connection.free and asyncio.get_running_loop().time() - connection.idle_since < KEPT_SECONDS:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        limit = min(self._silence, CONNECT_SECONDS)
        try:
            async with asyncio.timeout(limit):
                return await self._first_that_answers(loop, limit)
        except TimeoutError:
            raise NoAnswer(f"no connection within {limit:g} s") from None
        except OSError as error:
            raise NoAnswer(str(error) or type(error).__name__) from error

    async def _first_that_answers(self, loop: asyncio.AbstractEventLoop, limit: float) -> Connection:
        """Each address of the host in turn; none may use up the time of all, since one may be a hole."""
        if _is_address(self._host):
            return await self._open_to(loop, self._host)
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(address[4][0] for address in found))
        trouble: OSError = ConnectionError(f"{self._host} has no address")
        for address in addresses:
            try:
                async with asyncio.timeout(limit / len(addresses)):
                    return await self._open_to(loop, str(address))
            except OSError as error:
                trouble = error
        raise trouble

    async def _open_to(self, loop: asyncio.AbstractEventLoop, address: str) -> Connection:
        if self._encrypted and self._tls is None:
            self._tls = _verifying()
        name = self._host if self._encrypted else None
        make = partial(Connection, loop)
        _, connection = await loop.create_connection(make, address, self._port, ssl=self._tls, server_hostname=name)
        self._open.add(connection)
        connection.lost.add_done_callback(lambda _: self._open.discard(connection))
        return connection

    def _encoded(self, method: str, url: str, headers: Mapping[str, str], content: bytes | None) -> bytes:
        path = url.partition("#")[0].partition("://")[2].partition("/")[2]
        target = "/" + quote(path, safe=_AS_IT_STANDS)
        head = f"{method} {target} HTTP/1.1\r\n{self._named}"
        for name, value in headers.items():
            head += f"{name}: {value}\r\n"
        if content is None:
            return (head + ("content-length: 0\r\n\r\n" if method in _WITH_LENGTH else "\r\n")).encode("ascii")
        return f"{head}content-length: {len(content)}\r\n\r\n".encode("ascii") + content


def _is_address(host: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except OSError:
        return False
    return True


def _verifying() -> ssl.SSLContext:
    """The same certificates that httpx believes in, SSL_CERT_FILE and SSL_CERT_DIR included."""
    import httpx

    return httpx.create_ssl_context()

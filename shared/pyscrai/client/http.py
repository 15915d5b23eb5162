"""One connection pool to the API: JSON in, JSON out, problems as exceptions, server-sent events."""

from __future__ import annotations

import json as jsonlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import SplitResult, urlencode, urlsplit

from pydantic import BaseModel, TypeAdapter, ValidationError

from pyscrai.client.errors import ApiUnreachable, UnexpectedAnswer, error_of
from pyscrai.client.route import NoAnswer, Route
from pyscrai.client.sse import Message, messages

if TYPE_CHECKING:
    import httpx

    from pyscrai.client.detour import Detour

PREFIX = "/api/v1"
OUTSIDE_THE_PREFIX = frozenset({"/healthz", "/readyz", "/metrics"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

T = TypeVar("T")
Params = Mapping[str, str | int | float | bool | Sequence[str] | None]
Headers = Mapping[str, str]
Json = BaseModel | dict[str, Any] | list[Any] | str | int | float | bool | None


class Http:
    """The API at `base_url` (scheme, host, port; a path in front of `/api/v1` is kept).

    `token` is sent as Bearer and may be changed at any time; `timeout` is the silence, in seconds, after which an
    answer no longer comes. `transport` replaces the network: an httpx.MockTransport or ASGITransport.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = 30,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.token = token
        self._transport = transport
        self._timeout = timeout
        self._address = urlsplit(self.base_url)
        self._detour: Detour | None = None
        self._route: Route | None = None

    async def __aenter__(self) -> Http:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        for route in (self._route, self._detour):
            if route is not None:
                await route.close()

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Json = None,
        content: bytes | None = None,
        params: Params | None = None,
        headers: Headers | None = None,
        timeout: float | None = None,
    ) -> Any:
        """The decoded JSON of the answer, None where it has no body. Raises ClientError."""
        body = await self.fetch(
            method, path, json=json, content=content, params=params, headers=headers, timeout=timeout
        )
        try:
            return jsonlib.loads(body) if body else None
        except ValueError as error:
            raise UnexpectedAnswer(f"{self.url(path)} did not answer with JSON: {error}") from error

    async def fetch(
        self,
        method: str,
        path: str,
        *,
        json: Json = None,
        content: bytes | None = None,
        params: Params | None = None,
        headers: Headers | None = None,
        timeout: float | None = None,
        repeatable: bool = False,
    ) -> bytes:
        """The body of the answer as it came, for callers that parse it into a model. Raises as `request` does.

        `repeatable`: twice does no more than once, so that it may go out again where a connection had been closed.
        """
        if json is not None:
            content = encode(json)
        route = self._route or self._way()
        try:
            answer = await route.request(
                method,
                self.url(path) + _query(params),
                headers=self._headers(headers, content is not None),
                content=content,
                seconds=timeout,
                repeatable=repeatable or method == "GET",
            )
        except NoAnswer as error:
            raise self._unreachable(error) from error
        if not 200 <= answer.status < 300:
            raise error_of(answer.status, answer.body, answer.retry_after)
        return answer.body

    async def stream_sse(
        self, path: str, params: Params | None = None, headers: Headers | None = None, *, silence: float = 35
    ) -> AsyncIterator[tuple[str, str, str]]:
        """(id, event, data) of each server-sent event until the server closes the stream.

        Raises ApiUnreachable where the connection breaks, or nothing, not even a keep-alive comment, came for
        `silence` seconds; resume with the header `Last-Event-ID`.
        """
        wanted = self._headers({"accept": "text/event-stream", **(headers or {})}, False)
        try:
            async with self._through_httpx().stream(self.url(path) + _query(params), wanted, silence) as (
                answer,
                parts,
            ):
                if not 200 <= answer.status < 300:
                    raise error_of(answer.status, answer.body, answer.retry_after)
                async for message in messages(parts):
                    yield _triple(message)
        except NoAnswer as error:
            raise self._unreachable(error) from error

    def url(self, path: str) -> str:
        """Where a path of the API is: `/runs` is under the prefix, the probes are outside."""
        return self.base_url + (path if path in OUTSIDE_THE_PREFIX else PREFIX + path)

    def _headers(self, more: Headers | None, has_body: bool) -> dict[str, str]:
        headers = {"content-type": "application/json"} if has_body else {}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        if more:
            headers.update(more)
        for name, value in headers.items():
            if not value.isascii() or not value.isprintable():
                # Said without the value: it may be a token.
                raise ApiUnreachable(f"no answer from {self.base_url}: the header {name} holds what cannot be sent")
        return headers

    def _way(self) -> Route:
        if self._transport is None and _is_plain(self._address):
            from pyscrai.client.direct import Direct

            self._route = Direct(self._address, silence=self._timeout)
        else:
            self._route = self._through_httpx()
        return self._route

    def _through_httpx(self) -> Detour:
        if self._detour is None:
            from pyscrai.client.detour import Detour

            self._detour = Detour(
                transport=self._transport,
                silence=self._timeout,
                # A proxy set for the outside must never see what goes to a server on this machine; and without TLS
                # there is no reason to load the certificates.
                trust_env=self._address.hostname not in _LOOPBACK,
                verify=self._address.scheme == "https",
            )
        return self._detour

    def _unreachable(self, error: NoAnswer) -> ApiUnreachable:
        return ApiUnreachable(f"no answer from {self.base_url}: {error}")


def _is_plain(address: SplitResult) -> bool:
    """Whether the server is reached without a proxy, a password or a name in another script: else httpx knows how."""
    host = address.hostname
    if host is None or address.scheme not in ("http", "https") or not address.netloc.isascii() or address.username:
        return False
    try:
        _ = address.port
    except ValueError:
        return False
    if host in _LOOPBACK:
        return True
    from urllib.request import getproxies

    return not getproxies().keys() & {"http", "https", "all"}


def parsed(kind: TypeAdapter[T], body: bytes) -> T:
    """The body as a message of the contract, parsed once. Raises UnexpectedAnswer."""
    try:
        return kind.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "/".join(str(part) for part in first["loc"])
        # The error itself repeats what was answered, and that may be a key: it stays out of tracebacks.
        raise UnexpectedAnswer(f"the API answered something unexpected at /{place}: {first['msg']}") from None


def encode(value: Json) -> bytes:
    """The JSON bytes of a message or a plain value. A message leaves out its own unset (None) fields."""
    if isinstance(value, BaseModel):
        return value.model_dump_json(by_alias=True, exclude_none=True).encode()
    return jsonlib.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _query(params: Params | None) -> str:
    pairs = [(name, _shown(value)) for name, value in (params or {}).items() if value is not None]
    return "?" + urlencode(pairs, doseq=True) if pairs else ""


def _shown(value: str | int | float | bool | Sequence[str]) -> str | Sequence[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _triple(message: Message) -> tuple[str, str, str]:
    return message.id, message.event, message.data

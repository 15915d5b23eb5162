"""One connection pool to the API: JSON in, JSON out, problems as exceptions, server-sent events."""

from __future__ import annotations

import json as jsonlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from pyscrai.client.errors import ApiUnreachable, UnexpectedAnswer, error_of
from pyscrai.client.sse import Message, messages

PREFIX = "/api/v1"
OUTSIDE_THE_PREFIX = frozenset({"/healthz", "/readyz", "/metrics"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

T = TypeVar("T")
Params = Mapping[str, str | int | float | bool | Sequence[str] | None]
Headers = Mapping[str, str]
Json = BaseModel | dict[str, Any] | list[Any] | str | int | float | bool | None


class Http:
    """The API at `base_url` (scheme, host, port; a path in front of `/api/v1` is kept).

    `token` is sent as Bearer and may be changed at any time; `timeout` is in seconds. `transport` replaces the
    network: an httpx.MockTransport or ASGITransport.
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
        parts = urlsplit(self.base_url)
        self._client = httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 5.0)),
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=60),
            # A proxy set for the outside must never see what goes to a server on this machine; and without TLS
            # there is no reason to load the certificates.
            trust_env=parts.hostname not in _LOOPBACK,
            verify=parts.scheme == "https",
        )

    async def __aenter__(self) -> Http:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

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
    ) -> bytes:
        """The body of the answer as it came, for callers that parse it into a model. Raises as `request` does."""
        if json is not None:
            content = encode(json)
        try:
            response = await self._client.request(
                method,
                self.url(path),
                content=content,
                params=_present(params),
                headers=self._headers(headers, content is not None),
                timeout=httpx.USE_CLIENT_DEFAULT if timeout is None else timeout,
            )
        except httpx.RequestError as error:
            raise self._unreachable(error) from error
        if not response.is_success:
            raise error_of(response.status_code, response.content, response.headers.get("retry-after"))
        return response.content

    async def stream_sse(
        self, path: str, params: Params | None = None, headers: Headers | None = None, *, silence: float = 35
    ) -> AsyncIterator[tuple[str, str, str]]:
        """(id, event, data) of each server-sent event until the server closes the stream.

        Raises ApiUnreachable where the connection breaks, or nothing, not even a keep-alive comment, came for
        `silence` seconds; resume with the header `Last-Event-ID`.
        """
        wanted = self._headers({"accept": "text/event-stream", **(headers or {})}, False)
        timeout = httpx.Timeout(silence, connect=5.0)
        try:
            async with self._client.stream(
                "GET", self.url(path), params=_present(params), headers=wanted, timeout=timeout
            ) as response:
                if not response.is_success:
                    body = await response.aread()
                    raise error_of(response.status_code, body, response.headers.get("retry-after"))
                async for message in messages(response.aiter_bytes()):
                    yield _triple(message)
        except httpx.RequestError as error:
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
        return headers

    def _unreachable(self, error: httpx.RequestError) -> ApiUnreachable:
        what = str(error) or type(error).__name__
        return ApiUnreachable(f"no answer from {self.base_url}: {what}")


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


def _present(params: Params | None) -> dict[str, str | int | float | bool | Sequence[str]] | None:
    return {k: v for k, v in params.items() if v is not None} if params else None


def _triple(message: Message) -> tuple[str, str, str]:
    return message.id, message.event, message.data

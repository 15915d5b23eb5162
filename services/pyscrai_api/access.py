"""Who may call: Host, Origin, content type, size and token, checked before any route sees a request.

Without a token the service answers on loopback only, and to programs only: a web page that a person happens to have
open sends a foreign Origin, or a Host that was rebound, or a content type that is not JSON, and is refused each time.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol
from urllib.parse import urlsplit
from uuid import UUID

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from pyscrai_api.errors import (
    ApiError,
    Forbidden,
    Invalid,
    StartupError,
    TooLarge,
    Unauthorized,
    UnsupportedMediaType,
    from_exception,
    problem,
)
from pyscrai_api.settings import LOOPBACK_NAMES, Settings

LOCAL_OWNER = "local"
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Probes and scrapers call by address, without a token; these say how much there is of what, and name nobody."""
PAGE = "/"
"""The one address that a person opens in a browser, which can ask for a password but cannot send a token."""
JSON = re.compile(r"^application/(?:json|[\w.-]+\+json)\s*(?:;|$)", re.IGNORECASE)
ENGINE_ROUTES = (
    re.compile(r"^(?:GET|DELETE) /api/v1/engine-instances/(?P<engine>[^/]+)$"),
    re.compile(r"^PUT /api/v1/engine-instances/(?P<engine>[^/]+)/heartbeat$"),
    re.compile(r"^GET /api/v1/events/queue/[^/]+$"),
    re.compile(r"^POST /api/v1/events/(?:claim|reserve)$"),
    re.compile(r"^PUT /api/v1/events/(?:[^/]+/)?status$"),
)
ENGINES_OWN = frozenset(
    {
        ("POST", "/api/v1/events/claim"),
        ("POST", "/api/v1/events/reserve"),
        ("PUT", "/api/v1/events/status"),
    }
)
"""Of these, those that name no engine and no event in their path, which come most."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who sent a request: a person or program with the service's token or their own, or an engine with its own.

    `owner` of an engine is who registered it.
    """

    kind: Literal["user", "engine"]
    owner: str = LOCAL_OWNER
    engine_id: UUID | None = None

    @property
    def admin(self) -> bool:
        """Whether it is the holder of the installation's token; without one, anybody on this machine."""
        return self.kind == "user" and self.owner == LOCAL_OWNER


ID_LENGTH = 36
LOCAL_CALLER = Caller(kind="user")
Heads = Mapping[bytes, bytes]
REMEMBERED_HOSTS = 100
"""Host headers that were found to be good, as they are sent."""


class TokenLookup(Protocol):
    """Finds the person or engine that a token was given to."""

    async def find(self, token: str) -> Caller | None: ...


def caller(connection: HTTPConnection) -> Caller:
    """Who sent this request; also a FastAPI dependency."""
    found: Caller = connection.state.caller
    return found


def user(connection: HTTPConnection) -> Caller:
    """Who sent this request, where engines have no business. Raises Forbidden for an engine's token."""
    found = caller(connection)
    if found.kind == "engine":
        raise Forbidden("an engine's token is good for that engine's own routes only")
    return found


def admin(connection: HTTPConnection) -> Caller:
    """Who sent this request, where only the holder of the installation's token has business. Raises Forbidden."""
    found = user(connection)
    if not found.admin:
        raise Forbidden("this is for the holder of the installation's token")
    return found


def acting_engine(who: Caller, named: str | UUID | None) -> UUID:
    """The engine that acts: the one that is named, else the token's.

    Raises Forbidden if the token is another engine's, Invalid if nothing says which engine it is.
    """
    try:
        wanted = _as_id(named) if named is not None else None
    except ValueError:
        raise Invalid(f"engine_id {str(named)[:60]!r} is not an engine's id") from None
    if who.engine_id is not None and wanted is not None and wanted != who.engine_id:
        raise Forbidden("this token belongs to another engine")
    engine = wanted or who.engine_id
    if engine is None:
        raise Invalid("name the engine: send engine_id, or the token of its registration")
    return engine


def _as_id(named: str | UUID) -> UUID:
    if isinstance(named, UUID):
        return named
    return _read_id(named) if len(named) <= ID_LENGTH else UUID(named)


@lru_cache(maxsize=4096)
def _read_id(named: str) -> UUID:
    return UUID(named)


def check_exposure(settings: Settings) -> None:
    """Raises StartupError where the service would be open to more than this machine."""
    if not settings.on_loopback and not settings.token:
        raise StartupError(
            f"listening on {settings.host} lets other machines in: set PYSCRAI_TOKEN (or --token), "
            "or listen on 127.0.0.1"
        )
    if "*" in settings.allowed_hosts and not settings.token:
        raise StartupError("PYSCRAI_ALLOWED_HOSTS=* needs a token: without one, any web page could call this service")


class Access:
    """The checks, as one ASGI layer. Leaves the Caller in the request's state."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self._token = settings.token.encode() if settings.token else None
        self._hosts = LOOPBACK_NAMES | set(settings.allowed_hosts) | {settings.host.lower()}
        self._endings = [allowed[1:] for allowed in self._hosts if allowed.startswith("*.")]
        self._called: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        # The first of each name, as bytes: what Starlette makes of them is convenient, and slow.
        headers: Heads = dict(reversed(scope["headers"]))
        try:
            if scope["path"] not in PROBES:
                self.check_host(headers)
                if b"origin" in headers or b"sec-fetch-site" in headers:
                    self.check_origin(headers)
                scope.setdefault("state", {})["caller"] = await self.identify(scope, headers)
            if scope["type"] == "http":
                receive = self.check_body(scope, headers, receive)
        except Exception as error:
            failure = from_exception(error)
            if failure.code == "internal":
                raise
            await refuse(failure, scope, receive, send)
            return
        await self.app(scope, receive, send)

    def check_host(self, headers: Heads) -> None:
        """A name that was rebound to this address is not one that we are called by."""
        host = text_of(headers, b"host")
        if host in self._called:
            return
        name = host_name(host)
        if not (name in self._hosts or "*" in self._hosts or any(name.endswith(end) for end in self._endings)):
            raise Forbidden(
                f"this service is not called {name[:100]!r}; add that name to PYSCRAI_ALLOWED_HOSTS if it is"
            )
        if len(self._called) < REMEMBERED_HOSTS:
            self._called.add(host)

    def check_origin(self, headers: Heads) -> None:
        """A browser names the page that a request comes from: only our own pages may call."""
        origin = headers.get(b"origin")
        if origin is not None and not same_host(origin.decode("latin-1"), text_of(headers, b"host")):
            raise Forbidden(f"pages of {origin.decode('latin-1')[:100]!r} may not call this service")
        if headers.get(b"sec-fetch-site") == b"cross-site" and headers.get(b"sec-fetch-mode") != b"navigate":
            raise Forbidden("pages of other sites may not call this service")

    async def identify(self, scope: Scope, headers: Heads) -> Caller:
        """The caller. Raises Unauthorized without the right token, Forbidden for an engine outside its routes."""
        token = sent_token(headers, scope["path"])
        if not token:
            if self._token is None or not (scope["path"].startswith("/api/v1/") or scope["path"] == PAGE):
                return LOCAL_CALLER
            if scope["path"] == "/api/v1/openapi.json":
                return LOCAL_CALLER  # the description of the interface is public, what is behind it is not
            raise Unauthorized() if scope["path"] != PAGE else page_unauthorized()
        if self._token is not None and hmac.compare_digest(token.encode(), self._token):
            return LOCAL_CALLER
        lookup: TokenLookup = scope["app"].state.deps.tokens
        found = await lookup.find(token)
        if found is None:
            raise Unauthorized("this token is not known here") if scope["path"] != PAGE else page_unauthorized()
        if found.kind == "engine" and not may_engine(found, scope.get("method", "GET"), scope["path"]):
            raise Forbidden("an engine's token is good for that engine's own routes only")
        return found

    def check_body(self, scope: Scope, headers: Heads, receive: Receive) -> Receive:
        """JSON only, and no more of it than fits. Returns the receiver to read it from."""
        length = headers.get(b"content-length")
        if length in (None, b"0") and b"transfer-encoding" not in headers:
            return receive
        content = headers.get(b"content-type", b"")
        known = content == b"application/json" or scope["method"] in ("GET", "HEAD")
        if not known and not JSON.match(content.decode("latin-1")):
            raise UnsupportedMediaType("send the body as application/json")
        limit = self.settings.document_limit
        if scope["path"].startswith("/api/v1/events"):
            limit = self.settings.batch_limit
        if length is None or not length.isdigit() or b"transfer-encoding" in headers:
            return counted(receive, limit)
        if int(length) > limit:
            raise TooLarge(f"the body has {int(length)} bytes; {limit} are allowed here")
        return receive  # the server gives no more than was said


def text_of(headers: Heads, name: bytes) -> str:
    """A header's value, "" where there is none."""
    return headers.get(name, b"").decode("latin-1")


def sent_token(headers: Heads, path: str) -> str:
    """The token that a request brings, "" for none: as Bearer, and for the page as the password of Basic."""
    kind, _, token = text_of(headers, b"authorization").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    if kind.lower() != "basic" or path != PAGE:
        return ""
    try:
        return base64.b64decode(token, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def page_unauthorized() -> Unauthorized:
    """Makes a browser ask for the token."""
    refused = Unauthorized("the password is your token; any user name will do")
    refused.headers["WWW-Authenticate"] = 'Basic realm="PyScrAI", charset="UTF-8"'
    return refused


def counted(receive: Receive, limit: int) -> Receive:
    """A receiver that raises TooLarge when more than `limit` bytes of body have come."""
    seen = 0

    async def next_message() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLarge(f"the body has more than the {limit} bytes that are allowed here")
        return message

    return next_message


def may_engine(who: Caller, method: str, path: str) -> bool:
    """Whether an engine's token is good for this route."""
    if (method, path) in ENGINES_OWN:
        return True
    for route in ENGINE_ROUTES:
        match = route.match(f"{method} {path}")
        if match:
            named = match.groupdict().get("engine")
            return named is None or named.replace("-", "").lower() == (who.engine_id or UUID(int=0)).hex
    return False


def host_name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def same_host(origin: str, host: str) -> bool:
    """Whether an Origin names the host and port that were called."""
    try:
        ours, theirs = urlsplit(f"//{host}"), urlsplit(origin)
        default = {"http": 80, "https": 443}.get(theirs.scheme)
        if default is None or theirs.hostname is None:
            return False
        return (theirs.hostname, theirs.port or default) == (ours.hostname, ours.port or default)
    except ValueError:
        return False


async def refuse(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a problem, also to the handshake of a WebSocket."""
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(problem(error))
        return
    await problem(error)(scope, receive, send)

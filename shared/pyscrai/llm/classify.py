"""The one place where errors of agno, of the providers' clients and of httpx become ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyscrai.contract.events import Usage
from pyscrai.llm.errors import (
    BadKey,
    ModelError,
    Overloaded,
    RateLimited,
    Refused,
    Rejected,
    TimedOut,
    TooLong,
    Unreachable,
    Unsupported,
)
from pyscrai.llm.keys import hide
from pyscrai.llm.learned import FORMAT

# By name, because the clients speak through httpx or httpx2, depending on their version.
_NOT_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "InvalidURL"})
_TIMED_OUT = frozenset({"ReadTimeout", "WriteTimeout", "TimeoutError", "APITimeoutError"})
_TOO_LONG = (
    "context length",
    "context_length",
    "context window",
    "context limit",
    "maximum context",
    "exceeds the available context",
    "prompt is too long",
    "exceeds the maximum number of tokens",
    "reduce the length of the messages",
)
_NO_FORMAT = ("response_format", "response format", "json_schema", "json schema", "structured output")
_NO_TOOL = ("tool_choice", "input_schema", "tool use", "output_config", "grammar", "schema is too complex")
_BAD_KEY = ("api key not valid", "api_key_invalid", "api key expired")
_NO_CREDIT = ("insufficient_quota", "insufficient credits", "insufficient funds", "credit balance is too low")
_REFUSED = ("content_filter", "content management policy", "moderation")
_REFUSED_PART = re.compile(
    r"(unsupported|unknown|unrecognized|unexpected|deprecated|not support|not permitted).{0,40}[\"'`](seed|temperature)"
    r"|[\"'`](seed|temperature)[\"'`].{0,60}(not support|unsupported|deprecated|not permitted|not allowed)"
)
_BUSY = (498, 529)
"""Groq's and Anthropic's way to say that a request was not begun, for want of room."""


@dataclass(frozen=True)
class Failure:
    """A failed call: the error to raise, whether the request left, and its usage where that is certain.

    `sent` with `usage` None: nobody knows what it cost, so it is charged at its upper bound.
    """

    error: ModelError
    sent: bool
    usage: Usage | None = None


def classify(error: BaseException, model: str, key: str = "") -> Failure:
    """What a failed call means. The chain of causes is searched for the error that knows most.

    A `key` that a server repeats is kept out of the message.
    """
    failure = _classify(error, model)
    failure.error.message = hide(failure.error.message, key)
    failure.error.args = (failure.error.message,)
    return failure


def _classify(error: BaseException, model: str) -> Failure:
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, ModelError):
            return Failure(cause, sent=True, usage=Usage() if cause.unbilled else None)
    names = {type(cause).__name__ for cause in chain}
    if response := next((r for c in chain if (r := getattr(c, "response", None)) is not None), None):
        return _by_status(response, chain, model)
    where = f"{model}: "
    if names & _NOT_SENT:
        return Failure(Unreachable(f"{where}nobody answers ({_detail(chain)}). Is the server running?"), sent=False)
    if names & _TIMED_OUT:
        return Failure(TimedOut(f"{where}no answer in time"), sent=True)
    if "APIConnectionError" in names:
        return Failure(Unreachable(f"{where}the connection broke ({_detail(chain)})"), sent=True)
    return Failure(ModelError(f"{where}{_detail(chain)}"), sent=True)


def _by_status(response: Any, chain: list[BaseException], model: str) -> Failure:
    status = int(response.status_code)
    told = _told(chain)
    said = _said(told, chain)
    text = f"{model}: {said}" if said else f"{model}: the provider answered with status {status}"
    after = _retry_after(response, told)
    if status in _BUSY:
        return Failure(Overloaded(text, retry_after=after), sent=True, usage=Usage())
    if status >= 500:
        return Failure(Overloaded(text, retry_after=after), sent=True)
    return Failure(_refusal(status, said.lower(), text, after), sent=True, usage=Usage())


def _refusal(status: int, said: str, text: str, retry_after: float | None) -> ModelError:
    """A status of 4xx: the provider did not work, so the call cost nothing."""
    if any(words in said for words in _TOO_LONG) or status == 413:
        return TooLong(text)
    if status in (400, 403) and any(words in said for words in _REFUSED):
        return Refused(text)
    if status in (401, 403) or any(words in said for words in _BAD_KEY):
        return BadKey(f"{text} (the key was not accepted)")
    if status == 402 or any(words in said for words in _NO_CREDIT):
        return Rejected(f"{text} (the provider's account is out of credit)")
    if status in (408, 425):
        return TimedOut(text)
    if status == 429:
        return RateLimited(text, retry_after=retry_after)
    if status in (400, 422) and (found := _REFUSED_PART.search(said)):
        return Unsupported(text, found[2] or found[3])
    if any(words in said for words in (*_NO_FORMAT, *_NO_TOOL)):
        return Unsupported(text, FORMAT)
    return Rejected(text)


def _retry_after(response: Any, told: dict[str, Any]) -> float | None:
    """In seconds, from the headers, or from the details of Google's errors."""
    headers = response.headers
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    details = told.get("details")
    for detail in details if isinstance(details, list) else []:
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str) and (seconds := re.fullmatch(r"(\d+(?:\.\d+)?)s", delay)):
            return float(seconds[1])
    return None


def _told(chain: list[BaseException]) -> dict[str, Any]:
    """The error object in the answer; Google wraps it into a list."""
    for cause in chain:
        body = getattr(cause, "body", None)
        if isinstance(body, list) and body:
            body = body[0]
        if isinstance(body, dict):
            inner = body.get("error", body)
            return inner if isinstance(inner, dict) else {"message": inner}
    return {}


def _said(told: dict[str, Any], chain: list[BaseException]) -> str:
    if not told:
        return str(chain[-1])[:500]
    code = told.get("code")
    shown = f"[{code}]" if code and not isinstance(code, int) else ""
    return " ".join(str(part) for part in (told.get("message"), shown) if part)[:500]


def _detail(chain: list[BaseException]) -> str:
    return next((str(cause) for cause in reversed(chain) if str(cause)), type(chain[0]).__name__)[:300]


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__

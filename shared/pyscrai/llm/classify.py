"""The one place where errors of agno, openai and httpx become ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyscrai.contract.events import Usage
from pyscrai.llm.errors import (
    BadKey,
    FormatUnsupported,
    ModelError,
    Overloaded,
    RateLimited,
    Rejected,
    TimedOut,
    TooLong,
    Unreachable,
)

# By name, because the OpenAI client speaks through httpx or httpx2, depending on its version.
_NOT_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "InvalidURL"})
_TIMED_OUT = frozenset({"ReadTimeout", "WriteTimeout", "TimeoutError", "APITimeoutError"})
_TOO_LONG = ("context length", "context_length", "context window", "maximum context", "exceeds the available context")
_NO_FORMAT = ("response_format", "json_schema", "json schema", "structured output")
_NO_CREDIT = ("insufficient_quota", "exceeded your current quota", "insufficient credits", "insufficient funds")


@dataclass(frozen=True)
class Failure:
    """A failed call: the error to raise, whether the request left, and its usage where that is certain.

    `sent` with `usage` None: nobody knows what it cost, so it is charged at its upper bound.
    """

    error: ModelError
    sent: bool
    usage: Usage | None = None


def classify(error: BaseException, model: str) -> Failure:
    """What a failed call means. The chain of causes is searched for the error that knows most."""
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
    said = _said(chain)
    text = f"{model}: {said}" if said else f"{model}: the provider answered with status {status}"
    if status >= 500:
        return Failure(Overloaded(text, retry_after=_retry_after(response)), sent=True)
    return Failure(_refusal(status, said.lower(), text, _retry_after(response)), sent=True, usage=Usage())


def _refusal(status: int, said: str, text: str, retry_after: float | None) -> ModelError:
    """A status of 4xx: the provider did not work, so the call cost nothing."""
    if any(words in said for words in _TOO_LONG) or status == 413:
        return TooLong(text)
    if status in (401, 403):
        return BadKey(f"{text} (the key was not accepted)")
    if status == 402 or any(words in said for words in _NO_CREDIT):
        return Rejected(f"{text} (the provider's account is out of credit)")
    if status in (408, 425):
        return TimedOut(text)
    if status == 429:
        return RateLimited(text, retry_after=retry_after)
    if any(words in said for words in _NO_FORMAT):
        return FormatUnsupported(text)
    return Rejected(text)


def _retry_after(response: Any) -> float | None:
    headers = response.headers
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    return None


def _said(chain: list[BaseException]) -> str:
    for cause in chain:
        body = getattr(cause, "body", None)
        if isinstance(body, dict):
            inner = body.get("error", body)
            code = inner.get("code") if isinstance(inner, dict) else None
            said = inner.get("message") if isinstance(inner, dict) else inner
            return " ".join(str(part) for part in (said, f"[{code}]" if code else "") if part)[:500]
    return str(chain[-1])[:500]


def _detail(chain: list[BaseException]) -> str:
    return next((str(cause) for cause in reversed(chain) if str(cause)), type(chain[0]).__name__)[:300]


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__

"""The one place where errors of agno, of the providers' clients and of httpx become ours."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
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
    "request too large for",  # more at once than a minute allows: it never fits
)
_NO_FORMAT = ("response_format", "response format", "json_schema", "json schema", "structured output")
_NO_TOOL = ("tool_choice", "input_schema", "tool use", "output_config", "grammar", "schema is too complex")
_BAD_KEY = ("api key not valid", "api_key_invalid", "api key expired")
_NO_CREDIT = (
    "insufficient_quota",
    "insufficient credits",
    "insufficient funds",
    "insufficient balance",
    "credit balance is too low",
    "credit_balance_exhausted",
    "billing_hard_limit_reached",
    "enforced_spend_limit_reached",
    "specified api usage limits",
)
_NO_MEMORY = "requires more system memory"
"""Ollama's, with status 500; trying again does not make the machine larger."""
_REFUSED = ("content_filter", "content management policy", "moderation")
_REFUSED_PART = re.compile(
    r"(unsupported|unknown|unrecognized|unexpected|deprecated|not support|not permitted).{0,40}[\"'`](seed|temperature)"
    r"|[\"'`](seed|temperature)[\"'`].{0,60}(not support|unsupported|deprecated|not permitted|not allowed)"
)
_BUSY = (498, 529)
"""Groq's and Anthropic's way to say that a request was not begun, for want of room."""
_BUSY_SAID = ("overloaded", "server busy", "at capacity", "no instances available", "loading model", "slow down")
"""The same in words, with status 503: of OpenAI and Gemini, Ollama, Groq, OpenRouter, llama.cpp."""
_AGAIN_IN = re.compile(r"(?:try again|retry) in ((?:\d+(?:\.\d+)?(?:ms|s|m|h))+)")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


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
    failure = _classify(error, model, key)
    failure.error.message = hide(failure.error.message, key)
    failure.error.args = (failure.error.message,)
    return failure


def _classify(error: BaseException, model: str, key: str) -> Failure:
    chain = list(_chain(error))
    for cause in chain:
        if isinstance(cause, ModelError):
            return Failure(cause, sent=True, usage=Usage() if cause.unbilled else None)
    names = {type(cause).__name__ for cause in chain}
    if response := next((r for c in chain if (r := getattr(c, "response", None)) is not None), None):
        return _by_status(response, chain, model, key)
    where = f"{model}: "
    if names & _NOT_SENT:
        return Failure(
            Unreachable(f"{where}nobody answers ({_detail(chain, key)}). Is the server running?"), sent=False
        )
    if names & _TIMED_OUT:
        return Failure(TimedOut(f"{where}no answer in time"), sent=True)
    if "APIConnectionError" in names:
        return Failure(Unreachable(f"{where}the connection broke ({_detail(chain, key)})"), sent=True)
    return Failure(ModelError(f"{where}{_detail(chain, key)}"), sent=True)


def _by_status(response: Any, chain: list[BaseException], model: str, key: str) -> Failure:
    status = int(response.status_code)
    told = _told(chain)
    said = _cut(_said(told, chain), key, 500)
    text = f"{model}: {said}" if said else f"{model}: the provider answered with status {status}"
    after = wait_of(response.headers, told, said)
    lower = said.lower()
    if status in _BUSY or (status == 503 and (after is not None or any(words in lower for words in _BUSY_SAID))):
        return Failure(Overloaded(text, retry_after=after, unbilled=True), sent=True, usage=Usage())
    if status == 500 and _NO_MEMORY in lower:
        return Failure(Rejected(text), sent=True, usage=Usage())
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
        return RateLimited(text, retry_after=retry_after, unbilled=True)
    if status == 409:
        return Overloaded(text, retry_after=retry_after)
    if status in (400, 422) and (found := _REFUSED_PART.search(said)):
        return Unsupported(text, found[2] or found[3])
    if any(words in said for words in (*_NO_FORMAT, *_NO_TOOL)):
        return Unsupported(text, FORMAT)
    return Rejected(text)


def wait_of(headers: Mapping[str, str], told: Mapping[str, Any], said: str) -> float | None:
    """Seconds for which a provider asks to be left alone: in the headers, else in the details of Google's errors and
    those that OpenRouter passes on, else in words."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if (seconds := _number(headers.get(name))) is not None:
            return max(0.0, seconds * unit)
    if (seconds := _until(headers.get("retry-after"))) is not None:
        return seconds
    details = told.get("details")
    for detail in details if isinstance(details, list) else []:
        delay = detail.get("retryDelay") if isinstance(detail, dict) else None
        if isinstance(delay, str) and (found := re.fullmatch(r"(\d+(?:\.\d+)?)s", delay)):
            return float(found[1])
    metadata = told.get("metadata")
    passed_on = metadata.get("headers") if isinstance(metadata, dict) else None
    if isinstance(passed_on, dict) and (at := _number(passed_on.get("X-RateLimit-Reset"))) is not None:
        return max(0.0, at / 1000 - time.time())  # milliseconds of the day that all clocks count from
    if found := _AGAIN_IN.search(said.lower()):
        return sum(float(number) * _UNITS[unit] for number, unit in _SPAN.findall(found[1]))
    return None


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _until(text: str | None) -> float | None:
    """Seconds until a date as HTTP writes it."""
    try:
        at = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return max(0.0, at.timestamp() - time.time())


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
        return str(chain[-1])
    details = told.get("details")
    code = (details.get("error_code") if isinstance(details, dict) else None) or told.get("code")
    shown = f"[{code}]" if code and not isinstance(code, int) else ""
    return " ".join(str(part) for part in (told.get("message"), shown) if part)


def _detail(chain: list[BaseException], key: str) -> str:
    return _cut(next((str(cause) for cause in reversed(chain) if str(cause)), type(chain[0]).__name__), key, 300)


def _cut(text: str, key: str, most: int) -> str:
    """The beginning of a text without the key: taken out first, or a piece of it could be left at the end."""
    return hide(text, key)[:most]


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__

"""The provider behind its HTTP interface: from the bytes of a request to an outcome, and a line on the bill."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pyscrai_mock_provider import outcomes
from pyscrai_mock_provider.answers import Answer, answer
from pyscrai_mock_provider.bill import Bill, Line, Seen, fingerprint
from pyscrai_mock_provider.faults import FAULTS
from pyscrai_mock_provider.limits import Bucket, retry_headers
from pyscrai_mock_provider.outcomes import Dropped, Held, Outcome, Reply
from pyscrai_mock_provider.prices import Usage
from pyscrai_mock_provider.requests import Asked, BadRequest, read
from pyscrai_mock_provider.script import filled
from pyscrai_mock_provider.settings import Settings

BROKEN_BODY = b"<html><head><title>502 Bad Gateway</title></head><body>upstream sent an invalid header</body></html>"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One request that was read. `entry`: what the script has for it; `place`: what the script may say of it."""

    number: int
    asked: Asked
    key: str | None
    entry: dict[str, Any]
    place: dict[str, Any]
    fault: str | None

    @property
    def billed(self) -> bool:
        return self.fault is None or FAULTS[self.fault].billed


class Provider:
    """One provider and its bill. All of it happens in one event loop."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self.open = 0
        self._clock = clock
        self._bucket = None if settings.rate_limit is None else Bucket(settings.rate_limit, clock)
        self.reset()

    def reset(self) -> None:
        """A new bill, and requests counted from 1 again: what is asked again now is answered as it was."""
        self.bill = Bill(self._clock(), most_at_once=self.open)
        self._tries: Counter[str] = Counter()

    @contextmanager
    def request(self) -> Iterator[None]:
        """A request is here, from its first byte until its outcome has been sent."""
        self.open += 1
        self.bill.most_at_once = max(self.bill.most_at_once, self.open)
        try:
            yield
        finally:
            self.open -= 1

    async def complete(self, body: bytes, key: str | None, connected: Callable[[], bool]) -> Outcome:
        """Answer a request for a completion. `key`: what was shown; `connected`: whether somebody still listens."""
        # Who asks for a new bill while an answer is made does not want this one on it.
        bill = self.bill
        digest = hashlib.sha256(body).hexdigest()
        if (refused := self._refused_unread(key)) is not None:
            ending, outcome = refused
            self._note(ending, digest, key)
            return outcome
        try:
            asked = read(body)
        except BadRequest as wrong:
            self._note("bad_request", digest, key)
            said = str(wrong) + self._echo(key)
            return outcomes.error(400, said, "invalid_request_error", parameter=wrong.parameter)
        case = self._case(len(bill.seen) + 1, asked, digest, key)
        self._note(case.fault or "answered", digest, key)
        await self._wait(case)
        if case.fault is not None and not case.billed:
            return self._unbilled(case.fault, key, case.entry.get("retry_after"))
        made = self._answer(case)
        outcome = self._billed(case, made)
        bill.lines.append(self._line(case, made, outcome, connected()))
        return outcome

    def _note(self, ending: str, digest: str, key: str | None) -> None:
        at = self._clock() - self.bill.began
        self.bill.seen.append(Seen(at=at, key=fingerprint(key), digest=digest, ending=ending))

    def _refused_unread(self, key: str | None) -> tuple[str, Outcome] | None:
        """401 without the key, 429 where there are too many requests."""
        wanted = self.settings
        if wanted.key is not None and key != wanted.key:
            return "bad_key", self._unbilled("bad_key", key)
        if wanted.concurrency is not None and self.open > wanted.concurrency:
            return "too_many_at_once", self._unbilled("rate_limit", key)
        wait = 0.0 if self._bucket is None else self._bucket.take()
        return ("too_many_a_minute", self._unbilled("rate_limit", key, wait)) if wait else None

    def _case(self, number: int, asked: Asked, digest: str, key: str | None) -> Case:
        self._tries[digest] += 1
        tries = self._tries[digest]
        call = 2 if asked.said("assistant") else 1
        place = {"model": asked.model, "request": number, "try": tries, "call": call}
        entry = self.settings.script.entry(place, asked.text)
        drawn = self.settings.faults.draw(self.settings.seed, digest, tries) if entry is None else None
        fault = drawn if entry is None else entry.get("fail")
        return Case(number=number, asked=asked, key=key, entry=entry or {}, place=place, fault=fault)

    async def _wait(self, case: Case) -> None:
        """What is turned away is turned away at once, unless the script says otherwise."""
        delay = case.entry.get("latency")
        if delay is None and case.billed:
            delay = self.settings.latency.draw(self.settings.seed, "latency", case.number)
        if delay:
            await asyncio.sleep(delay)

    def _answer(self, case: Case) -> Answer:
        said = filled(case.entry["answer"], case.place) if "answer" in case.entry else None
        made = answer(self.settings, case.asked, said, case.fault, case.key if self.settings.echo_key else None)
        told = self.settings.script.used(case.entry)
        return replace(made, usage=_told(made.usage, told)) if told else made

    def _unbilled(self, fault: str, key: str | None, retry_after: float | None = None) -> Outcome:
        said = self._echo(key)
        wait = retry_headers(self.settings.retry_after if retry_after is None else retry_after)
        match fault:
            case "rate_limit":
                text = f"Rate limit reached.{said}"
                return _with(outcomes.error(429, text, "requests", "rate_limit_exceeded"), wait)
            case "overloaded":
                return _with(outcomes.error(529, f"Overloaded.{said}", "overloaded_error"), wait)
            case "bad_key":
                text = f"Incorrect API key provided.{said}"
                return outcomes.error(401, text, "invalid_request_error", "invalid_api_key")
            case "too_long":
                text = (
                    f"This model's maximum context length is 16 tokens. Please reduce the length of the messages.{said}"
                )
                return outcomes.error(400, text, "invalid_request_error", "context_length_exceeded")
            case "dropped_before":
                return Dropped(b"")
        return outcomes.error(500, f"The server had an error while processing your request.{said}", "server_error")

    def _billed(self, case: Case, made: Answer) -> Outcome:
        body = outcomes.completion(case.number, case.asked.model, made, with_usage=case.fault != "no_usage")
        match case.fault:
            case "dropped":
                return Dropped(body)
            case "timeout":
                return Held()
            case "late_error":
                text = f"The server had an error after its work.{self._echo(case.key)}"
                return outcomes.error(500, text, "server_error")
            case "broken_body":
                return Reply(200, BROKEN_BODY, {"content-type": "text/html"})
        return Reply(200, body)

    def _line(self, case: Case, made: Answer, outcome: Outcome, connected: bool) -> Line:
        whole = isinstance(outcome, Reply) and case.fault not in ("late_error", "broken_body")
        return Line(
            request=case.number,
            model=case.asked.model,
            key=fingerprint(case.key),
            digest=case.asked.digest,
            usage=made.usage,
            cost=self.settings.prices.cost(made.usage),
            delivered=whole and connected,
            status=outcome.status if isinstance(outcome, Reply) and connected else None,
            finish_reason=made.finish_reason,
            fault=case.fault,
        )

    def _echo(self, key: str | None) -> str:
        return f" (asked with {key})" if self.settings.echo_key and key else ""


def _told(counted: Usage, told: dict[str, int]) -> Usage:
    """What a script says was used, made possible: no part is larger than its whole."""
    usage = replace(counted, **told)
    cached = min(usage.cached, usage.input)
    return replace(
        usage,
        cached=cached,
        cache_write=min(usage.cache_write, usage.input - cached),
        reasoning=min(usage.reasoning, usage.output),
    )


def _with(reply: Reply, headers: dict[str, str]) -> Reply:
    return replace(reply, headers=reply.headers | headers)

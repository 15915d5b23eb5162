"""The model that agno talks to: it wraps every other model, and no call reaches a provider except through it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from agno.metrics import MessageMetrics
from agno.models.base import Model
from agno.models.message import Message
from agno.models.response import ModelResponse

from pyscrai.contract.events import CallRecord, Grant, RequestMessage, Usage
from pyscrai.domain.canonical import clean_text
from pyscrai.llm.bounds import Messages, input_bound, request_hash
from pyscrai.llm.classify import Failure, classify
from pyscrai.llm.errors import ModelError, Refused, ReplayDiverged, TimedOut
from pyscrai.llm.question import MAX_CALLS, Meter, Question
from pyscrai.llm.redaction import known_keys, redact
from pyscrai.llm.replaying import divergence


class CallBudgetExceeded(ModelError):
    """Something tried to ask a third time; a bug, not a condition."""

    code = "model_call_budget"
    is_permanent = True


@dataclass
class MeteredModel(Model):
    """Reserves before, records after, at most `MAX_CALLS` times. One per question.

    `make` builds the model inside at the first call that is really made: an answer of a recording needs neither key
    nor network. `overhead`: tokens that the provider may add. agno swallows exceptions; what ended the last call is
    kept in `stopped`, for `ask` to raise.
    """

    make: Callable[[], Awaitable[Model]] | None = field(default=None, repr=False)
    overhead: int = 0
    inner: Model | None = field(default=None, repr=False)
    question: Question | None = None
    meter: Meter | None = None
    timeout: float = 120.0
    calls: int = 0
    answer: str = ""
    usage: Usage | None = None
    cut_off: bool = False
    stopped: BaseException | None = field(default=None, repr=False)
    supports_native_structured_outputs: bool = True
    """Of what agno knows about models only this is used: it keeps agno from adding text of its own to a prompt."""

    async def ainvoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        """Called by agno, with `messages`, `assistant_message` and `response_format` (the JSON Schema, or None)."""
        self.stopped = None
        try:
            return await self._call(kwargs["messages"], kwargs["assistant_message"], kwargs.get("response_format"))
        except BaseException as error:
            self.stopped = error
            raise

    async def _call(self, messages: list[Message], assistant: Message, schema: dict[str, Any] | None) -> ModelResponse:
        assert self.question is not None
        assert self.meter is not None
        if self.calls >= MAX_CALLS:
            raise CallBudgetExceeded(f"{self.id}: more than {MAX_CALLS} calls for one question")
        self.calls += 1
        choice = self.question.model
        sent: Messages = [{"role": each.role, "content": each.get_content_string()} for each in messages]
        # The form that was asked for, also where a server is known not to take it beside the prompt: what this
        # process has learned of servers is no part of the question.
        digest = request_hash(self.id, sent, self.question.schema, choice.temperature, choice.max_tokens)
        grant = await self.meter.reserve(
            call=self.calls,
            model=self.id,
            input_bound=input_bound(sent, schema) + (self.overhead if schema else 0),
            max_tokens=choice.max_tokens,
            request_hash=digest,
        )
        keys = known_keys(self.question.key or "")
        record = CallRecord(
            event_id=self.question.event_id,
            lease_no=self.question.lease_no,
            call=self.calls,
            try_no=self.question.try_no,
            model=self.id,
            request=[
                RequestMessage(role=each["role"], text=redact(clean_text(each["content"]), keys)) for each in sent
            ],
            request_hash=digest,
        )
        if grant is not None and grant.state == "diverged":
            raise ReplayDiverged(divergence(self.question, grant, record.request))
        if grant is not None and grant.answer is not None:
            return self._recorded(record, grant, grant.answer)
        return await self._send(record, messages, assistant, schema, keys)

    def _recorded(self, record: CallRecord, grant: Grant, answer: str) -> ModelResponse:
        """Take an answer that was given before, as it was kept; nothing is sent."""
        assert self.meter is not None
        self.answer, self.usage, self.cut_off = answer, grant.usage, False
        self.meter.record(record.model_copy(update={"usage": grant.usage, "answer": answer}))
        return ModelResponse(role="assistant", content=answer)

    async def _send(
        self,
        record: CallRecord,
        messages: list[Message],
        assistant: Message,
        schema: dict[str, Any] | None,
        keys: Collection[str],
    ) -> ModelResponse:
        """Make the reserved call. Whatever happens, the meter hears of it exactly once."""
        async with AsyncExitStack() as turn:
            inner = await self._ready(record, turn)
            return await self._made(inner, record, messages, assistant, schema, keys)

    async def _made(
        self,
        inner: Model,
        record: CallRecord,
        messages: list[Message],
        assistant: Message,
        schema: dict[str, Any] | None,
        keys: Collection[str],
    ) -> ModelResponse:
        assert self.meter is not None
        began = time.monotonic()
        failure: Failure | None = None
        response: ModelResponse | None = None
        try:
            async with asyncio.timeout(self.timeout):
                response = await inner.ainvoke(messages=messages, assistant_message=assistant, response_format=schema)
            self._take(response, keys)
            return response
        except TimeoutError as error:
            failure = Failure(TimedOut(f"{self.id}: no answer within {self.timeout:g} s"), sent=True)
            raise failure.error from error
        except Exception as error:
            failure = classify(error, self.id, self._key)
            # What the client raised may hold what its server repeated: it stays out of tracebacks.
            raise failure.error from None
        finally:
            # Also reached when the work is cancelled: the request has left, so nobody knows its cost.
            update: dict[str, Any] = {"seconds": round(time.monotonic() - began, 6)}
            if response is not None:
                update |= {"usage": self.usage, "answer": self.answer}
            else:
                update |= {"usage": failure.usage if failure else None, "sent": failure.sent if failure else True}
                update["retry_after"] = failure.error.retry_after if failure else None
            wrong = failure.error.message if failure else None if response is not None else "cancelled"
            update["error"] = None if wrong is None else redact(wrong, keys)
            self.meter.record(record.model_copy(update=update))

    async def _ready(self, record: CallRecord, stack: AsyncExitStack) -> Model:
        """The model inside, when it is our turn: waiting for one that takes one request at a time is no part of a
        call's time-out. Where it cannot be built (no key), what was reserved is released."""
        assert self.meter is not None
        assert self.make is not None
        try:
            if self.inner is None:
                self.inner = await self.make()
            if (turn := getattr(self.inner, "turn", None)) is not None:
                await stack.enter_async_context(turn())
        except BaseException as error:
            why = error.message if isinstance(error, ModelError) else type(error).__name__
            self.meter.record(record.model_copy(update={"sent": False, "error": why}))
            raise
        return self.inner

    @property
    def _key(self) -> str:
        return getattr(getattr(self.inner, "async_client", None), "api_key", None) or ""

    def _take(self, response: ModelResponse, keys: Collection[str]) -> None:
        """Keep the answer as it will be recorded and parsed: what a replay takes has to be the very same text."""
        told = response.provider_data or {}
        self.usage = _usage(response.response_usage, answered=bool(response.content))
        self.answer = redact(clean_text(response.content), keys) if isinstance(response.content, str) else ""
        self.cut_off = told.get("finish_reason") == "length"
        if refusal := told.get("refusal"):
            raise Refused(f"{self.id}: {redact(str(refusal), keys)[:500]}")

    @property
    def filled(self) -> bool:
        """Whether the answer has as many tokens as it may have. Known from what is recorded, and so in a replay."""
        assert self.question is not None
        return self.usage is not None and self.usage.output_tokens >= self.question.model.max_tokens

    def invoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        raise NotImplementedError("questions are asynchronous")

    def invoke_stream(self, *args: Any, **kwargs: Any) -> Iterator[ModelResponse]:
        raise NotImplementedError("questions do not stream")

    def ainvoke_stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ModelResponse]:
        raise NotImplementedError("questions do not stream")

    def _parse_provider_response(self, response: Any, **kwargs: Any) -> ModelResponse:
        raise NotImplementedError("the wrapped model parses")

    def _parse_provider_response_delta(self, response: Any) -> ModelResponse:
        raise NotImplementedError("the wrapped model parses")


def _usage(told: MessageMetrics | None, *, answered: bool) -> Usage | None:
    """What the provider counted; None where it did not. An answer made of no tokens at all was not counted."""
    if told is None or (answered and not (told.input_tokens or told.output_tokens)):
        return None
    return Usage(
        input_tokens=max(told.input_tokens or 0, 0),
        output_tokens=max(told.output_tokens or 0, 0),
        cached_tokens=max(told.cache_read_tokens or 0, 0),
        cache_write_tokens=max(told.cache_write_tokens or 0, 0),
        reasoning_tokens=max(told.reasoning_tokens or 0, 0),
    )

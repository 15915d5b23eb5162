"""What the models that ship with PyScrAI share: an agno model that answers from inside this process."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from agno.metrics import MessageMetrics
from agno.models.base import Model
from agno.models.response import ModelResponse

BYTES_PER_TOKEN = 4


@dataclass
class OfflineModel(Model):
    """Subclasses say what is answered; everything that agno wants besides is here."""

    @abstractmethod
    async def answer(self, messages: list[Any], schema: dict[str, Any] | None) -> ModelResponse:
        """The answer to agno `messages`; `schema` is the JSON Schema it should fit, if any."""

    async def ainvoke(self, *_: Any, **kwargs: Any) -> ModelResponse:
        # Without this, hundreds of instant answers would keep heartbeats waiting.
        await asyncio.sleep(0)
        return await self.answer(kwargs["messages"], kwargs.get("response_format"))

    def invoke(self, *_: Any, **__: Any) -> ModelResponse:
        raise NotImplementedError("questions are asynchronous")

    def invoke_stream(self, *_: Any, **__: Any) -> Iterator[ModelResponse]:
        raise NotImplementedError("questions do not stream")

    def ainvoke_stream(self, *_: Any, **__: Any) -> AsyncIterator[ModelResponse]:
        raise NotImplementedError("questions do not stream")

    def _parse_provider_response(self, response: Any, **_: Any) -> ModelResponse:
        raise NotImplementedError("there is no provider")

    def _parse_provider_response_delta(self, response: Any) -> ModelResponse:
        raise NotImplementedError("there is no provider")


def counted(messages: list[Any], text: str) -> MessageMetrics:
    """A plausible count of tokens: a quarter of the bytes."""
    asked = sum(len(each.get_content_string().encode()) for each in messages)
    return MessageMetrics(
        input_tokens=1 + asked // BYTES_PER_TOKEN, output_tokens=1 + len(text.encode()) // BYTES_PER_TOKEN
    )

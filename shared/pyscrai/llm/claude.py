"""Anthropic's models in their own protocol.

A schema becomes the input of a tool that the model must use: that takes all of JSON Schema, where Anthropic's
structured output takes a part and knows no objects with open keys.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

from agno.metrics import MessageMetrics
from agno.models.anthropic import Claude
from agno.models.response import ModelResponse

from pyscrai.llm.errors import ModelError

TOOL = "answer"
WITH_TEMPERATURE = "2023-06-01"
"""The version of the interface that still takes a temperature, for the models that do; the client's own refuses it."""
_DATED = {
    "claude-3-haiku": "claude-3-haiku-20240307",
    "claude-3-sonnet": "claude-3-sonnet-20240229",
    "claude-3-opus": "claude-3-opus-20240229",
    "claude-3-5-sonnet": "claude-3-5-sonnet-20241022",
    "claude-3-5-haiku": "claude-3-5-haiku-20241022",
    "claude-3-7-sonnet": "claude-3-7-sonnet-20250219",
}
"""Names without a date that people write and that the interface does not know."""


def wire_name(model: str) -> str:
    """The name that the interface knows: dashes for dots, as in `claude-3.5-haiku`, and a date where it needs one."""
    dashed = model.replace(".", "-")
    return _DATED.get(dashed, dashed)


@dataclass
class Anthropic(Claude):
    """One question's model; `response_format` is a bare JSON Schema."""

    overhead: ClassVar[int] = 1024
    """Tokens that the provider's own instructions for the use of a tool may add to the input."""
    schema: dict[str, Any] | None = field(default=None, repr=False)

    async def ainvoke(self, *args: Any, response_format: Any = None, **kwargs: Any) -> ModelResponse:
        self.schema = response_format
        return await super().ainvoke(*args, **kwargs)

    def get_request_params(self, response_format: Any = None, tools: Any = None) -> dict[str, Any]:
        params: dict[str, Any] = super().get_request_params()
        if self.schema is not None:
            tool = {"name": TOOL, "description": "Gives the answer.", "input_schema": self.schema}
            choice = {"type": "tool", "name": TOOL, "disable_parallel_tool_use": True}
            params |= {"tools": [tool], "tool_choice": choice}
        if params.get("extra_body", {}).get("temperature") is not None:
            params["extra_headers"] = {"anthropic-version": WITH_TEMPERATURE}
        return params

    def _parse_provider_response(self, response: Any, response_format: Any = None, **_: Any) -> ModelResponse:
        if getattr(response, "type", None) != "message":
            raise ModelError(f"{self.id}: the server's answer is not a message")
        texts = [block.text for block in response.content or [] if block.type == "text"]
        used = [block.input for block in response.content or [] if block.type == "tool_use"]
        content = json.dumps(used[0], ensure_ascii=False) if used else "".join(texts)
        told: dict[str, Any] = {"finish_reason": _FINISH.get(response.stop_reason, response.stop_reason)}
        if response.stop_reason == "refusal":
            told["refusal"] = content[:500] or "the model declined to answer"
        usage = self._get_metrics(response.usage) if response.usage is not None else None
        return ModelResponse(role="assistant", content=content, provider_data=told, response_usage=usage)

    def _get_metrics(self, response_usage: Any) -> MessageMetrics:
        """Anthropic counts what it reads from its cache, or writes there, beside the input; here it is part of it."""
        metrics = super()._get_metrics(response_usage)
        metrics.input_tokens += metrics.cache_read_tokens + metrics.cache_write_tokens
        metrics.total_tokens = metrics.input_tokens + metrics.output_tokens
        return metrics


_FINISH = {"max_tokens": "length", "model_context_window_exceeded": "length"}

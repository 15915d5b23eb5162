"""Anthropic's models in their own protocol.

Older models (to Claude 4) get a schema as the input of a tool that they must use, which takes all of JSON Schema. Newer
ones know structured output, and the newest refuse to be made to use a tool: they get as much of a schema as structured
output can say. Where that is not enough, as with objects whose keys are open, the prompt alone says it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

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

    schema: dict[str, Any] | None = field(default=None, repr=False)

    async def ainvoke(self, *args: Any, response_format: Any = None, **kwargs: Any) -> ModelResponse:
        self.schema = response_format
        return await super().ainvoke(*args, **kwargs)

    def get_request_params(self, response_format: Any = None, tools: Any = None) -> dict[str, Any]:
        params: dict[str, Any] = super().get_request_params()
        if self.schema is not None and self._supports_structured_outputs():
            if (narrow := narrowed(self.schema)) is not None:
                params["output_config"] = {"format": {"type": "json_schema", "schema": narrow}}
        elif self.schema is not None:
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
            told["refusal"] = content or "the model declined to answer"
        usage = self._get_metrics(response.usage) if response.usage is not None else None
        return ModelResponse(role="assistant", content=content, provider_data=told, response_usage=usage)

    def _get_metrics(self, response_usage: Any) -> MessageMetrics:
        """Anthropic counts what it reads from its cache, or writes there, beside the input; here it is part of it."""
        metrics = super()._get_metrics(response_usage)
        metrics.input_tokens += metrics.cache_read_tokens + metrics.cache_write_tokens
        metrics.total_tokens = metrics.input_tokens + metrics.output_tokens
        return metrics


_FINISH = {"max_tokens": "length", "model_context_window_exceeded": "length"}

_SIMPLE = frozenset({"string", "integer", "number", "boolean", "null"})


def narrowed(schema: Any) -> dict[str, Any] | None:
    """A schema in the part of JSON Schema that structured output takes; None where it cannot be said there.

    Bounds of lengths and numbers are dropped: what comes back is held against the whole schema here.
    """
    if not isinstance(schema, dict) or {"allOf", "not", "if", "patternProperties", "$ref"} & set(schema):
        return None
    words = {"description": schema["description"]} if "description" in schema else {}
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return words | {"enum": values} if not any(isinstance(each, dict | list) for each in values) else None
    kind = schema.get("type")
    choices = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(kind, list):
        choices = [schema | {"type": each} for each in kind]
    if choices is not None:
        narrow = [narrowed(each) for each in choices]
        return None if None in narrow else words | {"anyOf": narrow}
    if kind == "array":
        items = narrowed(schema.get("items"))
        return None if items is None else words | {"type": "array", "items": items}
    if kind == "object":
        return _closed(schema, words)
    return words | {"type": kind} if kind in _SIMPLE else None


def _closed(schema: dict[str, Any], words: dict[str, Any]) -> dict[str, Any] | None:
    """An object with the declared keys alone."""
    declared = schema.get("properties")
    if not declared or schema.get("additionalProperties"):
        return None
    narrow = {name: narrowed(each) for name, each in declared.items()}
    if None in narrow.values() or not set(schema.get("required", [])) <= set(narrow):
        return None
    wanted = {"required": schema["required"]} if "required" in schema else {}
    return words | {"type": "object", "properties": narrow, **wanted, "additionalProperties": False}

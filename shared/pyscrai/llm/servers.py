"""Model servers that speak OpenAI's protocol, and what some of them do in a way of their own.

agno drops refusals and errors inside an answer of 200; they are kept here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agno.metrics import MessageMetrics
from agno.models.openai.like import OpenAILike
from agno.models.response import ModelResponse

from pyscrai.llm.classify import wait_of
from pyscrai.llm.errors import ModelError, Overloaded, RateLimited, Refused, Rejected


@dataclass
class Server(OpenAILike):
    """Any server of this protocol. `response_format` is a bare JSON Schema."""

    def get_request_params(
        self, response_format: Any = None, tools: Any = None, tool_choice: Any = None, run_response: Any = None
    ) -> dict[str, Any]:
        if response_format is not None:
            # Not `strict`: that mode takes only a part of JSON Schema.
            answer = {"name": "answer", "schema": response_format, "strict": False}
            response_format = {"type": "json_schema", "json_schema": answer}
        return super().get_request_params(response_format, tools, tool_choice, run_response)

    def _parse_provider_response(self, response: Any, response_format: Any = None, **_: Any) -> ModelResponse:
        if error := getattr(response, "error", None):
            raise _inner_error(self.id, error)
        if not getattr(response, "choices", None):
            raise self._without_choices(response)
        choice = response.choices[0]
        if error := getattr(choice, "error", None):
            raise _inner_error(self.id, error)
        parsed = super()._parse_provider_response(response, response_format=response_format)
        parsed.provider_data = (parsed.provider_data or {}) | {"finish_reason": choice.finish_reason}
        refusal = getattr(choice.message, "refusal", None)
        if refusal or (choice.finish_reason == "content_filter" and not parsed.content):
            parsed.provider_data["refusal"] = refusal or "stopped by the provider's content filter"
        return parsed

    def _without_choices(self, response: Any) -> ModelError:
        return ModelError(f"{self.id}: the server's answer is not a chat completion")

    def _get_metrics(self, response_usage: Any) -> MessageMetrics:
        """What is in the total but not in the question is output: some leave a model's thoughts out of it."""
        read = getattr(response_usage, "prompt_tokens", None) or 0
        written = getattr(response_usage, "completion_tokens", None) or 0
        written = max(written, (getattr(response_usage, "total_tokens", None) or 0) - read)
        asked = getattr(response_usage, "prompt_tokens_details", None)
        answered = getattr(response_usage, "completion_tokens_details", None)
        return MessageMetrics(
            input_tokens=read,
            output_tokens=written,
            total_tokens=read + written,
            cache_read_tokens=getattr(asked, "cached_tokens", None) or 0,
            cache_write_tokens=getattr(asked, "cache_write_tokens", None) or 0,
            reasoning_tokens=getattr(answered, "reasoning_tokens", None) or 0,
        )


@dataclass
class Gemini(Server):
    """Google's models at its endpoint for OpenAI's clients."""

    def _without_choices(self, response: Any) -> ModelError:
        if getattr(response, "object", None) == "chat.completion":
            return Refused(f"{self.id}: the provider's filter let neither question nor answer pass")
        return super()._without_choices(response)


@dataclass
class Groq(Server):
    """Groq checks an answer against its schema, and reports one that does not fit as an error of the request."""

    async def ainvoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        try:
            return await super().ainvoke(*args, **kwargs)
        except Exception as error:
            written = _failed_generation(error)
            if written is None:
                raise
            # The model did answer: what it wrote is repaired as any other. Nobody says what it cost.
            return ModelResponse(role="assistant", content=written)


def _failed_generation(error: BaseException) -> str | None:
    body = getattr(error.__cause__, "body", None)
    told = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(told, dict) and told.get("code") == "json_validate_failed":
        return str(told.get("failed_generation") or "")
    return None


def _inner_error(model: str, error: Any) -> ModelError:
    """An error that a router reports inside a successful HTTP answer."""
    code = error.get("code") if isinstance(error, dict) else None
    said = error.get("message", "") if isinstance(error, dict) else str(error)
    text = f"{model}: {said or 'the provider reported an error'}"
    told = error if isinstance(error, dict) else {}
    if code == 429:
        return RateLimited(text, retry_after=wait_of({}, told, str(said)), unbilled=True)
    if code in (503, 529):
        return Overloaded(text, retry_after=wait_of({}, told, str(said)), unbilled=True)
    if code == 403:
        return Refused(text)
    return Overloaded(text) if not isinstance(code, int) or code >= 500 else Rejected(text)

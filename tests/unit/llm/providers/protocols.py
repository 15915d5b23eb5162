"""Small servers on this machine, each of which speaks one provider's HTTP protocol.

The shapes of answers and errors are the providers' own. A server is as strict as its provider: it knows one path, wants
the key where its provider wants it, and refuses what its provider does not take.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

KEY = "sk-test-5f1e0c9a77"


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Protocol:
    """What a provider's server does. `replies` are given in turn to requests that pass `check`."""

    name: ClassVar[str]
    model: ClassVar[str] = ""
    """As a person writes it."""
    wire_model: ClassVar[str] = ""
    path: ClassVar[str]
    base: ClassVar[str] = ""
    """What of the path belongs to the address."""
    base_variable: ClassVar[str] = ""
    key_variable: ClassVar[str] = ""
    takes: ClassVar[frozenset[str]] = frozenset()
    limit: ClassVar[str] = "max_tokens"
    errors: ClassVar[dict[str, Reply]] = {}

    url: str = ""
    replies: list[Reply | None] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    hang: bool = False

    def check(self, request: Request) -> Reply | None:
        """What the provider says to a request that it does not take."""
        raise NotImplementedError

    def answer(self, text: str, finish: str = "stop", usage: dict[str, Any] | None = None) -> Reply:
        raise NotImplementedError

    def says(self, text: str, finish: str = "stop", usage: dict[str, Any] | None = None) -> None:
        self.replies.append(self.answer(text, finish, usage))

    def fails(self, kind: str) -> None:
        self.replies.append(self.errors[kind])

    def schema(self, body: dict[str, Any]) -> Any:
        """The JSON Schema that went with a request, if any."""
        raise NotImplementedError

    def texts(self, body: dict[str, Any]) -> list[tuple[str, str]]:
        """Role and text of each message, the system's first."""
        raise NotImplementedError

    def respond(self, request: Request) -> Reply | None:
        """None drops the connection."""
        self.requests.append(request)
        self.asked.set()
        if refused := self.check(request):
            return refused
        return self.replies.pop(0) if self.replies else None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                start, *lines = head.decode().strip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                reply = self.respond(Request(start.split()[1], headers, body))
                if self.hang:
                    await reader.read()
                    return
                if reply is None:
                    return
                writer.write(_bytes(reply))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


def _bytes(reply: Reply) -> bytes:
    html = isinstance(reply.body, str)
    payload = reply.body.encode() if html else json.dumps(reply.body).encode()
    kind = "text/html" if html else "application/json"
    head = {"content-type": kind, "content-length": str(len(payload)), **reply.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 {reply.status} X\r\n{lines}\r\n".encode() + payload


USAGE = {"prompt_tokens": 1117, "completion_tokens": 46, "total_tokens": 1163}
"""In the words of OpenAI's protocol; Anthropic's server says the same in its own."""


@dataclass
class OpenAI(Protocol):
    name = "openai"
    model = wire_model = "gpt-4o-mini"
    path = "/v1/chat/completions"
    base = "/v1"
    base_variable = "OPENAI_BASE_URL"
    key_variable = "OPENAI_API_KEY"
    limit = "max_completion_tokens"
    takes = frozenset({"model", "messages", "response_format", "max_completion_tokens", "temperature", "seed"})
    errors = {
        "unauthorized": Reply(
            401,
            {
                "error": {
                    "message": f"Incorrect API key provided: {KEY}. You can find your API key in your settings.",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": "invalid_api_key",
                }
            },
        ),
        "unknown_model": Reply(
            404,
            {
                "error": {
                    "message": "The model `gpt-4o-mini` does not exist or you do not have access to it.",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": "model_not_found",
                }
            },
        ),
        "rate_limited": Reply(
            429,
            {
                "error": {
                    "message": "Rate limit reached for gpt-4o-mini on tokens per min (TPM): Limit 200000, Used 199000.",
                    "type": "tokens",
                    "param": None,
                    "code": "rate_limit_exceeded",
                }
            },
            {"retry-after": "7", "retry-after-ms": "6500"},
        ),
        "no_credit": Reply(
            429,
            {
                "error": {
                    "message": "You exceeded your current quota, please check your plan and billing details.",
                    "type": "insufficient_quota",
                    "param": None,
                    "code": "insufficient_quota",
                }
            },
        ),
        "too_long": Reply(
            400,
            {
                "error": {
                    "message": "This model's maximum context length is 128000 tokens, but you asked for 131000.",
                    "type": "invalid_request_error",
                    "param": "messages",
                    "code": "context_length_exceeded",
                }
            },
        ),
        "overloaded": Reply(
            503,
            {
                "error": {
                    "message": "The server is currently overloaded with other requests.",
                    "type": "server_error",
                    "param": None,
                    "code": None,
                }
            },
        ),
        "broken": Reply(500, {"error": {"message": "The server had an error.", "type": "server_error"}}),
        "no_format": Reply(
            400,
            {
                "error": {
                    "message": "Invalid parameter: 'response_format' of type 'json_schema' is not supported.",
                    "type": "invalid_request_error",
                    "param": "response_format",
                    "code": None,
                }
            },
        ),
        "no_temperature": Reply(
            400,
            {
                "error": {
                    "message": "Unsupported value: 'temperature' does not support 0.5 with this model.",
                    "type": "invalid_request_error",
                    "param": "temperature",
                    "code": "unsupported_value",
                }
            },
        ),
    }

    def check(self, request: Request) -> Reply | None:
        if request.path != self.path:
            return Reply(404, {"error": {"message": f"Invalid URL (POST {request.path})"}})
        if self.key_variable and request.headers.get("authorization") != f"Bearer {KEY}":
            return self.errors["unauthorized"]
        if unknown := sorted(set(request.body) - self.takes):
            return Reply(400, {"error": {"message": f"Unrecognized request argument supplied: {unknown[0]}"}})
        return None

    def answer(self, text: str, finish: str = "stop", usage: dict[str, Any] | None = None) -> Reply:
        message = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
        return Reply(200, self.completion(message, finish, USAGE if usage is None else usage))

    def completion(self, message: dict[str, Any], finish: str, usage: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
            "object": "chat.completion",
            "created": 1741569952,
            "model": "gpt-4o-mini-2024-07-18",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
            "usage": usage,
            "service_tier": "default",
            "system_fingerprint": "fp_0392822090",
        }

    def schema(self, body: dict[str, Any]) -> Any:
        told = body.get("response_format")
        return told and told["json_schema"]["schema"]

    def texts(self, body: dict[str, Any]) -> list[tuple[str, str]]:
        return [(each["role"], each["content"]) for each in body["messages"]]


@dataclass
class OpenRouter(OpenAI):
    name = "openrouter"
    model = "anthropic/claude-3.5-haiku"
    wire_model = "anthropic/claude-3.5-haiku"
    path = "/api/v1/chat/completions"
    base = "/api/v1"
    base_variable = "OPENROUTER_BASE_URL"
    key_variable = "OPENROUTER_API_KEY"
    limit = "max_tokens"
    takes = frozenset({"model", "messages", "response_format", "max_tokens", "temperature", "seed"})
    errors = {
        "unauthorized": Reply(401, {"error": {"message": f"User not found for {KEY}.", "code": 401}, "user_id": None}),
        "unknown_model": Reply(404, {"error": {"message": "No endpoints found for anthropic/claude-9.", "code": 404}}),
        "rate_limited": Reply(
            429,
            {
                "error": {
                    "message": "Provider returned error",
                    "code": 429,
                    "metadata": {"raw": "temporarily rate-limited upstream", "provider_name": "Anthropic"},
                }
            },
            {"retry-after": "12"},
        ),
        "no_credit": Reply(402, {"error": {"message": "This request requires more credits.", "code": 402}}),
        "too_long": Reply(
            400,
            {
                "error": {
                    "message": "This endpoint's maximum context length is 200000 tokens. You requested 210000.",
                    "code": 400,
                    "metadata": {"provider_name": None},
                }
            },
        ),
        "overloaded": Reply(503, {"error": {"message": "No instances available", "code": 503}}),
        "broken": Reply(502, {"error": {"message": "Provider returned error", "code": 502}}),
        "no_format": Reply(400, {"error": {"message": "This model does not support json_schema", "code": 400}}),
        "refused": Reply(
            403,
            {
                "error": {
                    "message": "Input was flagged: the model requires moderation on this route.",
                    "code": 403,
                    "metadata": {"reasons": ["violence"], "flagged_input": "…", "provider_name": "OpenAI"},
                }
            },
        ),
    }

    def completion(self, message: dict[str, Any], finish: str, usage: dict[str, Any]) -> dict[str, Any]:
        choice = {
            "logprobs": None,
            "finish_reason": finish,
            "native_finish_reason": {"stop": "end_turn", "length": "max_tokens"}.get(finish, finish),
            "index": 0,
            "message": {**message, "reasoning": None},
        }
        return {
            "id": "gen-1741569952-rTnJd6S9hG2",
            "provider": "Anthropic",
            "model": self.wire_model,
            "object": "chat.completion",
            "created": 1741569952,
            "choices": [choice],
            "usage": usage and {**usage, "cost": 0.00107, "is_byok": False},
        }


@dataclass
class Gemini(OpenAI):
    name = "gemini"
    model = "gemini-2.5-flash"
    wire_model = "gemini-2.5-flash"
    path = "/v1beta/openai/chat/completions"
    base = "/v1beta/openai"
    base_variable = "GEMINI_BASE_URL"
    key_variable = "GEMINI_API_KEY"
    limit = "max_tokens"
    takes = frozenset({"model", "messages", "response_format", "max_tokens", "temperature"})

    @staticmethod
    def _error(status: int, message: str, name: str, *details: dict[str, Any]) -> Reply:
        told = {"code": status, "message": message, "status": name, "details": list(details)}
        return Reply(status, [{"error": told}])

    errors = {
        "unauthorized": _error(
            400,
            "API key not valid. Please pass a valid API key.",
            "INVALID_ARGUMENT",
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"},
        ),
        "unknown_model": _error(404, "models/gemini-9 is not found for API version v1main.", "NOT_FOUND"),
        "rate_limited": _error(
            429,
            "You exceeded your current quota, please check your plan and billing details. Please retry in 53.016s.",
            "RESOURCE_EXHAUSTED",
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": []},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "53s"},
        ),
        "too_long": _error(
            400,
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            "INVALID_ARGUMENT",
        ),
        "overloaded": _error(503, "The model is overloaded. Please try again later.", "UNAVAILABLE"),
        "broken": _error(500, "An internal error has occurred.", "INTERNAL"),
        "no_format": _error(400, "Request contains an invalid response_format.", "INVALID_ARGUMENT"),
    }

    def check(self, request: Request) -> Reply | None:
        if unknown := sorted(set(request.body) - self.takes):
            said = f'Invalid JSON payload received. Unknown name "{unknown[0]}": Cannot find field.'
            return self._error(400, said, "INVALID_ARGUMENT")
        return super().check(request)

    def completion(self, message: dict[str, Any], finish: str, usage: dict[str, Any]) -> dict[str, Any]:
        message = {"role": "assistant", "content": message["content"]}
        return {
            "choices": [{"finish_reason": finish, "index": 0, "message": message}],
            "created": 1741569952,
            "id": "4PPTaIa3L5qfmtkP",
            "model": self.wire_model,
            "object": "chat.completion",
            "usage": usage,
        }


@dataclass
class Groq(OpenAI):
    name = "groq"
    model = "groq:llama-3.1-8b-instant"
    wire_model = "llama-3.1-8b-instant"
    path = "/openai/v1/chat/completions"
    base = "/openai/v1"
    base_variable = "GROQ_BASE_URL"
    key_variable = "GROQ_API_KEY"

    @staticmethod
    def _error(
        status: int, message: str, code: str | None, headers: dict[str, str] | None = None, **more: Any
    ) -> Reply:
        told = {"message": message, "type": "invalid_request_error", "code": code, **more}
        return Reply(status, {"error": told}, headers or {})

    errors = {
        "unauthorized": _error(401, "Invalid API Key", "invalid_api_key"),
        "unknown_model": _error(404, "The model `llama-9` does not exist.", "model_not_found"),
        "rate_limited": _error(
            429,
            "Rate limit reached for model `llama-3.1-8b-instant` on tokens per minute (TPM): Limit 6000, Used 5800.",
            "rate_limit_exceeded",
            {"retry-after": "2"},
        ),
        "too_long": _error(
            400, "Please reduce the length of the messages or completion.", "context_length_exceeded", param="messages"
        ),
        "overloaded": _error(498, "Flex tier capacity exceeded.", "capacity_exceeded"),
        "broken": _error(500, "Internal Server Error", None),
        "no_format": _error(400, "This model does not support response format `json_schema`.", None),
        "does_not_fit": _error(
            400,
            "Failed to validate JSON. Please adjust your prompt. See 'failed_generation' for more details.",
            "json_validate_failed",
            failed_generation='{"act": "We wait."}',
        ),
    }

    def completion(self, message: dict[str, Any], finish: str, usage: dict[str, Any]) -> dict[str, Any]:
        told = {"role": "assistant", "content": message["content"]}
        times = {"queue_time": 0.037, "prompt_time": 0.0007, "completion_time": 0.46, "total_time": 0.4607}
        return super().completion(told, finish, usage and {**usage, **times}) | {"x_groq": {"id": "req_01jbd6g2"}}


@dataclass
class Ollama(OpenAI):
    name = "ollama"
    model = "ollama/llama3.2:3b"
    wire_model = "llama3.2:3b"
    base = ""
    base_variable = "OLLAMA_HOST"
    key_variable = ""
    limit = "max_tokens"
    takes = frozenset({"model", "messages", "response_format", "max_tokens", "temperature", "seed"})

    @staticmethod
    def _error(status: int, message: str) -> Reply:
        return Reply(status, {"error": {"message": message, "type": "api_error", "param": None, "code": None}})

    errors = {
        "unknown_model": _error(404, 'model "llama3.2:3b" not found, try pulling it first'),
        "too_long": _error(400, "the input exceeds the context length of 4096 tokens"),
        "overloaded": _error(503, "server busy, please try again. maximum pending requests exceeded"),
        "broken": _error(500, "llama runner process has terminated: signal: killed"),
        "no_format": _error(400, "invalid JSON schema in format"),
    }

    def completion(self, message: dict[str, Any], finish: str, usage: dict[str, Any]) -> dict[str, Any]:
        told = {"role": "assistant", "content": message["content"]}
        return {
            "id": "chatcmpl-443",
            "object": "chat.completion",
            "created": 1741569952,
            "model": self.wire_model,
            "system_fingerprint": "fp_ollama",
            "choices": [{"index": 0, "message": told, "finish_reason": finish}],
            "usage": usage,
        }


@dataclass
class AnyServer(Ollama):
    """As llama.cpp's server has it."""

    name = "openai-like"
    model = ""
    wire_model = "tiny"
    base = "/v1"
    base_variable = ""
    key_variable = "PYSCRAI_MODEL_API_KEY"

    @staticmethod
    def _error(status: int, message: str, kind: str = "server_error") -> Reply:
        return Reply(status, {"error": {"code": status, "message": message, "type": kind}})

    errors = {
        "unauthorized": _error(401, "Invalid API Key", "authentication_error"),
        "unknown_model": _error(404, "model 'tiny' not found", "not_found_error"),
        "too_long": _error(400, "the request exceeds the available context size (4096)", "exceed_context_size_error"),
        "overloaded": _error(503, "Loading model", "unavailable_error"),
        "broken": _error(500, "Compute error."),
        "no_format": _error(400, "Unsupported response_format: json_schema", "invalid_request_error"),
    }


@dataclass
class Anthropic(Protocol):
    name = "anthropic"
    model = "claude-3-haiku"
    wire_model = "claude-3-haiku-20240307"
    path = "/v1/messages"
    base_variable = "ANTHROPIC_BASE_URL"
    key_variable = "ANTHROPIC_API_KEY"
    takes = frozenset(
        {"model", "messages", "system", "max_tokens", "temperature", "tools", "tool_choice", "output_config"}
    )

    @staticmethod
    def _error(status: int, kind: str, message: str, **headers: str) -> Reply:
        told = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011CSHoEeqs5C35K2"}
        return Reply(status, told, {name.replace("_", "-"): value for name, value in headers.items()})

    errors = {
        "unauthorized": _error(401, "authentication_error", f"invalid x-api-key {KEY}"),
        "unknown_model": _error(404, "not_found_error", "model: claude-3-haiku-20240307"),
        "rate_limited": _error(
            429,
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 50,000 input tokens per minute.",
            retry_after="31",
        ),
        "no_credit": _error(
            400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."
        ),
        "too_long": _error(400, "invalid_request_error", "prompt is too long: 203456 tokens > 200000 maximum"),
        "too_big": _error(413, "request_too_large", "Request exceeds the maximum size"),
        "overloaded": _error(529, "overloaded_error", "Overloaded", retry_after="4"),
        "broken": _error(500, "api_error", "Internal server error"),
        "no_format": _error(400, "invalid_request_error", "tools.0.custom.input_schema: JSON schema is invalid."),
        "no_temperature": _error(400, "invalid_request_error", "`temperature` is not supported by this model."),
    }

    def check(self, request: Request) -> Reply | None:
        body = request.body
        if request.path != self.path:
            return self._error(404, "not_found_error", "Not found")
        if KEY not in (request.headers.get("x-api-key"), request.headers.get("authorization", "")[len("Bearer ") :]):
            return self.errors["unauthorized"]
        if (version := request.headers.get("anthropic-version")) not in ("2023-06-01", "2026-10-21"):
            return self._error(400, "invalid_request_error", "anthropic-version: header is required")
        if version == "2026-10-21" and "temperature" in body:
            return self._error(400, "invalid_request_error", "temperature: Extra inputs are not permitted")
        if unknown := sorted(set(body) - self.takes):
            return self._error(400, "invalid_request_error", f"{unknown[0]}: Extra inputs are not permitted")
        newer = not body["model"].startswith("claude-3-")
        if newer and "tools" in body:
            return self._error(400, "invalid_request_error", "tool_choice: forced tool use is not supported.")
        if not newer and "output_config" in body:
            return self._error(400, "invalid_request_error", "output_config.format: not supported by this model.")
        roles = [each["role"] for each in body["messages"]]
        if roles != ["user", "assistant"] * (len(roles) // 2) + ["user"]:
            return self._error(400, "invalid_request_error", "messages: roles must alternate and end with user")
        if not 0 <= body.get("temperature", 1) <= 1:
            return self._error(400, "invalid_request_error", "temperature: range: 0..1")
        return None

    def answer(self, text: str, finish: str = "stop", usage: dict[str, Any] | None = None) -> Reply:
        """A JSON object comes as the input of the tool, where one was offered."""
        told = usage or {"input_tokens": 1117, "output_tokens": 46}
        counted = {
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "service_tier": "standard",
        }
        block: dict[str, Any] = {"type": "text", "text": text}
        offered = bool(self.requests and "tools" in self.requests[-1].body)
        reason = {"stop": "end_turn", "length": "max_tokens"}.get(finish, finish)
        try:
            value = json.loads(text)
        except ValueError:
            offered = False
        if offered:
            block = {"type": "tool_use", "id": "toolu_01A09q90qw90lq917835lq9", "name": "answer", "input": value}
            reason = "tool_use" if finish == "stop" else reason
        return Reply(
            200,
            {
                "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
                "type": "message",
                "role": "assistant",
                "model": self.wire_model,
                "content": [block] if text else [],
                "stop_reason": reason,
                "stop_sequence": None,
                "usage": counted | told,
            },
        )

    def says(self, text: str, finish: str = "stop", usage: dict[str, Any] | None = None) -> None:
        self.later.append((text, finish, usage))
        self.replies.append(None)

    later: list[tuple[str, str, dict[str, Any] | None]] = field(default_factory=list)

    def respond(self, request: Request) -> Reply | None:
        """Whether the answer uses a tool depends on the request."""
        reply = super().respond(request)
        if reply is None and self.later:
            return self.answer(*self.later.pop(0))
        return reply

    def schema(self, body: dict[str, Any]) -> Any:
        if "tools" not in body:
            return None
        (tool,) = body["tools"]
        assert body["tool_choice"] == {"type": "tool", "name": tool["name"], "disable_parallel_tool_use": True}
        return tool["input_schema"]

    def texts(self, body: dict[str, Any]) -> list[tuple[str, str]]:
        turns = [("system", body.get("system", [])), *((each["role"], each["content"]) for each in body["messages"])]
        return [(role, "".join(part["text"] for part in parts)) for role, parts in turns]


PROTOCOLS: tuple[type[Protocol], ...] = (OpenAI, Anthropic, OpenRouter, Gemini, Groq, Ollama, AnyServer)

"""What the published description of the API says of errors: every one is a problem, whichever route it comes from."""

from __future__ import annotations

from typing import Any

from pyscrai.contract.problems import Problem

METHODS = frozenset({"get", "put", "post", "delete", "patch"})
INVENTED = ("HTTPValidationError", "ValidationError")
"""Schemas of the framework's own 422 to what is not valid. Here that is a problem with status 400; a 422 is one too."""
BRINGING = (("/api/v1/events", "post"), ("/api/v1/runs", "post"))
"""Routes that may find a lane full."""


def with_problems(schema: dict[str, Any]) -> dict[str, Any]:
    """A description in which each operation under /api answers with problems where something is wrong; changes it."""
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in INVENTED:
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    for path, operations in schema["paths"].items():
        for method in METHODS & operations.keys():
            responses = operations[method]["responses"]
            responses.pop("422", None)
            responses["4XX"] = _answer("The request cannot be carried out; `code` and `detail` say why")
            responses["5XX"] = _answer("The service or its database cannot work now; the same request may be repeated")
            if (path, method) in BRINGING:
                responses["429"] = _full()
    return schema


def _answer(description: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": description, "content": content}


def _full() -> dict[str, Any]:
    answer = _answer("A lane has no room (`queue_full`); nothing was done")
    answer["headers"] = {
        "Retry-After": {"description": "Seconds until there may be room", "schema": {"type": "integer"}},
    }
    answer["content"]["application/problem+json"]["example"] = {
        "type": "about:blank",
        "title": "The queue is full",
        "status": 429,
        "code": "queue_full",
        "detail": "1000000 events wait in the lane 'actor'; it takes no more than 1000000",
        "errors": [],
        "lane": "actor",
        "depth": 1000000,
        "limit": 1000000,
    }
    return answer

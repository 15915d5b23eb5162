"""What the description of the API says of errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pyscrai_api.app import create_app
from pyscrai_api.settings import Settings


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    app = create_app(Settings(database_url="postgresql://nobody@127.0.0.1:1/none"))
    return app.openapi()


def test_every_operation_answers_with_problems_only(described: dict[str, Any]) -> None:
    operations = [one for path in described["paths"].values() for one in path.values()]
    assert len(operations) > 80
    for one in operations:
        assert {"4XX", "5XX"} <= one["responses"].keys(), one["operationId"]
        assert "422" not in one["responses"], one["operationId"]
        for status in ("4XX", "5XX"):
            assert list(one["responses"][status]["content"]) == ["application/problem+json"]
    assert "ValidationError" not in json.dumps(described)
    assert set(described["components"]["schemas"]["Problem"]["required"]) == {"title", "status", "code"}
    assert "FieldError" in described["components"]["schemas"]


def test_those_that_bring_work_may_find_no_room(described: dict[str, Any]) -> None:
    full = {path for path, found in described["paths"].items() if "429" in found.get("post", {}).get("responses", {})}
    assert full == {"/api/v1/events", "/api/v1/runs"}
    answer = described["paths"]["/api/v1/events"]["post"]["responses"]["429"]
    assert "Retry-After" in answer["headers"]
    assert answer["content"]["application/problem+json"]["example"]["code"] == "queue_full"

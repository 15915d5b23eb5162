"""What providers say, in the words in which they really say it."""

from __future__ import annotations

import time
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest

from pyscrai.llm import ModelError, Overloaded, RateLimited, Rejected, TooLong
from pyscrai.llm.classify import classify, wait_of


class Answered(Exception):
    """As the clients raise it: with the response and the body of the answer."""

    def __init__(self, status: int, body: Any, headers: dict[str, str]) -> None:
        super().__init__(f"status {status}")
        self.response = SimpleNamespace(status_code=status, headers=headers)
        self.body = body


def meant(status: int, message: str, headers: dict[str, str] | None = None, /, **more: Any) -> ModelError:
    body = {"error": {"message": message, **more}}
    return classify(Answered(status, body, headers or {}), "a-model").error


@pytest.mark.parametrize(
    ("status", "message", "more", "kind", "permanent"),
    [
        (429, "You exceeded your current quota.", {"code": "insufficient_quota"}, Rejected, True),
        (429, "Spent.", {"details": {"error_code": "enforced_spend_limit_reached"}}, Rejected, True),
        (400, "You have reached your specified API usage limits.", {}, Rejected, True),
        (429, "Request too large for gpt-4o: Limit 30000, Requested 35000.", {"code": "tokens"}, TooLong, True),
        (413, "Request too large for model `m` on tokens per minute", {}, TooLong, True),
        (409, "conflict_error", {}, Overloaded, False),
        (500, "model requires more system memory (5.0 GiB) than is available (3.9 GiB)", {}, Rejected, True),
        (429, "Resource has been exhausted (e.g. check quota).", {"status": "RESOURCE_EXHAUSTED"}, RateLimited, False),
    ],
)
def test_what_it_means(status: int, message: str, more: dict[str, Any], kind: type, permanent: bool) -> None:
    error = meant(status, message, **more)
    assert (type(error), error.permanent) == (kind, permanent)


@pytest.mark.parametrize(
    ("message", "begun"),
    [
        ("The model is overloaded. Please try again later.", False),
        ("server busy, please try again.  maximum pending requests exceeded", False),
        ("No instances available", False),
        ("upstream connect error or disconnect", True),
    ],
)
def test_whether_a_provider_began_that_is_not_available(message: str, begun: bool) -> None:
    assert meant(503, message).unbilled is not begun
    assert meant(503, message, {"retry-after": "5"}).unbilled, "who says when to come back has not begun"
    assert not meant(500, message).unbilled


@pytest.mark.parametrize(
    ("headers", "told", "said", "seconds"),
    [
        ({"retry-after-ms": "346"}, {}, "", 0.346),
        ({"retry-after": "7"}, {}, "Please try again in 20s.", 7),
        ({"retry-after": "-1"}, {}, "", 0),
        ({"retry-after": "soon"}, {}, "", None),
        ({"retry-after": "inf"}, {}, "", None),
        ({}, {"details": [{"retryDelay": "53.5s"}]}, "", 53.5),
        ({}, {}, "Limit 200000, Used 191584. Please try again in 11.122s. Visit the page.", 11.122),
        ({}, {}, "Please try again in 6ms. Contact us", 0.006),
        ({}, {}, "Please try again in 7m12.5s.", 432.5),
        ({}, {}, "Please try again later.", None),
        ({}, {"metadata": {"headers": {"X-RateLimit-Reset": "0"}}}, "", 0),
    ],
)
def test_how_long_a_provider_wants_to_be_left_alone(
    headers: dict[str, str], told: dict[str, Any], said: str, seconds: float | None
) -> None:
    assert wait_of(headers, told, said) == (None if seconds is None else pytest.approx(seconds))


def test_a_moment_instead_of_seconds() -> None:
    later = time.time() + 3600
    for found in (
        wait_of({"retry-after": formatdate(later, usegmt=True)}, {}, ""),
        wait_of({}, {"metadata": {"headers": {"X-RateLimit-Reset": str(int(later * 1000))}}}, ""),
    ):
        assert found is not None
        assert 3000 < found <= 3600

"""What models cost: by every provider's own name, by declaration, and nothing where nobody knows."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from pyscrai.domain.choices import Price
from pyscrai_api.money.prices import price_of, read_prices


def price(read: str, written: str) -> Price:
    return Price(input=Decimal(read), output=Decimal(written))


FREE = price("0", "0")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gpt-4o-mini", price("0.15", "0.6")),
        ("claude-3-haiku", price("0.25", "1.25")),
        ("anthropic:claude-3-5-sonnet-20241022", price("3", "15")),
        ("openai/gpt-4o-mini", price("0.15", "0.6")),
        ("anthropic/claude-3-haiku", price("0.25", "1.25")),
    ],
)
def test_the_names_of_the_seeds_have_published_prices(model: str, expected: Price) -> None:
    assert price_of(model, {}, {}) == expected


@pytest.mark.parametrize("model", ["gemini-1.5-pro", "google:gemini-2.5-flash", "groq:llama-3.1-8b-instant"])
def test_each_provider_is_known_to_the_published_list(model: str) -> None:
    known = price_of(model, {}, {})
    assert known is not None
    assert known.input > 0


@pytest.mark.parametrize("model", ["meta-llama/llama-3.1-8b-instruct:free", "alibaba/tongyi-deepresearch-30b-a3b:free"])
def test_what_openrouter_calls_free_is_free_by_name(model: str) -> None:
    assert price_of(model, {}, {}) == FREE


@pytest.mark.parametrize(
    "model",
    [
        "claude-9",
        "gemini:gemini-9-pro",
        "openrouter/auto",
        "openai/gpt-4o:online",
        "openai:gpt-4o-mini:free",
        "ollama/llama3.2",
        "http://127.0.0.1:8080/v1#tiny",
        "local/tiny",
        "no such name",
    ],
)
def test_what_nobody_knows_has_no_price(model: str) -> None:
    assert price_of(model, {}, {}) is None


def test_a_declared_beginning_stands_for_all_models_of_a_server() -> None:
    declared = {"ollama:*": FREE, "http://127.0.0.1:8080/v1#*": price("1", "2")}
    assert price_of("ollama/llama3.2:3b", declared, {}) == FREE
    assert price_of("http://127.0.0.1:8080/v1#tiny", declared, {}) == price("1", "2")
    assert price_of("http://127.0.0.1:8081/v1#tiny", declared, {}) is None
    assert price_of("gpt-4o-mini", declared, {}) == price("0.15", "0.6")
    assert price_of("ollama/llama3.2:3b", {"ollama/*": FREE}, {}) == FREE


def test_the_nearest_declaration_counts() -> None:
    declared = {"ollama:*": FREE, "ollama:big-*": price("3", "3"), "ollama:big-one": price("4", "4")}
    assert price_of("ollama:big-one", declared, {}) == price("4", "4")
    assert price_of("ollama:big-two", declared, {}) == price("3", "3")
    assert price_of("ollama:small", declared, {}) == FREE
    assert price_of("ollama:small", {}, {"ollama:small": price("5", "5")}) == price("5", "5")
    assert price_of("ollama:small", {"ollama:*": FREE}, {"ollama:small": price("5", "5")}) == FREE


def test_the_installations_file_takes_the_same_names(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text('"ollama/*": {input: 0, output: 0}\nclaude-9: {input: "1.10", output: "2"}\n')
    prices = read_prices(path)
    assert price_of("ollama:x", {}, prices) == FREE
    assert price_of("anthropic:claude-9", {}, prices) == price("1.10", "2")

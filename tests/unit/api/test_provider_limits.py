"""The file with limits of model providers, and whose limits a model counts in."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyscrai_api.errors import StartupError
from pyscrai_api.money.provider_limits import ProviderLimits, provider_of, read_providers


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o-mini", "openai"),
        ("openai:gpt-4o-mini", "openai"),
        ("claude-3-haiku", "anthropic"),
        ("anthropic/claude-3-haiku", "openrouter"),
        ("ollama/llama3.2", "ollama"),
        ("http://Localhost:8080/v1#tiny", "localhost:8080"),
        ("https://models.example.org/v1#big", "models.example.org"),
        ("rehearsal", None),
        ("scripted:answers.yaml", None),
        ("no such model", None),
    ],
)
def test_whose_bucket_a_model_counts_in(model: str, provider: str | None) -> None:
    assert provider_of(model) == provider


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "providers.yaml"
    path.write_text(
        "openai: {concurrency: 8, requests_per_minute: 500, tokens_per_minute: 200000, timeout: 60}\n"
        "127.0.0.1:8080: {concurrency: 1}\nanthropic:\n'*': {concurrency: 4}\n"
    )
    limits = read_providers(path)
    full = ProviderLimits(concurrency=8, requests_per_minute=500, tokens_per_minute=200_000, timeout=60)
    assert limits.of("openai") == full
    assert limits.of("127.0.0.1:8080").concurrency == 1
    assert not limits.of("anthropic").bounded, "named without limits: none of `*` either"
    assert limits.of("groq").concurrency == 4
    assert limits.timeout_of("gpt-4o-mini") == 60
    assert limits.timeout_of("rehearsal") is None
    assert not read_providers(None).of("openai").bounded


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("openai: {concurency: 8}", ":1: openai.concurency: is no limit: did you mean concurrency?"),
        ("groq: {}\nopenai:\n  concurrency: 0", ":3: openai.concurrency: Input should be greater than or equal to 1"),
        ("openai:\n  timeout: soon", ":2: openai.timeout: Input should be a valid number"),
        ("openai: {requests_per_minute: 1.5}", ":1: openai.requests_per_minute: Input should be a valid integer"),
        ("openai: 8", ":1: the limits of openai: has to be a mapping"),
        ("[openai]", ":1: a mapping of providers to their limits: has to be a mapping"),
        ("\nopnai: {concurrency: 1}", ":2: opnai: is no provider: did you mean openai?"),
        ("rehearsal: {concurrency: 1}", ":1: rehearsal: asks no provider, and is never limited"),
        ("groq: {}\ngroq: {}", ":2: groq: stands here a second time"),
        ("openai: {concurrency: [", "while parsing"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "providers.yaml"
    path.write_text(text)
    with pytest.raises(StartupError) as caught:
        read_providers(path)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"gone\.yaml: No such file"):
        read_providers(tmp_path / "gone.yaml")

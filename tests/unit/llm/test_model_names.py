"""Names of models, and randomness by place."""

import pytest

from pyscrai.domain.chance import chance, pick
from pyscrai.domain.model_names import ModelRef, UnknownModel, parse


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("rehearsal", "rehearsal"),
        ("scripted:folder/a:b.yaml", "scripted:folder/a:b.yaml"),
        ("gpt-4o-mini", "openai:gpt-4o-mini"),
        ("o3-mini", "openai:o3-mini"),
        ("openai:any", "openai:any"),
        ("openai/gpt-4o-mini", "openrouter:openai/gpt-4o-mini"),
        ("openrouter:a/b", "openrouter:a/b"),
        ("ollama/llama3:8b", "ollama:llama3:8b"),
        ("claude-3-haiku", "anthropic:claude-3-haiku"),
        ("claude-3-5-sonnet-20241022", "anthropic:claude-3-5-sonnet-20241022"),
        ("anthropic:claude-3-haiku", "anthropic:claude-3-haiku"),
        ("anthropic/claude-3-5-sonnet-20241022", "openrouter:anthropic/claude-3-5-sonnet-20241022"),
        ("gemini-1.5-pro", "gemini:gemini-1.5-pro"),
        ("models/gemini-1.5-pro", "gemini:gemini-1.5-pro"),
        ("google:gemini-2.5-flash", "gemini:gemini-2.5-flash"),
        ("google/gemini-2.5-flash", "openrouter:google/gemini-2.5-flash"),
        ("groq:llama-3.1-8b-instant", "groq:llama-3.1-8b-instant"),
        ("groq/openai/gpt-oss-20b", "groq:openai/gpt-oss-20b"),
        ("openai:gpt-oss-20b", "openai:gpt-oss-20b"),
        ("ft:gpt-4o-mini:org::id", "openai:ft:gpt-4o-mini:org::id"),
        ("meta-llama/llama-3.1-8b-instruct:free", "openrouter:meta-llama/llama-3.1-8b-instruct:free"),
        (
            "alibaba/tongyi-deepresearch-30b-a3b:free",
            "openrouter:alibaba/tongyi-deepresearch-30b-a3b:free",
        ),
        ("local", "local"),
        ("http://127.0.0.1:8080/v1/#tiny", "http://127.0.0.1:8080/v1#tiny"),
    ],
)
def test_a_name_has_one_canonical_form(name: str, canonical: str) -> None:
    assert str(parse(name)) == canonical
    assert parse(canonical) == parse(name)


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("local/tiny", ("ollama:tiny", "http://127.0.0.1:8080/v1#tiny")),
        ("local:tiny", ("local", "ollama:tiny", "http://127.0.0.1:8080/v1#tiny")),
        ("llama3.2", ("ollama:llama3.2", "openrouter:meta-llama/llama3.2")),
        ("gpt-oss:20b", ("ollama:gpt-oss:20b", "openrouter:openai/gpt-oss-20b")),
        ("mistral:mistral-large", ("openrouter:mistralai/mistral-large",)),
        ("grok-4", ("openrouter:x-ai/grok-4",)),
        ("xai:grok-4", ("openrouter:x-ai/grok-4",)),
        ("antropic:claude-3-haiku", ("anthropic:claude-3-haiku",)),
        ("gogle:gemini-1.5-pro", ("gemini:gemini-1.5-pro",)),
        ("openrouter:claude-3-haiku", ("openrouter:anthropic/claude-3-haiku",)),
        ("reharsal", ("rehearsal",)),
        ("opnai:gpt", ("openai:gpt",)),
        ("http://host/v1", ("http://host/v1#NAME",)),
        ("http://user:secret@host/v1#m", ("http://host/v1#NAME",)),
        ("nonsense", ()),
        ("", ()),
        ("openai:", ()),
        ("groq:", ()),
    ],
)
def test_an_unknown_name_fails_with_what_was_perhaps_meant(name: str, candidates: tuple[str, ...]) -> None:
    with pytest.raises(UnknownModel) as caught:
        parse(name)
    assert caught.value.candidates == candidates
    assert "secret" not in str(caught.value)


def test_only_our_own_models_are_free() -> None:
    assert parse("rehearsal").free
    assert parse("scripted:x").free
    assert not ModelRef("ollama", "x").free


def test_chance_depends_on_seed_and_place_alone() -> None:
    assert chance(7, 2, "decision", "mayor") == chance(7, 2, "decision", "mayor")
    assert len({chance(7, turn, "decision", None) for turn in range(1000)}) == 1000
    assert all(0 <= chance(seed) < 2**52 for seed in range(100))


def test_pick_reaches_every_option() -> None:
    assert {pick(3, n, options="abc") for n in range(100)} == set("abc")
    with pytest.raises(ValueError, match="nothing"):
        pick(3, options=[])

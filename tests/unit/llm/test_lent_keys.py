"""Keys that come with a lease: they go first, are for that question, and are not kept."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from pyscrai.domain.model_keys import VARIABLES, provider_of, slot_of
from pyscrai.domain.model_names import parse
from pyscrai.llm import clients
from pyscrai.llm.addresses import PROVIDERS, address
from pyscrai.llm.classify import classify

OURS, LENT = "sk-of-the-engine", "sk-of-alice"


def test_a_lent_key_goes_first() -> None:
    environ = {"OPENAI_API_KEY": OURS}
    assert address(parse("openai:gpt-4o"), environ).key == OURS
    where = address(parse("openai:gpt-4o"), environ, LENT)
    assert (where.key, where.lent) == (LENT, True)
    assert LENT not in repr(where)


def test_a_lent_key_is_enough() -> None:
    assert address(parse("openai:gpt-4o"), {}, LENT).key == LENT


def test_every_provider_has_a_place_for_a_key_and_knows_it_again() -> None:
    assert {name: provider.key_variable for name, provider in PROVIDERS.items()} == dict(VARIABLES)
    for name in ("openai:a", "anthropic:a", "gemini:a", "groq:a", "openrouter:a/b", "ollama:a"):
        ref = parse(name)
        kept = slot_of(ref)
        assert kept is not None
        assert provider_of(kept) == (ref.provider, None)
    assert slot_of(parse("rehearsal")) is None


def test_a_key_for_a_server_of_ones_own_is_for_that_server() -> None:
    kept = slot_of(parse("https://one.example/v1#a"))
    assert kept == slot_of(parse("https://one.example/v1#b"))
    assert kept != slot_of(parse("https://two.example/v1#a"))
    assert kept is not None
    assert provider_of(kept) == ("openai-like", "https://one.example/v1")


async def test_a_client_of_a_lent_key_is_shared_while_it_is_used_and_then_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clients, "LINGER_SECONDS", 0.0)
    with clients.lending(LENT):
        with clients.lending(LENT):
            inner = clients.openai_client("http://127.0.0.1:1/v1", LENT, own=False, lent=True)
        # Somebody else's question is over; this one goes on.
        await asyncio.sleep(0)
        assert clients.openai_client("http://127.0.0.1:1/v1", LENT, own=False, lent=True) is inner
        assert not inner.is_closed()
    await closed(inner)
    del inner
    gc.collect()
    assert LENT not in held()
    await clients.close_clients()


async def test_a_client_lingers_for_the_next_question_and_never_too_many_do() -> None:
    with clients.lending(LENT):
        first = clients.openai_client("http://127.0.0.1:1/v1", LENT, own=False, lent=True)
    with clients.lending(LENT):
        assert clients.openai_client("http://127.0.0.1:1/v1", LENT, own=False, lent=True) is first
    for number in range(3 * clients.MOST_LINGERING):
        with clients.lending(f"sk-{number}"):
            clients.openai_client("http://127.0.0.1:1/v1", f"sk-{number}", own=False, lent=True)
    assert len(held()) == clients.MOST_LINGERING
    assert LENT not in held()
    await clients.close_clients()
    assert first.is_closed()


async def test_our_own_client_of_the_same_key_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "LINGER_SECONDS", 0.0)
    ours = clients.openai_client("http://127.0.0.1:1/v1", OURS, own=False)
    with clients.lending(OURS):
        lent = clients.openai_client("http://127.0.0.1:1/v1", OURS, own=False, lent=True)
    await closed(lent)
    assert not ours.is_closed()
    await clients.close_clients()
    assert ours.is_closed()


def held() -> set[str]:
    """The lent keys that this loop still has."""
    found = clients._loops.get(asyncio.get_running_loop())
    return set() if found is None else set(found.lent)


async def closed(client: Any) -> None:
    """Wait until it is."""
    async with asyncio.timeout(10):
        while True:
            if client.is_closed():
                return
            await asyncio.sleep(0)


@pytest.mark.parametrize("before", range(0, 560, 7))
def test_no_piece_of_a_key_is_left_where_a_message_is_cut(before: int) -> None:
    key = "lent-0123456789abcdefghijklmnop"
    failure = classify(ValueError("x" * before + key + "y" * 600), "openai:a", key)
    assert "lent-0123" not in failure.error.message

"""Keys: where they are looked for, that they go to their own server, and that they show up nowhere else."""

from __future__ import annotations

import io
import logging
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.llm.providers.protocols import KEY, PROTOCOLS, Anthropic, Ollama, Protocol, Reply

from pyscrai.cli.diagnosis import _keys
from pyscrai.llm import BadKey, MissingKey, ModelError, PaidModelBlocked, Question, Rejected, ask, providers
from pyscrai.llm.addresses import PROVIDERS
from pyscrai.llm.keys import find_key

Make = Callable[..., Question]
GOOD = '{"action": "We build the bridge."}'
KEYED = [each for each in PROTOCOLS if each.key_variable]


def written(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "keys.env"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


def shown(request: Any) -> str:
    return str(request.headers.get("authorization", request.headers.get("x-api-key", ""))).removeprefix("Bearer ")


@pytest.mark.parametrize("protocol", KEYED, ids=lambda each: each.name)
async def test_a_key_comes_from_the_file(
    provider: Protocol, model: str, ask_for: Make, ledger: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(provider.key_variable)
    monkeypatch.setenv("PYSCRAI_KEYS", written(tmp_path, f"# mine\n\nexport {provider.key_variable} = '{KEY}'\n"))
    provider.says(GOOD)
    await ask(ask_for(model), ledger, timeout=5)
    assert shown(provider.requests[0]) == KEY


@pytest.mark.parametrize("protocol", KEYED, ids=lambda each: each.name)
async def test_the_variable_goes_before_the_file(
    provider: Protocol, model: str, ask_for: Make, ledger: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYSCRAI_KEYS", written(tmp_path, f"{provider.key_variable}=another-key\n"))
    provider.says(GOOD)
    await ask(ask_for(model), ledger, timeout=5)
    assert shown(provider.requests[0]) == KEY


@pytest.mark.parametrize(
    "protocol", [each for each in KEYED if PROVIDERS[each.name].needs_key], ids=lambda each: each.name
)
async def test_a_missing_key_names_variable_and_file(
    provider: Protocol, model: str, ask_for: Make, ledger: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(provider.key_variable)
    with pytest.raises(MissingKey, match=f"{provider.key_variable} is not set .* PYSCRAI_KEYS") as caught:
        await ask(ask_for(model), ledger, timeout=5)
    assert caught.value.permanent
    file = written(tmp_path, "OTHER=1\n")
    monkeypatch.setenv("PYSCRAI_KEYS", file)
    with pytest.raises(MissingKey, match=provider.key_variable) as caught:
        await ask(ask_for(model), ledger, timeout=5)
    assert file in str(caught.value)
    assert provider.requests == []
    assert not any(call.sent for call in ledger.calls)


async def test_a_key_of_one_provider_is_not_shown_to_another(
    provider: Protocol, model: str, ask_for: Make, ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in PROTOCOLS:
        if other.key_variable and other.key_variable != provider.key_variable:
            monkeypatch.setenv(other.key_variable, f"key-of-{other.name}")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-openai")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-of-anthropic")
    provider.says(GOOD)
    await ask(ask_for(model), ledger, timeout=5)
    sent = str(provider.requests[0].headers)
    assert "key-of-" not in sent
    assert "token-of-" not in sent
    assert ("org-of-openai" in sent) is (provider.name == "openai")


async def test_googles_own_name_of_the_variable_is_taken() -> None:
    environ = {"GOOGLE_API_KEY": KEY}
    ref = providers.named("gemini-2.5-flash")
    assert providers.address(ref, environ).key == KEY


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0:9999", "http://127.0.0.1:9999/v1"),
        ("http://box:11434/", "http://box:11434/v1"),
        ("https://box.example.org", "https://box.example.org:443/v1"),
        ("http://box:1/v1", "http://box:1/v1"),
        ("[::1]:5", "http://[::1]:5/v1"),
    ],
)
def test_the_host_of_ollama_is_read_as_its_own_tools_read_it(host: str, base: str) -> None:
    assert providers.address(providers.named("ollama:x"), {"OLLAMA_HOST": host}).base_url == base


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    environ = {"PYSCRAI_KEYS": written(tmp_path, "A_KEY=one\n")}
    assert find_key("A_KEY", environ) == "one"
    written(tmp_path, "A_KEY=another\n")
    assert find_key("A_KEY", environ) == "another"


@pytest.mark.parametrize(
    ("text", "says"),
    [("A_KEY=x\nsk-this-is-a-key\n", "line 2 is not NAME=VALUE"), ("A KEY=sk-secret\n", "line 1 is not NAME=VALUE")],
)
def test_a_wrong_file_says_where_and_shows_nothing(tmp_path: Path, text: str, says: str) -> None:
    environ = {"PYSCRAI_KEYS": written(tmp_path, text)}
    with pytest.raises(MissingKey, match=says) as caught:
        find_key("A_KEY", environ)
    assert "sk-" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingKey, match="No such file"):
        find_key("A_KEY", {"PYSCRAI_KEYS": str(tmp_path / "nothing.env")})
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00A")
    with pytest.raises(MissingKey, match="UTF-8"):
        find_key("A_KEY", {"PYSCRAI_KEYS": str(tmp_path / "binary")})


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_a_file_that_others_can_read_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    find_key("A_KEY", {"PYSCRAI_KEYS": written(tmp_path, "A_KEY=sk-a-key-of-mine\n", 0o644)})
    find_key("A_KEY", {"PYSCRAI_KEYS": written(tmp_path, "A_KEY=sk-a-key-of-mine\n", 0o600)})
    (warning,) = caplog.records
    assert warning.levelname == "WARNING"
    assert "mode 0644" in warning.getMessage()
    assert "sk-" not in warning.getMessage()


def test_the_doctor_finds_keys_in_the_file_and_names_them_only(tmp_path: Path) -> None:
    found = _keys({"PYSCRAI_KEYS": written(tmp_path, f"GROQ_API_KEY={KEY}\n"), "ANTHROPIC_API_KEY": KEY})
    assert (found.state, found.detail) == ("ok", "set: ANTHROPIC_API_KEY, GROQ_API_KEY")
    assert _keys({"PYSCRAI_KEYS": str(tmp_path / "nothing.env")}).state == "fail"
    assert "GEMINI_API_KEY: gemini:NAME" in _keys({}).todo


@pytest.fixture
def everything_logged() -> Any:
    """All that any library logs, at the finest level."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("protocol", KEYED, ids=lambda each: each.name)
async def test_a_key_is_in_no_record_log_or_error(
    provider: Protocol, model: str, ask_for: Make, ledger: Any, everything_logged: io.StringIO
) -> None:
    """Also where the server repeats it in its error, as OpenAI's, OpenRouter's and Anthropic's do here."""
    provider.says(GOOD)
    provider.fails("unauthorized")
    await ask(ask_for(model), ledger, timeout=5)
    with pytest.raises(BadKey) as caught:
        await ask(ask_for(model), ledger, timeout=5)
    told = [str(caught.value), repr(caught.value), "".join(traceback.format_exception(caught.value))]
    told += [call.model_dump_json() for call in ledger.calls]
    told += [repr(providers.build(ask_for(model))), everything_logged.getvalue()]
    assert [text for text in told if KEY in text] == []
    assert everything_logged.getvalue()
    assert shown(provider.requests[0]) == KEY


@pytest.mark.parametrize("name", sorted(PROVIDERS))
async def test_no_test_can_reach_a_paid_host(
    ask_for: Make, ledger: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Every provider, at its own address and at another beyond this machine, with a key at hand."""
    assert os.environ["PYSCRAI_NO_PAID_MODELS"], "the guard is set for all tests"
    told = PROVIDERS[name]
    monkeypatch.setenv(told.key_variable, KEY)
    monkeypatch.setenv(told.base_variable or "NOTHING", "https://models.example.org/v1")
    model = "https://models.example.org/v1#m" if name == "openai-like" else f"{name}:a/b"
    with pytest.raises(PaidModelBlocked):
        await ask(ask_for(model), ledger, timeout=5)
    monkeypatch.delenv(told.base_variable or "NOTHING")
    if name not in ("ollama", "openai-like"):
        with pytest.raises(PaidModelBlocked):
            await ask(ask_for(model), ledger, timeout=5)
    assert not any(call.sent for call in ledger.calls)


async def test_nobody_is_sent_elsewhere(provider: Protocol, model: str, ask_for: Make, ledger: Any) -> None:
    """A redirection would carry the question, and perhaps the key, past the guard."""
    provider.replies.append(Reply(307, {}, {"location": f"{provider.url}/elsewhere"}))
    with pytest.raises(Rejected):
        await ask(ask_for(model), ledger, timeout=5)
    assert len(provider.requests) == 1


def test_each_provider_is_proven_here() -> None:
    from pyscrai.domain.model_names import FREE
    from pyscrai.domain.model_names import PROVIDERS as NAMES

    assert {each.name for each in PROTOCOLS} == set(PROVIDERS) == set(NAMES) - FREE


@pytest.mark.parametrize("protocol", [Anthropic, Ollama], ids=lambda each: each.name)
async def test_nobody_there_was_not_sent(
    provider: Protocol, model: str, ask_for: Make, ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(provider.base_variable, "http://127.0.0.1:1")
    with pytest.raises(ModelError, match="nobody answers"):
        await ask(ask_for(model), ledger, timeout=5)
    assert [call.sent for call in ledger.calls] == [False]

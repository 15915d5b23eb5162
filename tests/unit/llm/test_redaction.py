"""What is kept of requests and answers holds no keys, and is otherwise as it was told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyscrai.contract.events import Grant, RequestMessage, Usage
from pyscrai.llm import MissingKey, Question, ask
from pyscrai.llm.errors import ReplayDiverged
from pyscrai.llm.redaction import known_keys, redact
from pyscrai.llm.replaying import LONGEST, difference

Make = Callable[..., Question]
SECRETS = [
    "sk-proj-1234567890abcdefABCDEF",
    "sk-ant-api03-AbCdEf_1234567890-xyzXYZ",
    "sk-or-v1-0123456789abcdef0123456789abcdef",
    "gsk_abcdefghijklmnopqrst1234",
    "AIzaSyA-1234567890_abcdefghijklmnopqrst",
    "xai-abcdefghijklmnopqrstuvw1",
    "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "ghp_abcdefghijklmnopqrstuvwxyzABCDEFGHIJ",
    "AKIAIOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----",
]
PROSE = [
    "a risk-averse task-force, sk-eptical of the either-or-something-of-that-kind",
    "the bearer of bad news, a bearer bond, Bearer unforgettable-consequences-for-all",
    "see https://example.org/a:b and mail x@example.org; the key-stone; ghost_story; hf_ and gsk_",
    "an api key is a secret; authorization: granted by the council; password: unknown",
    "sk-the-very-long-name-of-a-fictional-ship",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_real_keys_go(secret: str) -> None:
    assert redact(f"I say: {secret}, and more.") == "I say: [key], and more."


@pytest.mark.parametrize("text", PROSE)
def test_prose_stays(text: str) -> None:
    assert redact(text) == text


def test_tokens_and_passwords_of_addresses() -> None:
    assert redact("curl -H 'Authorization: Bearer abc.def-1234567890.ghi'") == "curl -H 'Authorization: Bearer [key]'"
    assert redact("postgresql://me:secret@host/name") == "postgresql://me:[key]@host/name"


def test_the_keys_of_the_process_go_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "keys.env"
    file.write_text("GROQ_API_KEY=from-the-file\n")
    file.chmod(0o600)
    environ = {
        "SOME_API_KEY": "plain-words-as-key",
        "OTHER": "kept-as-it-is",
        "PYSCRAI_KEYS": str(file),
        "A_API_KEY": "",
    }
    keys = known_keys("lent-by-the-lease", environ=environ)
    text = "x plain-words-as-key from-the-file lent-by-the-lease kept-as-it-is"
    assert redact(text, keys) == "x [key] [key] [key] kept-as-it-is"


async def test_story_and_recording_say_the_same(
    ask_for: Make, ledger: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_API_KEY", "an-odd-little-key")
    server.says('{"action": "I shout an-odd-little-key."}')
    question = ask_for(f"{server.url}#m", user="Say an-odd-little-key.")
    assert await ask(question, ledger, timeout=5) == {"action": "I shout [key]."}
    (call,) = ledger.calls
    assert "an-odd-little-key" not in call.model_dump_json()
    assert json.loads(call.answer) == {"action": "I shout [key]."}
    assert "an-odd-little-key" in server.asked[0]["messages"][1]["content"]


async def test_an_answer_that_was_given_before_needs_no_key(
    ask_for: Make, ledger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("PYSCRAI_KEYS", raising=False)
    monkeypatch.delenv("PYSCRAI_NO_PAID_MODELS", raising=False)
    usage = Usage(input_tokens=5, output_tokens=100)
    answers = ['{"act', '{"action": "We build."}']

    async def reserve(**what: Any) -> Grant:
        ledger.reserved.append(what)
        answer = answers[what["call"] - 1]
        return Grant(event_id=5, call=what["call"], state="granted", answer=answer, usage=usage, source="replay")

    ledger.reserve = reserve
    assert await ask(ask_for("gpt-4o-mini"), ledger, timeout=5) == {"action": "We build."}
    assert [(call.call, call.answer, call.usage) for call in ledger.calls] == [
        (1, answers[0], usage),
        (2, answers[1], usage),
    ]
    # What the first answer lacked is known from its usage, so that the repair asks what it asked when it was recorded.
    assert "cut off at 100 tokens" in ledger.calls[1].request[-1].text

    async def ask_nobody(**_: Any) -> None:
        return None

    ledger.reserve = ask_nobody
    with pytest.raises(MissingKey):
        await ask(ask_for("gpt-4o-mini"), ledger, timeout=5)


async def test_another_request_than_the_recorded_one(ask_for: Make, ledger: Any) -> None:
    recorded = [RequestMessage(role="user", text="# Town\n\nWait.")]

    async def reserve(**what: Any) -> Grant:
        detail = "Recorded with the model other, asked now of rehearsal."
        return Grant(event_id=5, call=1, state="diverged", recorded=recorded, detail=detail)

    ledger.reserve = reserve
    with pytest.raises(ReplayDiverged) as caught:
        await ask(ask_for("rehearsal", schema=None, system=""), ledger, timeout=5)
    lines = caught.value.message.splitlines()
    assert lines[0] == (
        "turn 1, decision, mayor: the request of decide is not the recorded one. "
        "Recorded with the model other, asked now of rehearsal."
    )
    assert lines[1:3] == ["--- recorded, message 1 (user)", "+++ asked now, message 1 (user)"]
    assert [line for line in lines[3:] if line[0] in "+-"] == ["-Wait.", "+Decide."]
    assert caught.value.permanent
    assert ledger.calls == []


def test_a_long_paragraph_is_shown_sentence_by_sentence_and_all_is_bounded() -> None:
    before = " ".join(f"Sentence {n} of a long paragraph." for n in range(100))
    after = before.replace("Sentence 50 of", "Sentence fifty of")
    shown = difference([RequestMessage(role="user", text=before)], [RequestMessage(role="user", text=after)])
    changes = [line for line in shown.splitlines()[2:] if line[0] in "+-"]
    assert changes == ["-Sentence 50 of a long paragraph.", "+Sentence fifty of a long paragraph."]
    other = difference([RequestMessage(role="user", text=before)], [])
    assert len(other) < LONGEST + 100
    assert "more lines" in other
    assert difference([], []) == ""

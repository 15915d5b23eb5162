"""A run that was paid for is played again from its recording: without provider, key or network, to the same digest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.acceptance.fleet import Fleet, fleet
from tests.acceptance.provider import KEY, Provider, drop, provider, too_many
from tests.acceptance.terminal import SCENARIO, Cli

from pyscrai.sdk.scenario import Scenario

CHOICES = {"model": "gpt-4o-mini", "prices": {"gpt-4o-mini": {"input": "1", "output": "2"}}, "limit": "0.5"}
CALLS = 9
"""Three turns of two seats and a narrator."""
COST = CALLS * (10 + 2 * 5) / Decimal(1_000_000)


@contextmanager
def played(dsn: str, folder: Path) -> Iterator[tuple[Fleet, Provider, Path]]:
    """A fleet that asks a provider, and the file with the key that it shows there."""
    keys = folder / "keys.env"
    keys.write_text(f"OPENAI_API_KEY={KEY}\n")
    keys.chmod(0o600)
    with provider(key=KEY) as server:
        settings = {"OPENAI_BASE_URL": server.url, "PYSCRAI_KEYS": str(keys), "PYSCRAI_RETRY_BASE": "0.05"}
        with fleet(dsn, folder / "fleet", 1, **settings) as at:
            yield at, server, keys


def document(path: Path, text: str = SCENARIO) -> dict[str, Any]:
    path.write_text(text)
    return Scenario.load(path).content()


def test_a_recording_replays_with_nobody_to_answer(dsn: str, tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "scenario.yaml"
    with played(dsn, tmp_path) as (at, server, keys):
        # A repaired answer, a rate limit and a dropped connection: the recording has calls that came to nothing.
        server.tricks = [broken, too_many(0), drop]
        recorded = at.ended(at.play(document(path), **CHOICES))
        assert recorded["status"] == "completed", recorded["reason"]
        assert len(server.times) == recorded["model_calls"] == CALLS + 3
        keys.unlink()
        server.shutdown()
        server.server_close()
        at.kill("actor-1")
        at.start("actor-1")

        again = at.ended(at.post(f"/runs/{recorded['id']}/replay", {}))
        assert again["status"] == "completed", again["reason"]
        assert again["log_digest"] == recorded["log_digest"]
        assert again["model_calls"] == 0
        assert Decimal(again["spent"]) == Decimal(again["reserved"]) == 0

        changed = SCENARIO.replace("wants the left door", "wants neither door")
        document(path, changed)
        url = f"http://127.0.0.1:{at.port}"
        stopped = cli("runs", "replay", recorded["id"], "--with", str(path), "--api-url", url, PYSCRAI_DATABASE_URL="")
        assert stopped.returncode == 3, stopped.stdout + stopped.stderr
        lines = [line.strip() for line in stopped.stdout.splitlines()]
        assert any(line.startswith("-") and "wants the left door" in line for line in lines), stopped.stdout
        assert any(line.startswith("+") and "wants neither door" in line for line in lines), stopped.stdout
        assert "replay of two-doors/run-001" in " ".join(stopped.stdout.split())
        assert "turn 1, decision, left" in " ".join(stopped.stdout.split())
        same = cli("runs", "replay", "two-doors/run-001", "--json", "--api-url", url, PYSCRAI_DATABASE_URL="")
        assert same.returncode == 0, same.stderr
        told = json.loads(same.stdout)
        assert (told["same_digest"], told["log_digest"]) == (True, recorded["log_digest"])
        assert len(server.times) == CALLS + 3


def test_the_cache_answers_what_was_asked_before(dsn: str, tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    with played(dsn, tmp_path) as (at, server, _):
        content = document(path)
        first = at.ended(at.play(content, **CHOICES, cache=True))
        assert first["status"] == "completed", first["reason"]
        assert Decimal(first["spent"]) == COST
        again = at.ended(at.play(content, **CHOICES, cache=True))
        assert (again["status"], again["model_calls"]) == ("completed", 0)
        assert Decimal(again["spent"]) == 0
        assert again["log_digest"] == first["log_digest"]
        assert len(server.times) == CALLS
        # A repetition under another seed is one: it asks.
        other = at.ended(at.play(content, **CHOICES, cache=True, seed=1, turns=1))
        assert (other["status"], len(server.times)) == ("completed", CALLS + CALLS // 3)
        held = at.get("/cache")
        assert (held["answers"], held["hits"]) == (CALLS + CALLS // 3, CALLS)


def broken(handler: Any) -> None:
    """An answer that fits no schema; it is repaired by the next one."""
    message = {"role": "assistant", "content": "I push the door."}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    told = {"id": "one", "object": "chat.completion", "created": 0, "model": handler.asked["model"]}
    handler.answer(200, told | {"choices": [choice], "usage": usage})

"""What is imported, and when: a start that plays for nothing must not pay for the clients of providers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import pytest

from pyscrai.llm.errors import NotInstalled
from pyscrai.llm.setup import prepare

PROVIDERS = ["rehearsal", "scripted", "ollama", "anthropic"]
STEPS = f"""
import asyncio, json, sys
from pyscrai.llm import warm_up
from pyscrai.llm.setup import prepare

def loaded():
    return [name for name in ("agno", "openai", "anthropic") if name in sys.modules]

async def main():
    seen = [loaded()]
    await warm_up()
    from pyscrai.llm import ask, metered, providers
    seen.append(loaded())
    for provider in {PROVIDERS}:
        await prepare(provider)
        seen.append(loaded())
    print(json.dumps(seen))

asyncio.run(main())
"""


def test_agno_is_imported_at_the_first_question_and_a_client_for_its_own_models_only() -> None:
    done = subprocess.run([sys.executable, "-c", STEPS], capture_output=True, text=True, timeout=120, check=True)
    before, warm, *after = json.loads(done.stdout)
    assert (before, warm) == ([], ["agno"])
    rehearsal, scripted, openai, anthropic = after
    assert rehearsal == scripted == ["agno"]
    assert openai == ["agno", "openai"]
    assert anthropic == ["agno", "openai", "anthropic"]


async def test_a_client_that_cannot_be_loaded_is_an_error_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pyscrai.llm.setup._prepared", set())
    monkeypatch.setitem(sys.modules, "pyscrai.llm.servers", None)
    with pytest.raises(NotInstalled, match=r"^openai: .*pip install 'pyscrai\[engine\]'"):
        await asyncio.wait_for(prepare("openai"), 60)

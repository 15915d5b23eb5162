"""The local model's server among processes that come, go and are killed."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pyscrai.contract.events import CallRecord, ModelChoice
from pyscrai.llm import Question, TooLong, ask, close
from pyscrai.local.connection import Connection
from pyscrai.local.errors import NotInstalled
from pyscrai.local.plan import Place, Plan, place_of, plan_from
from pyscrai.local.weights import SETTING, check_runtime, find_weights
from pyscrai.machine import locks

SCHEMA = {
    "type": "object",
    "properties": {"action": {"type": "string", "minLength": 1, "maxLength": 80}},
    "required": ["action"],
    "additionalProperties": False,
}
USER = """
import asyncio, sys
from pyscrai.local.connection import Connection
from pyscrai.local.plan import plan_from

async def main():
    async with Connection(plan_from()).turn() as endpoint:
        print(endpoint.url, flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


class Free:
    """Keeps what was called."""

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []

    async def reserve(self, **_: object) -> None:
        return None

    def record(self, call: CallRecord) -> None:
        self.calls.append(call)


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of a user with a data folder of their own, and this machine's weights."""
    try:
        check_runtime()
        weights = find_weights()
    except NotInstalled as error:
        if os.environ.get("PYSCRAI_TEST_LOCAL"):
            raise
        pytest.skip(str(error))
    monkeypatch.setenv("PYSCRAI_DATA", str(tmp_path / "data"))
    monkeypatch.setenv(SETTING, str(weights))
    return plan_from()


@pytest.fixture
def place(plan: Plan) -> Iterator[Place]:
    """Where the plan's server is found; it has ended when the test is over."""
    place = place_of(plan)
    yield place
    gone(place)
    assert not place.state_file.exists()


@pytest.fixture
async def meter(place: Place) -> AsyncIterator[Free]:
    """Of questions whose process lets go of the server in the end."""
    yield Free()
    await close()


@pytest.fixture
def users(place: Place) -> Iterator[list[subprocess.Popen[str]]]:
    """Two processes that begin at once to want a turn."""
    with ExitStack() as stack:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        begun = [
            stack.enter_context(subprocess.Popen([sys.executable, "-c", USER], **pipes))  # type: ignore[call-overload]
            for _ in range(2)
        ]
        yield begun
        for process in begun:
            process.kill()


def gone(place: Place) -> None:
    """Return when no server runs: it was killed, or it has seen that nobody is left."""
    with locks.lock_file(place.server_lock) as handle:
        locks.wait_shared(handle)


def server_pid(place: Place) -> int:
    return int(json.loads(place.state_file.read_text("utf-8"))["pid"])


def question(seed: int = 1, user: str = "What do you do?", try_no: int = 1) -> Question:
    return Question(
        model=ModelChoice(id="local", seed=seed, max_tokens=60),
        system="You keep a lighthouse.",
        user=user,
        schema=SCHEMA,
        event_type="decide",
        seat="keeper",
        turn=1,
        phase="decision",
        try_no=try_no,
        event_id=1,
        lease_no=1,
    )


def test_two_that_begin_at_once_share_one_server_and_take_turns(
    users: list[subprocess.Popen[str]], place: Place
) -> None:
    first, second = users
    assert first.stdout is not None
    assert second.stdout is not None
    # Whoever came first is killed, and what it held goes with it.
    ready, _, _ = select.select([first.stdout, second.stdout], [], [])
    winner, other = (first, second) if ready[0] is first.stdout else (second, first)
    url = ready[0].readline()
    pid = server_pid(place)
    assert not select.select([other.stdout], [], [], 0)[0]
    winner.send_signal(signal.SIGKILL)
    assert other.stdout is not None
    assert other.stdout.readline() == url
    assert server_pid(place) == pid


async def test_a_killed_server_is_started_again_and_says_the_same(place: Place, meter: Free) -> None:
    before = await ask(question(), meter, timeout=120)
    killed = server_pid(place)
    os.kill(killed, signal.SIGKILL)
    gone(place)
    assert await ask(question(), meter, timeout=120) == before
    assert server_pid(place) != killed


async def test_whatever_else_goes_on_the_same_seed_says_the_same(meter: Free) -> None:
    alone = [await ask(question(seed), meter, timeout=120) for seed in (1, 2, 3)]
    crowd = await asyncio.gather(*(ask(question(seed), meter, timeout=120) for seed in (3, 1, 2)))
    assert [crowd[1], crowd[2], crowd[0]] == alone
    again = await ask(question(1, try_no=2), meter, timeout=120)
    assert again != alone[0]


async def test_nobody_is_let_in_without_the_key(plan: Plan, place: Place) -> None:
    connection = Connection(plan)
    async with connection.turn() as endpoint:
        parts = urlsplit(endpoint.url)
        assert parts.hostname == "127.0.0.1"
        assert endpoint.key not in repr(endpoint)
        assert (place.state_file.stat().st_mode & 0o777) == 0o600
        asked = http.client.HTTPConnection("127.0.0.1", parts.port or 0)
        asked.request("POST", "/v1/chat/completions", body="{}", headers={"Authorization": "Bearer wrong"})
        assert asked.getresponse().status == 401
        asked.close()
    connection.close()


async def test_what_does_not_fit_is_said_with_what_to_do(meter: Free) -> None:
    with pytest.raises(TooLong, match=r"does not fit into 8,192 tokens.*PYSCRAI_LOCAL_CONTEXT"):
        await ask(question(user="and then the sea rose " * 3000), meter, timeout=120)
    assert meter.calls[-1].usage is not None
    assert meter.calls[-1].usage.output_tokens == 0

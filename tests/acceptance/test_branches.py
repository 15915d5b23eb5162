"""Branches with real processes: paid for to the call, equal whatever the number of engines, whole after kill -9."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from tests.acceptance.fleet import Fleet, fleet, until
from tests.acceptance.provider import KEY, provider
from tests.acceptance.terminal import SCENARIO, Cli
from tests.acceptance.test_kills import query
from tests.conftest import run_apart

from pyscrai.sdk.runner import Runner
from pyscrai.sdk.scenario import Scenario

CHOICES = {"model": "gpt-4o-mini", "prices": {"gpt-4o-mini": {"input": "1", "output": "2"}}, "limit": "0.5"}
CALLS_A_TURN = 3
COST = Decimal(10 + 2 * 5) / 1_000_000
"""Of every call of the provider: 10 tokens in, 5 out."""
CHANGED = {"edits": {"left": {"goals": ["keep both doors open"]}}}
LINES = "SELECT kind, turn, canonical FROM entries WHERE run_id = $1 AND track = 'story' ORDER BY seq"


def doors(path: Path, **more: Any) -> dict[str, Any]:
    path.write_text(SCENARIO)
    return {**Scenario.load(path).content(), **more}


def branch(at: Fleet, run: dict[str, Any], turn: int, **changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = at.post(f"/runs/{run['id']}/branch", {"at": {"turn": turn}, "changes": changes})
    return made


def test_a_branch_shares_two_turns_and_pays_for_the_third(dsn: str, tmp_path: Path, cli: Cli) -> None:
    keys = tmp_path / "keys.env"
    keys.write_text(f"OPENAI_API_KEY={KEY}\n")
    keys.chmod(0o600)
    with provider(key=KEY) as server:
        settings = {"OPENAI_BASE_URL": server.url, "PYSCRAI_KEYS": str(keys)}
        with fleet(dsn, tmp_path / "fleet", 1, **settings) as at:
            parent = at.ended(at.play(doors(tmp_path / "scenario.yaml"), **CHOICES))
            assert len(server.times) == parent["model_calls"] == 3 * CALLS_A_TURN
            ours = ("--api-url", f"http://127.0.0.1:{at.port}", "--json")
            told = cli(
                *("run", "--branch-from", "two-doors/run-001", "--branch-at-turn", "2", *ours),
                *("--set", 'left.goals=["keep both doors open"]'),
                PYSCRAI_DATABASE_URL="",
            )
            assert told.returncode == 0, told.stderr
            summary = json.loads(told.stdout)
            assert len(server.times) == 4 * CALLS_A_TURN, "nothing that is shared is asked again"
            assert Decimal(summary["total_cost"]) == CALLS_A_TURN * COST
            made = at.get(f"/runs/{summary['id']}")
            assert (made["model_calls"], made["status"]) == (CALLS_A_TURN, "completed")

            stories = [[tuple(row.values()) for row in query(dsn, LINES, run["id"])] for run in (parent, made)]
            shared = made["branch_of"]["seq"]
            assert stories[0][:shared] == stories[1][:shared]
            assert stories[1][shared - 1][:2] == ("turn_complete", 2)
            assert [kind for kind, _, _ in stories[1][shared : shared + 2]] == ["edit", "turn_started"]
            first = json.loads(
                cli("runs", "branch", parent["id"], "--at-turn", "2", *ours, PYSCRAI_DATABASE_URL="").stdout
            )
            assert first["log_digest"] == parent["log_digest"] != made["log_digest"]
            assert len(server.times) == 5 * CALLS_A_TURN

            compared = json.loads(cli("compare", parent["id"], made["id"], *ours, PYSCRAI_DATABASE_URL="").stdout)
            assert compared["runs"][1]["spent"] == made["spent"]
            drawn = cli("runs", "tree", made["id"], *ours[:2], PYSCRAI_DATABASE_URL="").stdout
            assert 'left.goals: ["keep both doors open"]' in drawn


def test_equal_whatever_the_number_of_engines_and_while_the_parent_runs(dsn: str, tmp_path: Path) -> None:
    content = doors(tmp_path / "scenario.yaml", schedule={"turns": 4, "phases": ["decision", "world_update"]})
    with fleet(dsn, tmp_path / "fleet", 1) as at:
        parent = at.play(content)
        until("the second turn", lambda: at.get(f"/runs/{parent['id']}")["turn"] >= 2)
        early = branch(at, parent, 1, **CHANGED)
        alone = at.ended(early)
        whole = at.ended(parent)
        assert (alone["status"], whole["status"]) == ("completed", "completed")
        assert alone["log_digest"] != whole["log_digest"]
        for number in (2, 3, 4):
            at.start(f"actor-{number}")
        until("four actors", lambda: sum(name.startswith("actor") for name in at.pids().values()) == 4)
        later = at.ended(branch(at, parent, 1, **CHANGED))
        assert later["log_digest"] == alone["log_digest"]
        with Runner(api_url=f"http://127.0.0.1:{at.port}") as runner:
            told = runner.branch(parent["id"], turn=1, edits=CHANGED["edits"])
            assert told.log_digest == alone["log_digest"]
            compared = runner.compare_runs(alone["id"], later["id"], told.id)
            assert (compared.shared_turns, compared.first_move, compared.facts) == (4, {}, [])
            assert runner.diff(alone["id"], told.id).same
            assert len(runner.tree(parent["id"]).runs) == 4
        unchanged = at.ended(branch(at, parent, 1))
        assert unchanged["log_digest"] == whole["log_digest"]
        again = at.ended(at.post(f"/runs/{later['id']}/replay", {}))
        assert again["log_digest"] == later["log_digest"]


def test_a_death_of_the_service_in_the_middle_leaves_no_half_branch(dsn: str, tmp_path: Path) -> None:
    counts = "SELECT (SELECT count(*) FROM runs) AS runs, (SELECT count(*) FROM entries) AS entries"
    with fleet(dsn, tmp_path / "fleet", 1) as at:
        parent = at.ended(at.play(doors(tmp_path / "scenario.yaml")))
        before = dict(query(dsn, counts)[0])
        with folds_locked(dsn):
            asking = threading.Thread(target=_asked_in_vain, args=(at, parent))
            asking.start()
            # Its run and the shared entries are written then, and nothing of it is committed.
            until("the branch at its fold", lambda: query(dsn, WAITING)[0]["waiting"])
            at.kill("api")
            asking.join()
        until("the end of its transaction", lambda: not query(dsn, WAITING)[0]["waiting"])
        assert dict(query(dsn, counts)[0]) == before
        at.start("api")
        until("the API", at.ready)
        assert at.ended(branch(at, parent, 2))["log_digest"] == parent["log_digest"]


WAITING = """
SELECT count(*) FILTER (WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO folds%')::int AS waiting
FROM pg_stat_activity WHERE datname = current_database()
"""


def _asked_in_vain(at: Fleet, parent: dict[str, Any]) -> None:
    try:
        branch(at, parent, 2)
    except httpx.TransportError:
        return
    raise AssertionError("it was answered")


@contextmanager
def folds_locked(dsn: str) -> Iterator[None]:
    """Nobody can store a fold meanwhile."""
    locked, over = threading.Event(), threading.Event()

    async def hold() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE folds IN EXCLUSIVE MODE")
                locked.set()
                over.wait()
        finally:
            await connection.close()

    thread = threading.Thread(target=lambda: run_apart(hold))
    thread.start()
    try:
        assert locked.wait(30)
        yield
    finally:
        over.set()
        thread.join()


def test_what_people_say_to_a_run_is_in_its_story(dsn: str, tmp_path: Path, cli: Cli) -> None:
    content = doors(tmp_path / "scenario.yaml", metrics={"mood": {"by": "manual", "range": [0, 10]}})
    news = tmp_path / "news.txt"
    news.write_text("Both doors are jammed.")
    with fleet(dsn, tmp_path / "fleet", 0) as at:
        run = at.play(content)
        ours = ("--api-url", f"http://127.0.0.1:{at.port}")
        for words in (
            ("tell", "last", "The key is lost."),
            ("tell", "last", "It is under the mat.", "--seat", "left"),
            ("edit", "last", "--fact", "doors=2", "--world", str(news)),
            ("measure", "last", "mood", "7"),
        ):
            told = cli("runs", *words, *ours, PYSCRAI_DATABASE_URL="")
            assert (told.returncode, "enters two-doors/run-001" in told.stdout) == (0, True), told.stderr
        wrong = cli("runs", "measure", "last", "mood", "11", *ours, PYSCRAI_DATABASE_URL="")
        assert (wrong.returncode, "from 0 to 10" in wrong.stderr) == (1, True)
        for kind in ("actor", "narrator", "analyst"):
            at.start(f"{kind}-1")
        assert at.ended(run)["status"] == "completed"
        shown = " ".join(cli("runs", "show", "last", *ours, PYSCRAI_DATABASE_URL="").stdout.split())
        assert "Told The key is lost. Told (only to Left) It is under the mat." in shown
        assert "Edited The situation has changed. doors: 2 Both doors are jammed." in shown
        assert at.get(f"/runs/{run['id']}/snapshot", at="turn:1")["state"]["metrics"] == {"mood": 7}
        late = cli("runs", "tell", "last", "Too late.", *ours, PYSCRAI_DATABASE_URL="")
        assert (late.returncode, "the run is completed" in late.stderr) == (1, True)

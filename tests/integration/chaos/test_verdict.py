"""The chaos suite's verdict finds what it is to find: a check that cannot fail is worth nothing.

In a database in which all is well, one thing is made wrong at a time, in the tables or in what was promised.
"""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from tests.chaos.memory import Begun, Sent, Stopped
from tests.chaos.orders import EVENT_TYPES
from tests.chaos.verdict import Verdict, judge_over
from tests.chaos.words import Word, read_logs, read_words
from tests.conftest import fresh_database, run_apart
from tests.integration.chaos.healthy import GIVEN_UP, PIECE, SCHEDULED, Healthy, build, lines_of

Plant = str | Callable[[Healthy], None]
NOBODY = "01900000-0000-7000-8000-000000000000"
OF_RUN = "SELECT id FROM runs WHERE labels ->> 'chaos' = 'one'"
FIRST = "SELECT min(event_id) FROM outcomes WHERE state = 1 AND run_id IS NULL"
COLUMNS = "state, lease_no, claims, failures, losses, handbacks, closing, leased_at, result"


def _forget(made: Healthy) -> None:
    del made.memory.sent[0]


def _another_id(made: Healthy) -> None:
    made.memory.acknowledge(0, 999)


def _another_run(made: Healthy) -> None:
    made.memory.begin(made.memory.begun["one"], NOBODY)


def _acknowledge_too_much(made: Healthy) -> None:
    made.memory.sent[99] = Sent(n=99, value="", event=12345)


def _acknowledge_a_run_too_much(made: Healthy) -> None:
    made.memory.begun["nine"] = Begun(key="nine", piece=PIECE, role="left alone", run=NOBODY)


def _promise_a_cancellation(made: Healthy) -> None:
    made.memory.sent[0].cancel = "yes"


def _promise_to_cancel_a_run(made: Healthy) -> None:
    made.memory.begun["one"].cancel = "yes"


def _refuse_to_discard(made: Healthy) -> None:
    sent = made.memory.sent[GIVEN_UP]
    sent.discard, sent.discarding = None, False


def _word(status: str) -> Callable[[Healthy], None]:
    """Somebody was told `done` under another lease than the one that counts."""

    def plant(made: Healthy) -> None:
        word = next(word for word in made.words if word.status == status)
        made.words.append(replace(word, lease=word.lease + 7))

    return plant


def _say_that_it_rested(made: Healthy) -> None:
    begin, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    made.memory.stopped += [Stopped(event_type=name, since=begin, until=end) for name in EVENT_TYPES]


PLANTS: list[tuple[str, str, Plant]] = [
    (
        "everything ends",
        "an event back in the queue",
        f"""WITH gone AS (DELETE FROM outcomes WHERE event_id = ({FIRST}) RETURNING event_id)
        INSERT INTO queue (id, lane, event_type, state, rank, pass) SELECT event_id, 'chaos', 'x', 2, 4, 1 FROM gone""",
    ),
    ("nothing is lost", "an event gone", f"DELETE FROM events WHERE id = ({FIRST})"),
    ("nothing is lost", "an event that never was", _acknowledge_too_much),
    ("nothing is lost", "a run that never was", _acknowledge_a_run_too_much),
    (
        "made once",
        "an event twice",
        f"""WITH twin AS (INSERT INTO events (event_type, payload, owner, created_by)
          SELECT event_type, payload, owner, created_by FROM events WHERE id = ({FIRST}) RETURNING id)
        INSERT INTO outcomes (event_id, {COLUMNS}) SELECT twin.id, {COLUMNS} FROM twin, outcomes
        WHERE event_id = ({FIRST})""",
    ),
    (
        "made once",
        "two runs of one key",
        """UPDATE runs SET labels = '{"chaos": "one"}' WHERE labels ->> 'chaos' = 'two'""",
    ),
    ("somebody sent it", "an event of nobody", _forget),
    ("somebody sent it", "a run of nobody", f"""UPDATE runs SET labels = '{{"chaos": "?"}}' WHERE id = ({OF_RUN})"""),
    ("kept as sent", "another payload", f"""UPDATE events SET payload = '{{"n":0}}' WHERE id = ({FIRST})"""),
    ("kept as sent", "another key", f"UPDATE events SET dedupe_key = 'other' WHERE id = ({FIRST})"),
    ("its fate", "cancelled by nobody", f"UPDATE outcomes SET state = 2, result = NULL WHERE event_id = ({FIRST})"),
    ("its fate", "finished although cancelled", _promise_a_cancellation),
    ("its fate", "discarded by nobody", _refuse_to_discard),
    ("its fate", "a run cancelled by nobody", f"UPDATE runs SET status = 'cancelled' WHERE id = ({OF_RUN})"),
    ("its fate", "a run that completed although cancelled", _promise_to_cancel_a_run),
    (
        "the right result",
        "another value",
        f"""UPDATE outcomes SET result = jsonb_set(result::jsonb, '{{value}}', '"x"')::text
        WHERE event_id = ({FIRST})""",
    ),
    ("the right result", "another lease's result", f"UPDATE outcomes SET lease_no = 9 WHERE event_id = ({FIRST})"),
    (
        "the right result",
        "another result in a run",
        f"""UPDATE outcomes SET result = '{{"action": "x"}}' WHERE event_id =
        (SELECT min(event_id) FROM outcomes WHERE run_id = ({OF_RUN}))""",
    ),
    (
        "not too early",
        "ended before its time",
        f"""UPDATE outcomes SET finished_at = finished_at - interval '1 minute' WHERE event_id =
        (SELECT id FROM events WHERE (payload::json ->> 'n')::int = {SCHEDULED} AND run_id IS NULL)""",
    ),
    ("claims are ends", "an attempt without a trace", "DELETE FROM attempts WHERE kind = 1"),
    (
        "claims are ends",
        "claims that nothing ended",
        f"""UPDATE outcomes SET claims = claims + 1, losses = losses + 1 WHERE event_id = ({FIRST})""",
    ),
    (
        "one end",
        "a lease that failed and succeeded",
        f"""INSERT INTO attempts (event_id, lease_no, kind, engine_id, leased_at)
        SELECT event_id, lease_no, 2, engine_id, leased_at FROM outcomes WHERE event_id = ({FIRST})""",
    ),
    ("the API keeps its word", "a result that is not the one", _word("completed")),
    ("the API keeps its word", "a failure that is none", _word("failed")),
    ("the API keeps its word", "a hand-back that is none", _word("handed_back")),
    ("what is paused rests", "a lease in a pause", _say_that_it_rested),
    ("one id", "an event with two", _another_id),
    ("one id", "a run with two", _another_run),
    (
        "logs are whole",
        "a number left out",
        f"""UPDATE entries e SET seq = seq + 5 FROM runs r
        WHERE r.id = ({OF_RUN}) AND r.id = e.run_id AND seq = r.last_seq""",
    ),
    (
        "each once",
        "a line twice",
        f"""INSERT INTO entries (run_id, seq, track, kind, turn, step, n, canonical, body)
        SELECT run_id, seq + 1, track, kind, turn, step, n, canonical, body FROM entries
        WHERE run_id = ({OF_RUN}) ORDER BY seq DESC LIMIT 1""",
    ),
    (
        "each once",
        "an event twice",
        f"""DROP INDEX uq_events_place; UPDATE events e SET ordinal = 0 WHERE run_id = ({OF_RUN}) AND ordinal = 1""",
    ),
    (
        "the same story",
        "another line",
        f"UPDATE entries SET canonical = replace(canonical, 'hours', 'days') WHERE run_id = ({OF_RUN})",
    ),
    (
        "the same story",
        "another beginning",
        """UPDATE entries SET canonical = replace(canonical, 'hours', 'days') WHERE run_id =
        (SELECT id FROM runs WHERE labels ->> 'chaos' = 'three')""",
    ),
    ("the same digest", "another digest", f"UPDATE runs SET digest = 'x' WHERE id = ({OF_RUN})"),
    ("money adds up", "more spent than called", f"UPDATE runs SET spent = spent + 0.01 WHERE id = ({OF_RUN})"),
    (
        "money adds up",
        "something reserved",
        f"UPDATE runs SET reserved = 0.01, open_calls = 1 WHERE id = ({OF_RUN})",
    ),
    ("limits hold", "too much spent", f"UPDATE runs SET limit_usd = spent - 0.0000000001 WHERE id = ({OF_RUN})"),
    (
        "invariant spent_of_budgets",
        "a budget that does not add up",
        "INSERT INTO budgets (owner, limit_usd, spent) VALUES ('x', 1, 0.5)",
    ),
]


@pytest.fixture(scope="module")
def healthy(server_dsn: str, template_dsn: str) -> Iterator[tuple[str, Healthy]]:
    with fresh_database(server_dsn, template_dsn) as dsn:
        yield dsn, asyncio.run(build(dsn))


def verdict(dsn: str, made: Healthy, plant: str = "SELECT") -> Verdict:
    """With what is wrong in the tables, which is taken back afterwards."""

    async def work() -> Verdict:
        connection = await asyncpg.connect(dsn)
        try:
            # The isolation is that of the verdict itself, whose own transactions are inside of this one.
            async with connection.transaction(isolation="repeatable_read"):
                await connection.execute(plant)
                found = await judge_over(connection, made.memory, made.words)
                raise _Seen(found)
        except _Seen as seen:
            return seen.verdict
        finally:
            await connection.close()

    return run_apart(work)


class _Seen(Exception):
    """Ends the transaction without a commit."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self.verdict = verdict


def test_nothing_is_found_where_all_is_well(healthy: tuple[str, Healthy], tmp_path: Path) -> None:
    dsn, made = healthy
    told = list(read_words([lines_of(made.words, tmp_path)]))
    found = verdict(dsn, Healthy(made.memory, told))
    assert [str(violation) for violation in found.violations] == []
    figures = found.figures
    assert [figures["light"][fate] for fate in ("finished", "cancelled", "discarded")] == [5, 2, 1]
    assert (figures["runs"]["digests_compared"], figures["runs"]["beginnings_compared"]) == (2, 1)
    assert figures["words"] == len(made.words) > 0
    assert figures["queue"]["failures"] == 2
    assert float(figures["runs"]["cost"]) > 0


@pytest.mark.parametrize(("rule", "what", "plant"), PLANTS, ids=[f"{rule}: {what}" for rule, what, _ in PLANTS])
def test_what_is_wrong_is_found(healthy: tuple[str, Healthy], rule: str, what: str, plant: Plant) -> None:
    dsn, made = healthy[0], copy.deepcopy(healthy[1])
    if isinstance(plant, str):
        found = verdict(dsn, made, plant)
    else:
        plant(made)
        found = verdict(dsn, made)
    named = [violation for violation in found.violations if violation.rule == rule]
    assert named, f"{what} was not found; only {dict(found.counts)}"
    assert all(violation.expected and violation.found for violation in named)


def test_what_engines_wrote_is_read(tmp_path: Path) -> None:
    words, log = tmp_path / "words.txt", tmp_path / "actor-1.log"
    words.write_text("1 2 completed done\n3 1 failed stale\n4 5 handed_back done\n6 7 comp")
    told = {"event": "event_finished", "event_id": 8, "lease": 2}
    lines = [
        {**told, "outcome": "retry", "answer": "done"},
        {**told, "outcome": "done", "answer": "stale"},
        {**told, "outcome": "dropped", "answer": "settled"},
        {"event": "heartbeat_unanswered"},
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"event": "event_fin')
    assert list(read_words([words])) == [Word(1, 2, "completed", "words.txt"), Word(4, 5, "handed_back", "words.txt")]
    assert list(read_logs([log])) == [Word(8, 2, "failed", "actor-1.log")]

"""The queue, broken on purpose: one thing at a time in the text of a statement. The tests must see each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest.mock import patch

import pyscrai_api.queue.statements as module
from pyscrai_api.queue.statements import Statement, statements


@dataclass(frozen=True)
class Mutant:
    """`old` is replaced by `new`, wherever it stands in these statements of a file."""

    name: str
    file: str
    statements: str
    old: str
    new: str

    def changed(self, statement: Statement) -> Statement:
        """Raises AssertionError where the text is not there any more, so that no mutant dies out in silence."""
        assert self.old in statement.text, f"{self.name}: {statement.name} does not say {self.old!r}"
        return replace(statement, text=statement.text.replace(self.old, self.new))

    def texts(self) -> list[str]:
        """The broken statements."""
        return [self.changed(statements(self.file)[name]).text for name in self.statements.split()]


CLAIMS = "claim"
FENCE = "(item.lease_no IS NULL OR q.lease_no = item.lease_no)"
SWEPT = " OR ((q.state + 0) IN (1, 2, 5) AND q.lost_engine = "
PLACED = "[width_bucket(q.id, $1::bigint[])]"
RUNS = "AND (q.run_id IS NULL OR (SELECT r.status FROM runs r WHERE r.id = q.run_id) = 'running')"

MUTANTS = (
    Mutant("claims wait for each other", "claim", CLAIMS, " SKIP LOCKED", ""),
    Mutant("claims lock nothing", "claim", CLAIMS, "FOR UPDATE OF q SKIP LOCKED", ""),
    Mutant("claims take what runs hold back", "claim", CLAIMS, RUNS, ""),
    Mutant("claims in order of arrival only", "claim", CLAIMS, "ORDER BY q.rank, q.pass, q.id", "ORDER BY q.id"),
    Mutant("the least urgent first", "claim", CLAIMS, "ORDER BY q.rank, q.pass", "ORDER BY q.rank DESC, q.pass"),
    Mutant("claims of other lanes", "claim", CLAIMS, "q.lane = $1 AND", "$1::text IS NOT NULL AND"),
    Mutant("claims of any type", "claim", CLAIMS, "q.event_type = ANY($8)", "true"),
    Mutant("claims of what is excluded", "claim", CLAIMS, "q.event_type <> ALL($9)", "true"),
    Mutant("rows go to another engine", "claim", CLAIMS, "($2::uuid[])[numbered.slot]", "($2::uuid[])[1]"),
    Mutant("rows of another claim", "claim", CLAIMS, "($3::uuid[])[numbered.slot]", "($3::uuid[])[1]"),
    Mutant("claims are not numbered", "claim", CLAIMS, "lease_no = q.lease_no + 1,", ""),
    Mutant("claims are not counted", "claim", CLAIMS, "claims = q.claims + 1,", ""),
    Mutant("who lost it may still finish", "claim", CLAIMS, "lost_engine = NULL,", ""),
    Mutant("a repeated claim claims anew", "claim", "claimed_before", "q.claim_id = $2", "q.claim_id <> $2"),
    Mutant("any claim's answer", "claim", "claimed_before leased", "AND q.claim_id = $", "AND gen_random_uuid() <> $"),
    Mutant("finish without a fence", "finish", "succeed", FENCE, "true"),
    Mutant("failure without a fence", "finish", "fail", FENCE, "true"),
    Mutant("hand-back without a fence", "finish", "hand_back", FENCE, "true"),
    Mutant("finish by anybody", "finish", "succeed", "AND q.engine_id = $4", ""),
    Mutant("quick finish without a fence", "finish", "quick", "coalesce((", "coalesce(q.lease_no, ("),
    Mutant("quick finish by anybody", "finish", "quick", f"q.engine_id = ($3::uuid[]){PLACED}", "$3::uuid[] <> '{}'"),
    Mutant("quick finish over open calls", "finish", "quick", "AND q.called IS DISTINCT FROM q.lease_no", ""),
    Mutant("quick finishes wait", "finish", "quick", " SKIP LOCKED", ""),
    Mutant("results go astray", "finish", "quick", "($4::text[])[width_bucket(id, $1::bigint[])]", "($4::text[])[1]"),
    Mutant("no finish after the sweep", "finish", "succeed", f"{SWEPT}$4)", ""),
    Mutant("a late success stays a loss", "finish", "succeed", "losses - (leased_at IS NULL)::int", "losses"),
    Mutant("the attempt of a loss that was none", "finish", "succeed_late", "a.kind = 2", "a.kind = 1"),
    Mutant("one try too many", "finish", "fail", "q.failures + 1 >=", "q.failures >="),
    Mutant("failures for good are tried again", "finish", "fail", "item.permanent OR", ""),
    Mutant("failures leave no attempt", "finish", "fail", "error FROM held\n", "error FROM held WHERE false\n"),
    Mutant("retries at once", "finish", "fail", "run_at = now() + make_interval", "run_at = now() - make_interval"),
    Mutant("Retry-After is not heard", "finish", "fail", "coalesce(held.retry_after, 0)", "0"),
    Mutant("hand-backs are failures", "finish", "hand_back", "handbacks = held.handbacks", "failures = q.failures"),
    Mutant("hand-backs of standing runs", "finish", "hand_back", " OR held.hold THEN 5", " THEN 5"),
    Mutant("the sweep does not look again", "finish", "expire", "AND q.lease_until < now()", ""),
    Mutant("losses are not counted", "finish", "expire", "losses = q.losses + 1,", ""),
    Mutant("losses for ever", "finish", "expire", "q.losses + 1 >= q.max_losses", "false"),
    Mutant("who lost it is forgotten", "finish", "expire", "lost_engine = held.engine_id", "lost_engine = NULL"),
    Mutant("every late word is done", "finish", "missed", "'stale'", "'done'"),
    Mutant("repeats are stale", "finish", "missed", "THEN 'done'", "THEN 'stale'"),
    Mutant("promoted too early", "loops", "promote", "AND q.run_at <= now()", ""),
    Mutant("only the sweep's own time", "loops", "expired", "AND q.lease_until < now()", "AND q.lease_until > now()"),
    Mutant("paused types are given out", "claim", CLAIMS, "q.event_type <> ALL($9)", "true"),
    Mutant("one lane's pause in all", "operating", "paused_ready hold_paused", "p.lane IN ('", "p.lane NOT IN ('x"),
    Mutant("pauses hold nothing", "operating", "hold_paused", "SET state = 5", "SET state = 2"),
    Mutant("paused and let go", "operating", "let_go release_paused", "pauses p WHERE", "pauses p WHERE false AND"),
    Mutant("let go of standing runs", "operating", "release_paused", "CASE WHEN held.goes THEN 2 ELSE 5 END", "2"),
    Mutant("runs that run are held", "loops", "hold", "SET state = 5", "SET state = 2"),
    Mutant("redriven with no new tries", "control", "redrive", "q.failures + $2", "q.max_failures + 0 * $2::int"),
    Mutant("redriven under the old number", "control", "redrive", "lease_no = q.lease_no + 1,", ""),
    Mutant("anything may be redriven", "control", "redrive", "AND (q.state + 0) = 6", "AND (q.state + 0) IN (2, 6)"),
    Mutant("anything may be discarded", "control", "discard", "AND (q.state + 0) = 6", ""),
    Mutant("cancelled under the old number", "control", "cancel_run", "lease_no + 1,", "lease_no,"),
    Mutant("cancelled leases are not closed", "control", "cancel", "(state = 3)::int", "0"),
    Mutant("resume leaves what was held", "control", "release_run", "q.state = 5", "q.state = 4"),
    Mutant("heartbeats renew what was lost", "engines", "renew", "q.lease_no = i.lease_no AND", ""),
    Mutant("heartbeats renew nothing", "engines", "renew", "= now() +", "= q.lease_until + 0 *"),
    Mutant("renewed for ever", "engines", "renew_all", "least(now()", "greatest(now()"),
    Mutant("unlisted leases go at once", "engines", "unlisted", "q.leased_at < now() -", "q.leased_at < now() +"),
    Mutant("the future is now", "enqueue", "loose", "CASE WHEN item.run_at > now() THEN 1 ELSE 2 END", "2"),
    Mutant("new events overtake", "enqueue", "loose once", "+ low.stride *", "- low.stride *"),
    Mutant("runs crowd out others", "enqueue", "step", "greatest(low.pass, $3)", "least(low.pass, $3)"),
    Mutant("what an owner posted is forgotten", "enqueue", "loose", "THEN $9::bigint", "THEN 0 * $9::bigint"),
    Mutant("events to come hold up others", "enqueue", "loose", "run_at IS NULL THEN", "run_at IS NOT NULL THEN"),
    Mutant("empty lanes begin anew for runs", "enqueue", "step", "seen.pass, seen.top", "seen.pass, 0 * seen.top"),
    Mutant("empty lanes begin anew", "enqueue", "loose once", "seen.pass, $8::bigint", "seen.pass, 0 * $8::bigint"),
    Mutant("unknown lanes begin at 0", "enqueue", "step loose", "max(r.last_pass)", "0 * max(r.last_pass)"),
    Mutant("what is tried again pulls back", "enqueue", "step", "q.pass >= place.floor", "q.pass >= 0 * place.floor"),
)  # fmt: skip
FEW = (
    "finish without a fence",
    "claims wait for each other",
    "hand-backs are failures",
    "the sweep does not look again",
)
"""Those that every run of the tests looks at; `make mutants` looks at all."""


@contextmanager
def broken(mutant: Mutant) -> Iterator[None]:
    """Every statement that is read meanwhile is the mutant's."""

    def changed(file: str) -> dict[str, Statement]:
        found = dict(statements(file))
        if file == mutant.file:
            found |= {name: mutant.changed(found[name]) for name in mutant.statements.split()}
        return found

    with patch.object(module, "statements", changed):
        yield

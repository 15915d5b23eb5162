"""What figures mean: ok, warn or bad, and what to do. Pure, so that each boundary can be tested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pyscrai.contract.operating import HealthLine, HealthState, LaneState, Pause
from pyscrai_api.health.facts import Facts, Holder, Index, Server, Table, Transaction

MB = 2**20
OLD, VERY_OLD = 60.0, 600.0
"""Seconds."""
XIDS, MANY_XIDS = 100_000, 10_000_000
"""Transactions that began since something that keeps dead rows."""
WASTE, LEAST_WASTE = 0.8, 64 * MB
DEAD, VERY_DEAD = 50_000, 1_000_000
SLOW_LOOP = 60.0


def of_database(facts: Facts) -> Iterator[HealthLine]:
    """The lines of the section `database`."""
    if facts.tables is not None:
        yield dead_rows(facts.tables)
        yield vacuum(facts.tables, facts.server)
        yield waste(facts.tables, facts.indexes or ())
    yield snapshots(facts)
    yield long_transactions(facts)
    yield locks(facts.waiting, facts.waiting_seconds)
    if facts.server is not None:
        yield connections(facts.server)
        yield wraparound(facts.server)


def of_queue(
    lanes: list[LaneState],
    pauses: list[Pause],
    facts: Facts,
    *,
    claims: int,
    losses: int,
    loops: Mapping[str, tuple[float, float]],
    filled: Mapping[str, float],
) -> Iterator[HealthLine]:
    """The lines of the section `queue`. `loops`: by name, seconds since the last run and between two; `filled`: by
    lane, the share of its limit that it has."""
    yield served(lanes)
    yield waiting(lanes)
    yield paused(pauses)
    yield full(filled)
    yield dead_letters(lanes)
    yield leases(facts, claims, losses)
    yield standing(loops)


# ── the queue ──


def served(lanes: list[LaneState]) -> HealthLine:
    """Lanes with work that nobody does."""
    deserted = [one for one in lanes if one.depth.ready and not one.paused and not _alive(one)]
    names = ", ".join(f"{one.lane} ({one.depth.ready} ready{_resting(one)})" for one in deserted)
    oldest = max((one.oldest_ready or 0.0 for one in deserted), default=0.0)
    return _line(
        "queue", "Engines", _state(oldest if deserted else 0.0, 0.0, OLD) if deserted else "ok",
        f"nobody serves {names}" if deserted else "every lane with work has an engine",
        "Start engines for these lanes: pyscrai engine TYPE, or let paused ones go on: pyscrai engines resume ID. Or "
        "pause what is not to be done.",
        deserted_lanes=len(deserted),
    )  # fmt: skip


def waiting(lanes: list[LaneState]) -> HealthLine:
    """How long work has been ready where somebody is there to do it."""
    served = [one for one in lanes if _alive(one) and not one.paused]
    busy = {one.lane: one.oldest_ready for one in served if one.oldest_ready is not None}
    slow = {lane: seconds for lane, seconds in busy.items() if seconds >= OLD}
    oldest = max(busy.values(), default=0.0)
    named = ", ".join(f"{lane} {_time(seconds)}" for lane, seconds in sorted(slow.items()))
    return _line(
        "queue", "Oldest ready event", _state(oldest, OLD, VERY_OLD),
        f"waits: {named}" if slow else "nothing waits long",
        "More comes in than engines do: add engines (--scale, replicas), or raise what each does at once.",
        oldest_ready_seconds=oldest,
    )  # fmt: skip


def paused(pauses: list[Pause]) -> HealthLine:
    what = "; ".join(f"{one.event_type or 'everything'} in {one.lane or 'all lanes'} by {one.by}" for one in pauses)
    return _line(
        "queue", "Pauses", "warn" if pauses else "ok", what or "nothing is paused",
        "To go on: pyscrai events resume TYPE --lane LANE.", pauses=len(pauses),
    )  # fmt: skip


def full(filled: Mapping[str, float]) -> HealthLine:
    """Lanes whose producers are sent away, or soon will be."""
    fullest = max(filled.values(), default=0.0)
    named = ", ".join(f"{lane} {share:.0%}" for lane, share in sorted(filled.items()) if share >= 0.8)
    return _line(
        "queue", "Room", _state(fullest, 0.8, 1.0), f"of the limit: {named}" if named else "there is room for more",
        "Producers get 429 where a lane is full: add engines, or raise PYSCRAI_MOST_QUEUED.", fullest=fullest,
    )  # fmt: skip


def dead_letters(lanes: list[LaneState]) -> HealthLine:
    number = sum(one.depth.dead for one in lanes)
    where = ", ".join(f"{one.lane} {one.depth.dead}" for one in lanes if one.depth.dead)
    return _line(
        "queue", "Dead letters", "warn" if number else "ok", where or "none",
        "Why: pyscrai events dead, for those whose they are. Then: pyscrai events redrive --all, or discard; with "
        "--everybody also other people's.", dead_letters=number,
    )  # fmt: skip


def leases(facts: Facts, claims: int, losses: int) -> HealthLine:
    """Whether engines keep what they take."""
    share = losses / claims if claims >= 100 else 0.0
    state = _worst(
        _state(share, 0.01, 0.1),
        "warn" if facts.silent or facts.overdue else "ok",
        "warn" if facts.leased >= 20 and facts.near > facts.leased / 4 else "ok",
    )
    detail = (
        f"{facts.leased} leases, {facts.near} with less than a quarter left, {facts.overdue} over; {facts.silent} of "
        f"{facts.engines} engines late with their heartbeat; {losses} of {claims} claims of this process lost"
    )
    todo = (
        "Engines die, hang, or are starved: look at their logs and their share of CPU and memory. A handler that "
        "blocks its event loop cannot renew."
    )
    return _line(
        "queue", "Leases", state, detail, todo, leased=facts.leased, near=facts.near, overdue=facts.overdue,
        silent_engines=facts.silent, lost_share=share,
    )  # fmt: skip


def standing(loops: Mapping[str, tuple[float, float]]) -> HealthLine:
    """Background loops of this process that have not come to their end for long."""
    late = {name: since for name, (since, every) in loops.items() if since > max(SLOW_LOOP, 10 * every)}
    named = ", ".join(f"{name} for {_time(since)}" for name, since in sorted(late.items()))
    return _line(
        "queue", "Loops", "bad" if late else "ok", f"stand still: {named}" if late else f"all {len(loops)} run",
        "The API's log says why (loop_failed). Restarting this process loses nothing.", standing=len(late),
    )  # fmt: skip


# ── the database ──


def dead_rows(tables: Sequence[Table]) -> HealthLine:
    """Rows that are no more and still take room, in tables where they are more than what lives."""
    many = [one for one in tables if one.dead > DEAD and one.dead > one.live]
    state: HealthState = "bad" if any(one.dead > VERY_DEAD for one in many) else "warn" if many else "ok"
    named = ", ".join(f"{one.name} {one.dead:,} (of {one.dead + one.live:,})" for one in many)
    total = sum(one.dead for one in tables)
    return _line(
        "database", "Dead rows", state, named or f"{total:,} in all hot tables",
        "Look at the oldest snapshot: while it is held they cannot be removed. Else: VACUUM of these tables.",
        dead_rows=total,
    )  # fmt: skip


def vacuum(tables: Sequence[Table], server: Server | None) -> HealthLine:
    off = [one.name for one in tables if not one.autovacuum]
    if server is not None and not server.autovacuum:
        detail, state = "autovacuum (or track_counts) is off for the whole server", "bad"
    elif off:
        detail, state = f"autovacuum is off for {', '.join(off)}", "bad"
    else:
        running = [one.name for one in tables if one.vacuuming]
        queue = next((one.vacuumed for one in tables if one.name == "queue"), None)
        last = "the queue was never vacuumed yet" if queue is None else f"the queue was vacuumed {_time(queue)} ago"
        detail, state = "; ".join([last, *([f"now at {', '.join(running)}"] if running else [])]), "ok"
    todo = "Turn it on: ALTER SYSTEM SET autovacuum = on, ALTER TABLE … RESET (autovacuum_enabled)."
    return _line("database", "Autovacuum", "bad" if state == "bad" else "ok", detail, todo, autovacuum=state == "ok")


def waste(tables: Sequence[Table], indexes: Sequence[Index]) -> HealthLine:
    """Room that tables and indexes take and do not need: an estimate from their statistics."""
    things: list[Table | Index] = [*tables, *indexes]
    fat = [one for one in things if one.bytes - one.expected > LEAST_WASTE and one.expected < (1 - WASTE) * one.bytes]
    named = ", ".join(f"{one.name} {one.bytes / MB:,.0f} MB for {one.expected / MB:,.0f}" for one in fat)
    todo = (
        "Indexes: REINDEX INDEX CONCURRENTLY. Tables: their room is used again; to give it back, VACUUM FULL in a "
        "pause, or pg_repack."
    )
    lost = sum(max(0.0, one.bytes - one.expected) for one in things)
    return _line("database", "Bloat", "warn" if fat else "ok", named or "none to speak of", todo, wasted_bytes=lost)


def snapshots(facts: Facts) -> HealthLine:
    """What keeps dead rows from being removed: under it every index of the queue grows entries that are walked over."""
    held = [one for one in facts.transactions if one.xids is not None]
    seconds = max([one.seconds for one in held] + [one.seconds or 0.0 for one in facts.holders], default=0.0)
    xids = max([one.xids or 0 for one in held] + [one.xids for one in facts.holders], default=0)
    slots = _state(float(max((one.xids for one in facts.holders), default=0)), XIDS, MANY_XIDS)
    state = _worst(_state(seconds, OLD, VERY_OLD), slots)
    oldest: Transaction | Holder | None = max(held, key=lambda one: one.seconds, default=None)
    if slots != "ok" or oldest is None:
        oldest = max(facts.holders, key=lambda one: one.xids, default=oldest)
    detail = "none is old" if state == "ok" or oldest is None else f"{_who(oldest)}, {xids:,} transactions ago"
    todo = (
        "End it: SELECT pg_terminate_backend(PID); a prepared transaction: ROLLBACK PREPARED; a slot that nobody "
        "reads: pg_drop_replication_slot. A report or backup that needs long: on a replica."
    )
    return _line(
        "database", "Oldest snapshot", state, detail, todo, snapshot_seconds=seconds, snapshot_transactions=xids
    )


def long_transactions(facts: Facts) -> HealthLine:
    long = [one for one in facts.transactions if one.seconds >= OLD]
    longest = max((one.seconds for one in facts.transactions), default=0.0)
    return _line(
        "database", "Long transactions", _state(longest, OLD, VERY_OLD), "; ".join(map(_who, long[:3])) or "none",
        "Whoever leaves transactions open holds locks and snapshots: mend that client, or set "
        "idle_in_transaction_session_timeout.", long_transactions=len(long), longest_transaction_seconds=longest,
    )  # fmt: skip


def locks(number: int, seconds: float) -> HealthLine:
    return _line(
        "database", "Lock waits", _state(seconds, 5.0, OLD),
        f"{number} wait, the first for {_time(seconds)}" if number else "nobody waits",
        "Who holds them: SELECT pid, pg_blocking_pids(pid), query FROM pg_stat_activity "
        "WHERE wait_event_type = 'Lock'.",
        lock_waits=number, lock_wait_seconds=seconds,
    )  # fmt: skip


def connections(server: Server) -> HealthLine:
    share = server.connections / max(1, server.connections_most)
    return _line(
        "database", "Connections", _state(share, 0.8, 0.95), f"{server.connections} of {server.connections_most}",
        "Lower PYSCRAI_POOL_SIZE, put PgBouncer in between, or raise max_connections.",
        connections=server.connections, connections_most=server.connections_most,
    )  # fmt: skip


def wraparound(server: Server) -> HealthLine:
    state = _state(float(server.oldest_xid), 1.5 * server.freeze_age, 1e9)
    return _line(
        "database", "Wraparound", state, f"the oldest transaction number is {server.oldest_xid:,} old",
        "VACUUM (FREEZE) the oldest databases now; look at what keeps autovacuum from it.",
        oldest_xid=server.oldest_xid,
    )  # fmt: skip


# ── what they share ──


def _alive(lane: LaneState) -> bool:
    return bool(lane.engines.get("active"))


def _resting(lane: LaneState) -> str:
    number = lane.engines.get("paused")
    return f", {number} paused" if number else ""


def _state(figure: float, warn: float, bad: float) -> HealthState:
    return "bad" if figure >= bad else "warn" if figure >= warn else "ok"


def _worst(*states: HealthState) -> HealthState:
    return "bad" if "bad" in states else "warn" if "warn" in states else "ok"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


def _who(one: Transaction | Holder) -> str:
    if isinstance(one, Holder):
        return one.name if one.seconds is None else f"{one.name}, {_time(one.seconds)}"
    whose = f"pid {one.pid}, {one.role or 'another role'}, {one.state or 'state hidden'}"
    return f"{one.application} ({whose}) for {_time(one.seconds)}"


def _line(section: str, name: str, state: HealthState, detail: str, todo: str, **values: float) -> HealthLine:
    return HealthLine.model_validate(
        {"section": section, "name": name, "state": state, "detail": detail, "todo": "" if state == "ok" else todo,
         "values": {key: float(value) for key, value in values.items()}}
    )  # fmt: skip

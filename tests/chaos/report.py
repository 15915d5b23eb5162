"""What a run of the suite says of itself: facts as JSON, a summary for the terminal, a part of docs/reliability.md."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.chaos.defects import unforeseen
from tests.chaos.ledger import Ledger
from tests.chaos.memory import Violation
from tests.chaos.suite import Judged
from tests.chaos.verdict import files_of
from tests.chaos.world import World

ROOT = Path(__file__).parent.parent.parent
BEGIN, END = "<!-- chaos: begin -->", "<!-- chaos: end -->"
KINDS = {
    "engine": "light engines",
    "real_engine": "actor, narrator, analyst",
    "api": "API replicas",
    "postgres": "PostgreSQL, the whole server",
    "backend": "one backend of PostgreSQL, which restarts all",
}


def facts_of(world: World, judged: Judged, seed: int, minutes: float) -> dict[str, Any]:
    """Everything that a report says, as JSON."""
    verdict = judged.verdict
    logs = unforeseen(files_of(world.folder, "logs/*.log"))
    violations = [*verdict.violations, *_of_processes(world.ledger), *_of_answers(judged.defects), *logs]
    others = len(violations) - len(verdict.violations)
    return {
        "date": datetime.fromtimestamp(time.time(), UTC).date().isoformat(),
        "commit": _commit(),
        "machine": machine(),
        "seed": seed,
        "minutes": minutes,
        "world": {
            "replicas": world.config.replicas,
            "light_engines": world.config.light_engines,
            "real_engines": dict(world.config.real_engines),
        },
        **world.ledger.summary(),
        "seconds": {name: round(value, 1) for name, value in judged.seconds.items()},
        "network": dict(sorted(world.network.counts.items())),
        "producers": judged.requests,
        **verdict.figures,
        "notes": world.notes,
        "violations": verdict.total + others,
        "violations_by_rule": dict(verdict.counts),
        "violations_named": [str(violation) for violation in violations],
    }


def _of_processes(ledger: Ledger) -> list[Violation]:
    """Nobody dies of it who was not killed."""
    return [
        Violation(
            rule="nobody gives up", expected=f"{death.name} to live", found=f"{death.ending}: {death.last_words[-400:]}"
        )
        for death in ledger.findings
    ]


def _of_answers(defects: Iterable[str]) -> list[Violation]:
    """The API knows what went wrong: 503, not 500."""
    return [Violation(rule="errors are known", expected="no answer 500", found=text) for text in defects]


def machine() -> str:
    """What this was done on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {memory:.0f} GB, {system}"


def _commit() -> str:
    told = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return told.stdout.strip() or "unknown"


def summary(facts: Mapping[str, Any]) -> str:
    """For the terminal."""
    kills, held, light, runs = facts["kills"], facts["kills_while_holding"], facts["light"], facts["runs"]
    seconds, ended, of_runs = facts["seconds"], facts["queue"]["events"], facts["queue"]["of_runs"]
    lines = [
        f"{seconds['storm']:.0f} s under fire, seed {facts['seed']}; then {seconds['drain']:.0f} s until all had ended",
        f"kills      {kills['all']} ({held['all']} while holding a lease or a transaction): "
        + ", ".join(f"{kills[kind]} {kind}" for kind in KINDS),
        "faults     " + ", ".join(f"{number} {name}" for name, number in facts["faults"].items()),
        "network    " + ", ".join(f"{number} {name}" for name, number in facts["network"].items()),
        f"events     {ended} ended: {light['found']} light, {of_runs} of {runs['found']} runs",
        f"compared   {runs['digests_compared']} digests with undisturbed ones, {facts['words']} words of the API",
        f"waits      {_waits(facts)}; longest time in which nothing ended: {facts['longest_silence']:.1f} s",
    ]
    lines += [f"not done   {note}" for note in facts["notes"]]
    lines += [f"VIOLATION  {text}" for text in facts["violations_named"]]
    return "\n".join([*lines, f"violations {facts['violations']}"])


def write(page: Path, facts: Mapping[str, Any]) -> None:
    """Put the generated part into a page, between its markers. Raises ValueError where it has none."""
    text = page.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no {BEGIN} … {END}")
    page.write_text(f"{before}{BEGIN}\n{generated(facts)}{END}{after}", "utf-8")


def generated(facts: Mapping[str, Any]) -> str:
    """The part of the page that a run writes."""
    kills, held, light, runs, queue = (
        facts[name] for name in ("kills", "kills_while_holding", "light", "runs", "queue")
    )
    world, seconds = facts["world"], facts["seconds"]
    engines = ", ".join(f"{number} {kind}" for kind, number in world["real_engines"].items())
    parts = [
        f"Run on {facts['date']} at commit `{facts['commit']}` with seed {facts['seed']}: "
        f"{seconds['storm'] / 60:.1f} minutes under fire, on {facts['machine']}; {world['replicas']} API replicas, "
        f"{world['light_engines']} light engines, {engines}, one durable PostgreSQL.\n",
        f"**{facts['violations']} violations.**\n",
        _table(
            ("what", "number"),
            [
                ("events that ended", f"{queue['events']:,}"),
                ("of them light events, through the network of the producers", f"{light['found']:,}"),
                ("of them events of runs", f"{queue['of_runs']:,}"),
                ("runs", f"{runs['found']:,}"),
                ("digests compared with those of undisturbed runs", f"{runs['digests_compared']:,}"),
                ("model calls reserved and settled", f"{runs['calls']:,}"),
                ("words of the API to engines that were checked", f"{facts['words']:,}"),
                ("posts that were made twice on purpose", f"{light['doubled']:,}"),
                ("from the post of a plain light event to its end: median, 99 %, longest", _waits(facts)),
                ("longest time in which nothing ended, in seconds", f"{facts['longest_silence']:.1f}"),
                ("seconds until everything had ended after the last fault", f"{seconds['drain']:.0f}"),
            ],
        ),
        f"Leases: {queue['claims']:,} claims = {queue['successes']:,} successes + {queue['failures']:,} failures + "
        f"{queue['losses']:,} losses + {queue['handbacks']:,} hand-backs + {queue['cut_off']:,} cancelled.\n",
        _table(
            ("killed with −9", "kills", "while it held a lease or a transaction"),
            [(name, f"{kills[kind]:,}", f"{held[kind]:,}") for kind, name in KINDS.items()]
            + [("**together**", f"**{kills['all']:,}**", f"**{held['all']:,}**")],
        ),
        _table(("other faults", "times"), [(name, f"{n:,}") for name, n in facts["faults"].items()]),
        _table(
            ("network: what became of requests", "times"), [(name, f"{n:,}") for name, n in facts["network"].items()]
        ),
    ]
    if facts["notes"]:
        parts.append("Not done on this machine: " + "; ".join(facts["notes"]) + ".\n")
    if facts["violations"]:
        parts.append("\n".join(f"- {text}" for text in facts["violations_named"]) + "\n")
    return "\n" + "\n".join(parts) + "\n"


def _waits(facts: Mapping[str, Any]) -> str:
    return " / ".join(f"{seconds:.2f}" for seconds in facts["waits"]) + " s"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)

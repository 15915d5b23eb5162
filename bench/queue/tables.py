"""What was measured as tables: columns and rows of text, for a terminal and for a page."""

from __future__ import annotations

from dataclasses import dataclass

from bench.queue import drains, engines, enqueues, fairness, histories, latencies, profiles, snapshots, wholes
from bench.queue.results import Results
from bench.queue.targets import Target, targets

NOT_MEASURED = "not measured"
COSTS = ("client", "server", "postgres", "cpu", "wal")
TITLES = {
    drains.SECTION: "Working off a full queue",
    enqueues.SECTION: "Enqueuing",
    latencies.SECTION: "From enqueuing to the handler's first line, idle workers",
    histories.SECTION: "With a history",
    snapshots.SECTION: "Under a held snapshot, and after its release",
    engines.SECTION: "Many engines in four processes",
    fairness.SECTION: "A run of 10 events behind a huge one",
    wholes.SECTION: "Whole runs",
}


@dataclass(frozen=True)
class Table:
    """A title, columns, and rows. What was never measured has one cell that says why."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


def all_tables(found: Results) -> list[Table]:
    """The targets first, then every section of which anything was measured."""
    tables = [_targets(targets(found))]
    for section, title in TITLES.items():
        if found.cases(section):
            tables.append(_latencies(found, title) if section == latencies.SECTION else _costs(found, section, title))
    return tables + [_profile(found, case) for case in found.cases(profiles.SECTION)]


def _targets(rows: list[Target]) -> Table:
    word = {True: "yes", False: "**no**", None: ""}
    return Table(
        "Targets",
        ("what", "target", "measured", "met", "ours / theirs"),
        [(row.what, row.goal, row.share or NOT_MEASURED, word[row.met], row.note) for row in rows],
    )


def _profile(found: Results, case: str) -> Table:
    title = f"Where the API's time goes: {case}"
    columns = ("part", "share of its CPU")
    if (why := found.error(profiles.SECTION, case)) is not None:
        return Table(title, columns, [(why,)])
    shares: dict[str, float] = found.all(profiles.SECTION, case)[-1]["shares"]
    return Table(title, columns, [(part, f"{share:.1%}") for part, share in shares.items()])


def _latencies(found: Results, title: str) -> Table:
    section = latencies.SECTION
    rows: list[tuple[str, ...]] = []
    for case in found.cases(section):
        if (why := found.error(section, case)) is not None:
            rows.append((case, why))
            continue
        values = [found.median(section, case, key) or 0.0 for key in ("p50", "p99", "max")]
        spread = found.values(section, case, "p99")
        rows.append((case, *(f"{value:.2f}" for value in values), f"{min(spread):.2f} to {max(spread):.2f}"))
    return Table(title, ("case", "p50 ms", "p99 ms", "longest ms", "p99 of the rounds"), rows)


def _costs(found: Results, section: str, title: str) -> Table:
    """Rates, costs, or where there are none, seconds."""
    by_seconds = section in (fairness.SECTION, wholes.SECTION)
    rows: list[tuple[str, ...]] = []
    for case in found.cases(section):
        if (why := found.error(section, case)) is not None:
            rows.append((case, why))
            continue
        values = found.values(section, case, "seconds" if by_seconds else "rate")
        middle = found.median(section, case, "seconds" if by_seconds else "rate") or 0.0
        shape = "{:.2f}" if by_seconds else "{:,.0f}"
        spread = f"{shape.format(min(values))} to {shape.format(max(values))}"
        costs = [found.median(section, case, key) for key in COSTS]
        cells = ("" if cost is None else f"{cost:,.0f}" for cost in costs)
        rows.append((case, shape.format(middle), spread, str(len(values)), *cells))
    unit = "seconds" if by_seconds else "per second"
    return Table(
        title,
        ("case", unit, "rounds from … to", "rounds", "client µs", "API µs", "PostgreSQL µs", "CPU µs", "WAL bytes"),
        rows,
    )

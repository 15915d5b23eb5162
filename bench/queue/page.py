"""`docs/benchmarks.md`: the words are written by hand, what is between the marks by the benchmark."""

from __future__ import annotations

from pathlib import Path

from bench.queue.results import Results
from bench.queue.tables import Table, all_tables

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write(found: Results, page: Path = PAGE) -> None:
    """Put what was measured between the page's marks. Raises ValueError where they are not there."""
    text = page.read_text("utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no {BEGIN} … {END}")
    page.write_text(f"{before}{BEGIN}\n\n{measured(found)}\n{END}{after}", "utf-8")


def measured(found: Results) -> str:
    """The part of the page that the benchmark writes."""
    parts = [machine(found)]
    parts += [f"### {table.title}\n\n{markdown(table)}" for table in all_tables(found)]
    return "\n".join(parts)


def machine(found: Results) -> str:
    """On what it was measured, in a paragraph."""
    if not found.facts:
        return ""
    of = found.facts
    said = [
        f"Measured {of['date']}, commit {of['commit'] or 'unknown'}.",
        _listed("Machine", of["machine"]),
        _listed("PostgreSQL", of["PostgreSQL"]),
        _listed("Versions", of["versions"]),
    ]
    return "\n".join(said) + "\n"


def markdown(table: Table) -> str:
    """A table in Markdown. A row with fewer cells than columns ends with what it has to say."""
    width = len(table.columns)
    lines = [table.columns, ("---",) * width, *(row + ("",) * (width - len(row)) for row in table.rows)]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _listed(title: str, values: dict[str, str]) -> str:
    return f"{title}: " + ", ".join(f"{name} {value}" for name, value in values.items() if value) + "."

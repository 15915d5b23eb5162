"""The files for people: a page about the run, a page for each turn, a page for each seat in each turn."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyscrai.contract.runs import Delivered
from pyscrai.sdk.checks import is_usual
from pyscrai.sdk.export import talks
from pyscrai.sdk.export.gather import Record
from pyscrai.sdk.export.kinds import Blocks, metric, shown, title_of
from pyscrai.sdk.export.text import bullets, one_line, quoted, text_of, value_of
from pyscrai.sdk.result import full_name, latest_metrics

Page = list[str]
TURNS = "turns"


def pages(record: Record) -> dict[str, str]:
    """File name → text: README.md, turns/001.md, turns/001-regulator.md …"""
    found = {"README.md": text_of(about(record))}
    for turn, entries in record.turns.items():
        if turn == 0:
            continue
        found[f"{TURNS}/{turn:03d}.md"] = text_of(turn_page(record, turn, entries))
        for seat in record.seats:
            own = [entry for entry in entries if entry.seat == seat]
            if own:
                found[f"{TURNS}/{turn:03d}-{seat}.md"] = text_of(seat_page(record, turn, seat, own))
        found |= {f"{TURNS}/{name}": text_of(page) for name, page in talks.pages(record, turn, entries).items()}
    return found


def whole(record: Record) -> str:
    """The turns one after the other as one text, each with the letters and coalitions beside it; thoughts left out."""
    blocks = [f"# {one_line(record.run.title)}", bullets(_facts(record))]
    for turn, entries in record.turns.items():
        if turn:
            blocks += turn_page(record, turn, entries, links=False)
            private = [page for name, page in talks.pages(record, turn, entries).items() if talks.is_private(name)]
            blocks += [block for page in private for block in page]
    return text_of(blocks)


def about(record: Record) -> Page:
    """What was played, how it ended, and where to read on."""
    run, scenario = record.run, record.snapshot.scenario
    world: Any = scenario.get("world")
    page = [f"# {one_line(run.title or full_name(run))}", quoted(str(scenario.get("description") or ""))]
    page.append(bullets(_facts(record)))
    page += [
        "## Seats",
        bullets(f"**{one_line(title)}**: {one_line(_role(record, seat))}" for seat, title in record.seats.items()),
    ]
    if isinstance(world, dict) and world.get("text"):
        page += ["## The situation at the start", quoted(str(world["text"]))]
    metrics = latest_metrics(record.log)
    if metrics:
        page += [
            "## Metrics at the end",
            bullets(f"{one_line(name)}: {value_of(value)}" for name, value in metrics.items()),
        ]
    page += [*_patterns(record), "## Turns", bullets(_contents(record))]
    page += [
        "## Files",
        bullets(
            [
                "[run.json](run.json): the run, the scenario as it was, the choices, the state at the end",
                "[metrics.csv](metrics.csv): a row for each turn; an empty cell is a value that was not measured",
                "[messages.csv](messages.csv): each message, letter and move of a coalition, with who heard it",
                "[costs.csv](costs.csv): calls, tokens and costs of each turn, phase, seat and model",
                "[costs.json](costs.json): the same, added up by each of them",
                "[log.jsonl](log.jsonl): every entry of the log",
                "[llm_calls.jsonl](llm_calls.jsonl): every model call, with request, answer and cost",
            ]
        ),
    ]
    return page


def _patterns(record: Record) -> Page:
    """What is counted in the log, beside the words of any report."""
    found = record.patterns
    points = [f"Turn {point.turn}: {one_line(point.what)}{_of(record, point.seat)}" for point in found.turning_points]
    links = [
        f"{title_of(record, link.source)} → {title_of(record, link.target)}: {link.told()}" for link in found.links
    ]
    page = ["## Turning points, counted", bullets(points)] if points else []
    return [*page, *(["## Who moved whom, counted", bullets(links)] if links else [])]


def _of(record: Record, seat: str | None) -> str:
    return f" ({title_of(record, seat)})" if seat else ""


def turn_page(record: Record, turn: int, entries: list[Delivered], *, links: bool = True) -> Page:
    """A turn as the whole table saw it, then what was checked and measured; `links` to the pages beside it."""
    told = [block for entry in entries for block in _public(record, entry)]
    measured = [entry for entry in entries if entry.kind == "metric"]
    page = [f"# {one_line(record.run.title)}: turn {turn} of {record.run.turns}", *told]
    beside = talks.pages(record, turn, entries) if links else {}
    if beside:
        page += ["## Beside the table", bullets(f"[{one[0].lstrip('# ')}]({name})" for name, one in beside.items())]
    if measured:
        page += ["## Metrics", bullets(metric(record, entry) for entry in measured)]
    return page


def seat_page(record: Record, turn: int, seat: str, entries: list[Delivered]) -> Page:
    """A turn of one seat: what it thought, said, did and asked its tools, private things included."""
    page = [f"# {one_line(record.seats[seat])}: turn {turn}"]
    for entry in entries:
        if entry.kind != "metric":
            page += shown(record, entry, alone=True)
    measured = [metric(record, entry) for entry in entries if entry.kind == "metric"]
    return [*page, *(["## Metrics", bullets(measured)] if measured else [])]


def _public(record: Record, entry: Delivered) -> Blocks:
    private = entry.visible_to != "all" and entry.track == "story" and entry.kind not in _ANALYST
    if entry.kind in _SILENT or private or is_usual(entry):
        return []
    return shown(record, entry, alone=False)


_ANALYST = frozenset({"check", "report", "alert"})
_SILENT = frozenset(
    {"run_started", "turn_started", "phase_complete", "turn_complete", "run_complete", "metric", "thought"}
)


def _facts(record: Record) -> Iterable[str]:
    run = record.run
    yield f"Run: {full_name(run)} ({run.id}), scenario version {run.scenario.version}"
    yield f"Status: {run.status}" + (f": {one_line(run.reason.message)}" if run.reason else "")
    if run.outcome:
        yield f"Outcome: {one_line(run.outcome)}"
    yield f"Turns played: {sum(entry.kind == 'turn_complete' for entry in record.log)} of {run.turns}"
    limit = f"of ${run.limit.normalize():f}" if run.limit is not None else "without a limit"
    yield f"Model calls: {run.model_calls}, cost: ${run.spent.normalize():f} {limit}"
    yield f"Seed: {run.seed}, log digest: `{run.log_digest}`"


def _contents(record: Record) -> Iterable[str]:
    for turn, entries in record.turns.items():
        if turn == 0:
            continue
        present = {entry.seat for entry in entries}
        seats = [f"[{one_line(t)}]({TURNS}/{turn:03d}-{s}.md)" for s, t in record.seats.items() if s in present]
        yield f"[Turn {turn}]({TURNS}/{turn:03d}.md)" + (f": {', '.join(seats)}" if seats else "")


def _role(record: Record, seat: str) -> str:
    seats: Any = record.snapshot.scenario.get("seats", {})
    return str(seats.get(seat, {}).get("role") or "")

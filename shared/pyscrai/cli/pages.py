"""The pages around a play: the heading, the end, what a run has cost, lists of runs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from rich.cells import cell_len
from rich.text import Text

from pyscrai.cli.charts import bar, count, money, seconds
from pyscrai.cli.measures import Measures
from pyscrai.cli.paper import Paper
from pyscrai.cli.playbill import Playbill
from pyscrai.cli.prose import clean, clip, fill
from pyscrai.cli.tables import table, when
from pyscrai.cli.trouble import differences, what_to_do, why
from pyscrai.contract.runs import Delivered, Run
from pyscrai.domain.choices import Choices
from pyscrai.domain.model_names import UnknownModel, parse
from pyscrai.sdk.prices import text_of
from pyscrai.sdk.result import full_name

STYLE_OF_STATUS = {
    "completed": "green",
    "running": "cyan",
    "pending": "cyan",
    "waiting": "yellow",
    "paused": "yellow",
    "blocked": "red",
    "failed": "red",
    "cancelled": "dim",
}
STYLE_OF_CHANGE = {"+": "green", "-": "red"}
BAR_WIDTH = 24


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds from the command's start: until the API was ready, and from there to the end of the play."""

    start_up: float
    play: float


def heading(paper: Paper, run: Run, bill: Playbill, engines: Mapping[str, int], version: str) -> None:
    """Who plays, what is played, and how long."""
    dot = f" {paper.glyphs.dot} "
    for line in fill(f"PyScrAI {version}{dot}{bill.played_by()}", paper.width, paper.glyphs, "dim"):
        paper.line(line)
    paper.line(Text(clip(run.title or bill.title, paper.width, paper.glyphs), "bold"))
    for line in fill(bill.description, paper.width, paper.glyphs):
        paper.line(line)
    parts = [_length(run, bill), count(len(bill.seats), "seat"), f"seed {run.seed}"]
    if not free(bill):
        parts.append(f"limit {money(run.limit)}")
    if engines:
        parts.append("engines " + ", ".join(f"{number} {kind}" for kind, number in engines.items()))
    parts.append(full_name(run))
    if run.branch_of is not None:
        parts.append(f"branch of {run.branch_of.label} {_left(run.branch_of.turn)}")
    if run.replay_of is not None:
        parts.append(f"replay of {run.replay_of.scenario}/{run.replay_of.label}")
    for line in _joined(parts, dot, paper):
        paper.line(line)


def _left(turn: int) -> str:
    return f"after turn {turn}" if turn else "before turn 1"


def _length(run: Run, bill: Playbill) -> str:
    if bill.is_dialogue:
        return f"up to {count(run.turns, 'message')}"
    return count(run.turns, "turn") + (f" of {bill.turn_length}" if bill.turn_length else "")


def _joined(parts: Sequence[str], dot: str, paper: Paper) -> Iterable[Text]:
    """Parts with dots between them, broken only between parts."""
    line = ""
    for part in parts:
        longer = f"{line}{dot}{part}" if line else part
        if line and cell_len(longer) > paper.width:
            yield Text(line, "dim")
            longer = part
        line = longer
    yield Text(line, "dim")


def free(bill: Playbill) -> bool:
    """Whether no seat has a model that costs anything."""
    return all(_is_free(model) for model in bill.models.values())


def _is_free(model: str) -> bool:
    try:
        return parse(model).free
    except UnknownModel:
        return False


def ending(
    paper: Paper,
    run: Run,
    measures: Measures,
    reason: str,
    times: Times | None,
    *,
    again: Iterable[tuple[str, str]] = (),
) -> None:
    """How it ended or why it stands still; metrics over the run, money, time, digest, and what to do next."""
    over = run.status in ("completed", "failed", "cancelled")
    paper.rule("The end" if run.status == "completed" else run.status.capitalize(), _rule_style(run))
    paper.blank()
    if run.status == "completed":
        outcome = (run.outcome or "no outcome").replace("_", " ")
        paper.facts([("Outcome", f"{outcome} after {_played(run)}{f' ({reason})' if reason else ''}")])
    else:
        _trouble(paper, run)
    rows = measures.rows_of_run(paper)
    if rows:
        paper.blank()
        for row in rows:
            paper.line(Text("  ") + row)
    paper.blank()
    paper.facts(_figures(run, times))
    for label, command in again if over else ():
        # Not broken into lines, so that it can be copied.
        paper.line(Text.assemble((f"  {label}   ", "dim"), clean(command)))


def _trouble(paper: Paper, run: Run) -> None:
    """What stopped it, where a replay left its recording, and what helps."""
    for line in fill(why(run), paper.width - 2, paper.glyphs):
        paper.line(Text("  ") + line)
    for text in differences(run):
        paper.line(Text("  " + text, STYLE_OF_CHANGE.get(text[:1], "dim")))
    for advice in what_to_do(run):
        for line in fill(advice, paper.width - 2, paper.glyphs):
            paper.line(Text("  ") + line)


def comparison(paper: Paper, run: Run, recorded: Run) -> None:
    """Whether a replay that is over told what was recorded."""
    name = full_name(recorded)
    if run.log_digest == recorded.log_digest:
        text, style = f"The same digest as {name}: the story is the recorded one, word for word.", "green"
    elif run.status == "completed":
        text, style = (
            f"Another digest than {name} ({recorded.log_digest}): scenario, versions or text differ.",
            "yellow",
        )
    else:
        return
    for line in fill(text, paper.width - 2, paper.glyphs, style):
        paper.line(Text("  ") + line)


def _rule_style(run: Run) -> str:
    return f"bold {STYLE_OF_STATUS.get(run.status, '')}".strip()


def _played(run: Run) -> str:
    return count(run.turn, "turn")


def _figures(run: Run, times: Times | None) -> Iterable[tuple[str, str]]:
    spent = money(run.spent) + (f" of {money(run.limit)}" if run.limit is not None and run.spent else "")
    yield "Model calls", f"{run.model_calls:,}, {spent}"
    if times is not None:
        yield "Time", f"{seconds(times.play)} of play, {seconds(times.start_up)} to start up"
    yield "Log digest", run.log_digest
    yield "Run", f"{full_name(run)} ({run.id})"


def next_steps(run: Run, source: str | None) -> list[tuple[str, str]]:
    """Commands that make sense after this run. `source` is what the user gave to `pyscrai run`."""
    steps = [("Read again", f"pyscrai runs show {full_name(run)}")]
    if source:
        again = ["pyscrai", "run", source, *_options(run.choices), "--seed", str(run.seed + 1)]
        steps.append(("Play again", shlex.join(again)))
    return steps


def _options(choices: Choices) -> Iterable[str]:
    """What was chosen, as one writes it: also what the model needs to be called at all."""
    for option, value in (("--model", choices.model), ("--turns", choices.turns), ("--group", choices.group)):
        if value:
            yield from (option, str(value))
    for seat, fields in choices.edits.items():
        for field, told in fields.items():
            yield from ("--set", f"{seat}.{field}={json.dumps(told, ensure_ascii=False)}")
    for model, price in choices.prices.items():
        if (text := text_of(price)) is not None:
            yield from ("--price", f"{model}={text}")
    if isinstance(choices.limit, Decimal):
        yield from ("--limit", f"{choices.limit.normalize():f}")


def spending(paper: Paper, entries: Iterable[Delivered]) -> None:
    """What each turn has cost, by the money that the log's lines carry."""
    costs = _cost_by_turn(entries)
    most = max((cost for _, cost in costs), default=Decimal(0))
    if not most:
        return
    paper.rule("Money by turn", "bold")
    paper.blank()
    rows = [
        (f"Turn {turn}", f"{money(cost):>10}  {bar(float(cost / most), BAR_WIDTH, paper.glyphs)}")
        for turn, cost in costs
    ]
    wide = max(cell_len(label) for label, _ in rows)
    for label, text in rows:
        paper.line(Text.assemble((f"  {label:<{wide}}", "dim"), text.rstrip()))


def _cost_by_turn(entries: Iterable[Delivered]) -> list[tuple[int, Decimal]]:
    """The run's cost when each turn was complete, less what it was before."""
    costs: list[tuple[int, Decimal]] = []
    before = Decimal(0)
    for entry in entries:
        if entry.kind == "turn_complete" and entry.cost is not None:
            costs.append((entry.turn, entry.cost - before))
            before = entry.cost
    return costs


def run_list(paper: Paper, runs: Sequence[Run]) -> None:
    """One line per run, the newest first."""
    rows = [
        (full_name(r), r.status, f"{r.turn}/{r.turns}", money(r.spent), when(r.created_at), _words(r.outcome))
        for r in runs
    ]
    heads = ("run", "status", "turn", "cost", "started (UTC)", "outcome")
    table(paper, heads, rows, styles=STYLE_OF_STATUS)


def _words(outcome: str | None) -> str:
    return (outcome or "").replace("_", " ")

"""A run's log as a play: entries come in, a script to read comes out. Knows nothing of where entries come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.text import Text

from pyscrai.cli import parley
from pyscrai.cli.findings import alert_lines, check_lines
from pyscrai.cli.measures import Measures
from pyscrai.cli.notices import as_text, notice
from pyscrai.cli.paper import Paper
from pyscrai.cli.playbill import Playbill
from pyscrai.cli.prose import clip, fill, one_line
from pyscrai.cli.scenes import field_lines, report_lines, thought_lines
from pyscrai.cli.tools import call_lines, document_lines, result_lines
from pyscrai.cli.waiting import SECTIONS, next_phase
from pyscrai.domain.entry import CONTROL, Entry
from pyscrai.domain.scenario import readable

WORLD, CHECKS, METRICS, REPORT, ALERTS = "World", "Checks", "Metrics", "Report", "Alert"
ACTS = ("decision", "message", "proposal", "tool_call")
"""Kinds that a thought comes before."""


class Play:
    """Prints entry by entry. `doing` says what the run is waiting for, as far as the log tells; `reason` why it
    ended."""

    def __init__(self, paper: Paper, bill: Playbill, *, thoughts: bool = True) -> None:
        self.paper = paper
        self.bill = bill
        self.measures = Measures(bill)
        self.turn = 0
        self.turns = 0
        self.doing = "getting ready"
        self.reason = ""
        self._thoughts = thoughts
        self._held: Entry | None = None
        self._checks: list[Entry] = []
        self._alerts: list[Entry] = []
        self._pacts: dict[str, str] = {}
        self._section = ""
        self._facts: dict[str, Any] = dict(bill.facts)
        self._done: set[str] = set()
        self._wave: list[str] = []
        paper.set_names([*bill.seats.values(), CHECKS, METRICS])

    def show(self, entry: Entry) -> None:
        """Print what this entry adds to the play."""
        if self._held is not None and (entry.kind not in ACTS or entry.seat != self._held.seat):
            self._show_thought(self._held)
        printer = _PRINTERS.get(entry.kind)
        if printer is not None:
            printer(self, entry)
        elif entry.kind in CONTROL:
            self._notice(entry)
        else:
            self._unknown(entry)

    def remember(self, entry: Entry) -> None:
        """Take in an entry without printing it: what is shown later builds on it."""
        if entry.kind == "metric":
            self._metric(entry)
        elif entry.kind == "world_update":
            facts = entry.body.get("facts")
            self._facts |= facts if isinstance(facts, dict) else {}
        elif entry.kind in ("run_started", "turn_started"):
            self.turn, self.turns = entry.turn, _int(entry.body.get("turns")) or self.turns
            self._done = set()
        elif entry.kind == "phase_complete":
            self._phase_done(entry)
        elif entry.kind == "proposal":
            self._pacts[str(entry.body.get("coalition"))] = str(entry.body.get("name") or "")
        elif entry.kind == "outcome":
            self.reason = one_line(str(entry.body.get("reason") or ""))

    # ── the frame ────────────────────────────────────────────────────────────────────────────────────────────────

    def _run_started(self, entry: Entry) -> None:
        self.turns = _int(entry.body.get("turns"))
        paper = self.paper
        paper.blank()
        for seat, title in self.bill.seats.items():
            paper.block(title, paper.filled(self.bill.roles.get(seat, ""))[:3])
        world = entry.body.get("world")
        text = world.get("text", "") if isinstance(world, dict) else world
        if text:
            paper.blank()
            paper.lines(Text("  ") + line for line in fill(str(text), paper.width - 2, paper.glyphs))
        self.doing = self._who_speaks(None) if self.bill.is_dialogue else "the seats are taken"

    def _turn_started(self, entry: Entry) -> None:
        self.turn, self.turns = entry.turn, _int(entry.body.get("turns")) or self.turns
        self._done = set()
        if self.bill.is_dialogue:
            return
        self.paper.rule(f"Turn {entry.turn} of {self.turns}")
        wave = entry.body.get("wave")
        self._wave = [readable(str(step)).lower() for step in wave] if isinstance(wave, list) else []
        self.doing = next_phase(self.bill, self._done, self._wave)

    def _phase_complete(self, entry: Entry) -> None:
        self._phase_done(entry)
        if not self.bill.is_dialogue:
            self.doing = next_phase(self.bill, self._done, self._wave)

    def _phase_done(self, entry: Entry) -> None:
        """A round of a phase, or a phase that is asked again, is not its end."""
        if "round" not in entry.body and not entry.body.get("again"):
            self._done.add(str(entry.body.get("phase") or entry.phase))

    def _turn_complete(self, entry: Entry) -> None:
        self._show_checks()
        rows = self.measures.rows_of_turn(entry.turn, self.paper)
        if rows:
            self.paper.blank()
            self.paper.block(METRICS, rows, "green")
        alerts, self._alerts = self._alerts, []
        if alerts:
            self.paper.blank()
            self.paper.block(ALERTS, alert_lines(self.paper, self.bill, alerts), "bold yellow")
        if not self.bill.is_dialogue:
            self.doing = "the next turn begins"

    def _outcome(self, entry: Entry) -> None:
        self._show_checks()
        self.reason = one_line(str(entry.body.get("reason") or ""))
        self.doing = "the run ends"

    def _run_complete(self, _entry: Entry) -> None:
        self.doing = ""

    # ── what is said and done ────────────────────────────────────────────────────────────────────────────────────

    def _decision(self, entry: Entry) -> None:
        lines = self.paper.filled(_text(entry, "action"))
        self._spoken(self.paper.name(self._title(entry)), lines, entry)

    def _message(self, entry: Entry) -> None:
        direction = parley.direction(self.bill, entry, self._pacts)
        lines = self.paper.filled(direction + _text(entry, "text"))
        if lines:
            lines[0].stylize("dim", 0, len(direction))
        lines += [*field_lines(self.paper, entry), *document_lines(entry.body, self.paper.right, self.paper)]
        self._spoken(self.paper.name(self._title(entry)), lines, entry)
        if self.bill.is_dialogue:
            to = entry.body.get("to")
            self.doing = self._who_speaks(str(to) if to else None)

    def _proposal(self, entry: Entry) -> None:
        self._pacts[str(entry.body.get("coalition"))] = str(entry.body.get("name") or "")
        lines = parley.proposal_lines(self.paper, self.bill, entry)
        if entry.seat:
            self._spoken(self.paper.name(self._title(entry)), lines, entry)
        else:
            self.paper.blank()
            self.paper.block(parley.COALITION, lines, "bold magenta")

    def _tool_call(self, entry: Entry) -> None:
        thought, self._held = self._held, None
        lines = thought_lines(self.paper, thought) if thought is not None and self._thoughts else []
        self._spoken(self.paper.name(self._title(entry)), lines + call_lines(entry.body, self.paper), entry)
        self.doing = f"{self._title(entry)} has asked {one_line(str(entry.body.get('tool')))}"

    def _tool_result(self, entry: Entry) -> None:
        self.paper.block("", result_lines(entry.body, self.paper))
        self.doing = self._who_speaks(entry.seat)

    def _report(self, entry: Entry) -> None:
        self.paper.blank()
        self.paper.block(REPORT, report_lines(self.paper, self.bill, entry), "green")

    def _spoken(self, left: list[Text], lines: list[Text], entry: Entry) -> None:
        self._open_section(entry)
        thought, self._held = self._held, None
        if thought is not None and self._thoughts:
            lines += thought_lines(self.paper, thought)
        self.paper.blank()
        self.paper.block(left, lines or [Text("(says nothing)", "dim")])
        self.turn = entry.turn or self.turn

    def _open_section(self, entry: Entry) -> None:
        """Where a turn has letters or coalitions, say when each part of it begins."""
        section = SECTIONS.get(entry.phase or "", "")
        if section and section != self._section and {"communication", "coalition"} & set(self.bill.phases):
            self.paper.blank()
            self.paper.line(Text(f"  {section}", "dim italic"))
        self._section = section or self._section

    def _thought(self, entry: Entry) -> None:
        self._held = entry

    def _show_thought(self, entry: Entry) -> None:
        self._held = None
        lines = thought_lines(self.paper, entry)
        if self._thoughts and lines:
            self.paper.blank()
            self.paper.block(self._title(entry), lines)

    def _world_update(self, entry: Entry) -> None:
        paper, lines = self.paper, self.paper.filled(_text(entry, "narrative"))
        changes = entry.body.get("changes")
        for change in changes if isinstance(changes, list) else []:
            lines += fill(f"- {one_line(str(change))}", paper.right, paper.glyphs, "cyan")
        lines += [*self._fact_lines(entry.body.get("facts")), *field_lines(paper, entry)]
        paper.blank()
        paper.block(WORLD, lines, "bold green")

    def _fact_lines(self, facts: Any) -> list[Text]:
        """Only what is new or different; the log may repeat the rest."""
        lines: list[Text] = []
        for name, value in facts.items() if isinstance(facts, Mapping) else []:
            before = self._facts.get(name)
            if name in self._facts and before == value:
                continue
            old = f"{as_text(before)} {self.paper.glyphs.arrow} " if name in self._facts else ""
            lines += fill(f"{one_line(str(name))}: {old}{as_text(value)}", self.paper.right, self.paper.glyphs, "cyan")
            self._facts[name] = value
        return lines

    def _exogenous(self, entry: Entry) -> None:
        self.paper.blank()
        lines = parley.happening_lines(self.paper, self.bill, entry)
        self.paper.block("Meanwhile", lines + self._fact_lines(entry.body.get("facts")), "bold yellow")

    # ── what is measured ─────────────────────────────────────────────────────────────────────────────────────────

    def _metric(self, entry: Entry) -> None:
        value = entry.body.get("value")
        if isinstance(value, bool | int | float | str):
            self.measures.add(str(entry.body.get("metric")), entry.seat, entry.turn, value)

    def _check(self, entry: Entry) -> None:
        self._checks.append(entry)

    def _alert(self, entry: Entry) -> None:
        self._alerts.append(entry)

    def _show_checks(self) -> None:
        checks, self._checks = self._checks, []
        lines = check_lines(self.paper, checks)
        if lines:
            self.paper.blank()
            self.paper.block(CHECKS, lines, "green")

    # ── notices ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _notice(self, entry: Entry) -> None:
        text, style = notice(entry, self.bill)
        self.paper.blank()
        for number, line in enumerate(fill(text, self.paper.width - 4, self.paper.glyphs, style)):
            self.paper.line(Text(f"{self.paper.glyphs.warn} " if number == 0 else "  ", style) + line)
        self.doing = text if entry.kind in ("run_paused", "run_blocked") else self.doing

    def _told(self, entry: Entry) -> None:
        """What people put into the run."""
        self.paper.blank()
        lines = parley.told_lines(self.paper, self.bill, entry)
        self.paper.block("Told" if entry.kind == "input" else "Edited", lines, "magenta")
        facts = entry.body.get("facts")
        self._facts |= facts if isinstance(facts, dict) else {}

    def _unknown(self, entry: Entry) -> None:
        """A kind that this version does not know, or has no scene for: shown, never dropped."""
        where = f"{self._title(entry)}: " if entry.seat else ""
        body = clip(as_text(entry.body), max(10, self.paper.right), self.paper.glyphs)
        self.paper.blank()
        self.paper.block(entry.kind, [Text(f"{where}{body}", "dim")], "dim")

    def _title(self, entry: Entry) -> str:
        return self.bill.seat(entry.seat or "")

    def _who_speaks(self, seat: str | None) -> str:
        return f"{self.bill.seat(seat)} is answering" if seat else "the next to speak is thinking"


def _text(entry: Entry, key: str) -> str:
    return str(entry.body.get(key) or "")


def _int(value: Any) -> int:
    return value if isinstance(value, int) else 0


_PRINTERS: dict[str, Callable[[Play, Entry], None]] = {
    "run_started": Play._run_started,
    "input": Play._told,
    "edit": Play._told,
    "turn_started": Play._turn_started,
    "phase_complete": Play._phase_complete,
    "turn_complete": Play._turn_complete,
    "outcome": Play._outcome,
    "run_complete": Play._run_complete,
    "decision": Play._decision,
    "message": Play._message,
    "proposal": Play._proposal,
    "report": Play._report,
    "tool_call": Play._tool_call,
    "tool_result": Play._tool_result,
    "thought": Play._thought,
    "world_update": Play._world_update,
    "exogenous": Play._exogenous,
    "metric": Play._metric,
    "check": Play._check,
    "alert": Play._alert,
}

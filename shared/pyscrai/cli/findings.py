"""What is found in a play: checks, thresholds that were crossed, what was told that only its speaker had known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.text import Text

from pyscrai.cli.charts import count, value_text
from pyscrai.cli.notices import as_text
from pyscrai.cli.paper import Paper
from pyscrai.cli.parley import listed
from pyscrai.cli.playbill import Playbill
from pyscrai.cli.prose import fill, one_line
from pyscrai.domain.entry import Entry
from pyscrai.domain.scenario import readable
from pyscrai.sdk.checks import DONE_ABOUT, is_disclosure, is_usual

SEVERITY = {"low": "yellow", "medium": "yellow", "high": "red", "critical": "bold red"}
WAYS = {"up": "rises to", "down": "falls to", "met": "reaches"}


def check_lines(paper: Paper, checks: Sequence[Entry]) -> list[Text]:
    """How many checks found nothing, then what the others found."""
    counted = [check for check in checks if not is_usual(check)]
    if not counted:
        return []
    bad = [check for check in counted if not check.body.get("consistent", True)]
    good = len(counted) - len(bad)
    lines = [Text(f"{good} of {count(len(counted), 'check')} consistent", "" if bad else "dim")]
    for check in bad:
        severity = str(check.body.get("severity") or "")
        lines += fill(_found(check, severity), paper.right, paper.glyphs, SEVERITY.get(severity, ""))
    return lines


def _found(check: Entry, severity: str) -> str:
    issues = check.body.get("issues")
    said = "; ".join(one_line(str(i)) for i in issues) if isinstance(issues, list) and issues else "not consistent"
    action = DONE_ABOUT.get(str(check.body.get("action")), "")
    about = ", ".join(part for part in (severity, action) if part)
    return f"- {check.body.get('check')} ({about}): {said}"


def alert_text(bill: Playbill, entry: Entry) -> str:
    """`Trust falls to 0.28, beyond low (0.3)`."""
    body = entry.body
    whose = f" of {bill.seat(entry.seat)}" if entry.seat else ""
    metric = readable(str(body.get("metric")).replace("_", " "))
    way = WAYS.get(str(body.get("direction")), "reaches")
    threshold = f"{one_line(str(body.get('threshold')))} ({as_text(body.get('level'))})"
    return f"{metric}{whose} {way} {_value(body.get('value'))}: {threshold}"


def _value(value: Any) -> str:
    return value_text(value) if isinstance(value, bool | int | float | str) else as_text(value)


def alert_lines(paper: Paper, bill: Playbill, alerts: Iterable[Entry]) -> list[Text]:
    lines: list[Text] = []
    for entry in alerts:
        lines += fill(f"- {alert_text(bill, entry)}", paper.right, paper.glyphs, "yellow")
    return lines


def disclosures(paper: Paper, bill: Playbill, log: Iterable[Entry]) -> None:
    """At the end of a page: what was told that only its speaker had known. Goals and limits that were spoken of are
    gathered by turn and speaker; what is graver has a line of its own."""
    usual: dict[tuple[int, str], dict[str, None]] = {}
    grave: list[str] = []
    for entry in log:
        if not is_disclosure(entry):
            continue
        issues, heard = entry.body.get("issues"), entry.body.get("heard")
        if not is_usual(entry):
            found = issues if isinstance(issues, list) else []
            grave += [f"- Turn {entry.turn}: {one_line(str(one))}" for one in found]
            continue
        for key in heard if isinstance(heard, dict) else ():
            seat, _, name = key.partition("/")
            usual.setdefault((entry.turn, seat), {})[name] = None
    told = [f"- Turn {turn}: {bill.seat(seat)} spoke of {listed([*names])}" for (turn, seat), names in usual.items()]
    if not told and not grave:
        return
    paper.rule("What was told that only its speaker had known", "bold")
    paper.blank()
    for text, style in [*((text, "") for text in told), *((text, "yellow") for text in grave)]:
        paper.lines(Text("  ") + line for line in fill(text, paper.width - 2, paper.glyphs, style))

"""The page of one run: what was said and done, turn by turn. Every text goes through `escape`; no script."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

from pyscrai.contract.runs import Delivered, Run
from pyscrai.domain import pacts
from pyscrai.domain.disclosure import is_usual
from pyscrai.domain.entry import CONTROL
from pyscrai.domain.scenario import readable
from pyscrai_api.page.html import REFRESH_SECONDS, style

MOST = 3000
"""Lines of a log on the page; a longer one is for the command line."""
SILENT = frozenset(
    {"run_started", "turn_started", "phase_complete", "turn_complete", "run_complete", "metric", "thought"}
)
Titles = Mapping[str, str]


def page(run: Run, titles: Titles, log: list[Delivered]) -> str:
    """A run as a page; while it goes on, the browser comes back for more. `titles`: what people read for a seat."""
    again = f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}">\n' if run.ended_at is None else ""
    turns: dict[int, list[Delivered]] = {}
    for entry in log[:MOST]:
        turns.setdefault(entry.turn, []).append(entry)
    sections = "".join(_turn(run, titles, turn, entries) for turn, entries in turns.items())
    more = "" if len(log) <= MOST else f'<p class="notice">Only the first {MOST:,} lines of the log are shown.</p>'
    place = f"/api/v1/runs/{escape(run.id)}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
{again}<title>{escape(run.title)}</title>
<style>{style()}</style>
</head>
<body>
<header>
<h1>{escape(run.title)} <small>{escape(run.scenario.name)}/{escape(run.label)}</small></h1>
<p>{escape(run.status)}, turn {run.turn} of {run.turns}{_ending(run)}</p>
<nav><a href="/">All runs</a> <a href="{place}">Run</a> <a href="{place}/log">Log</a> \
<a href="{place}/patterns">Patterns</a></nav>
</header>
<main>
{sections}{more}</main>
</body>
</html>
"""


def _ending(run: Run) -> str:
    return f": <b>{escape(run.outcome.replace('_', ' '))}</b>" if run.outcome else ""


def _turn(run: Run, titles: Titles, turn: int, entries: list[Delivered]) -> str:
    rows = "".join(_row(titles, entry) for entry in entries if entry.kind not in SILENT and not is_usual(entry))
    measured = [entry for entry in entries if entry.kind == "metric"]
    if measured:
        rows += _cells("Metrics", "<br>".join(_metric(titles, entry) for entry in measured))
    if not rows:
        return ""
    head = f"Turn {turn} of {run.turns}" if turn else "Before the first turn"
    return f'<section>\n<h2>{head}</h2>\n<table class="story">\n<tbody>\n{rows}</tbody>\n</table>\n</section>\n'


def _row(titles: Titles, entry: Delivered) -> str:
    told = _KINDS.get(entry.kind, _other)(titles, entry)
    who = titles.get(entry.seat or "", entry.seat or "") or _HEADS.get(entry.kind, "")
    return _cells(who or readable(entry.kind.replace("_", " ")), _heard(titles, entry) + told)


def _cells(who: str, told: str) -> str:
    return f"<tr><td><b>{escape(who)}</b></td><td>{told}</td></tr>\n"


def _heard(titles: Titles, entry: Delivered) -> str:
    """Who alone may know of it, beside its own seat."""
    seats = entry.visible_to if isinstance(entry.visible_to, list) else []
    names = [titles[seat] for seat in seats if seat != entry.seat and seat in titles]
    return f'<div class="about">only to {escape(", ".join(names))}</div>' if names else ""


def _said(text: Any) -> str:
    return "" if text is None else escape(str(text).strip()).replace("\n", "<br>")


def _items(values: Any) -> str:
    listed = values if isinstance(values, list) else []
    return "".join(f"<br>· {_said(one)}" for one in listed)


def _facts(body: Mapping[str, Any]) -> str:
    facts = body.get("facts")
    return (
        "".join(f"<br>{_said(name)}: {_said(value)}" for name, value in facts.items())
        if isinstance(facts, dict)
        else ""
    )


def _decision(_titles: Titles, entry: Delivered) -> str:
    return _said(entry.body.get("action"))


def _message(_titles: Titles, entry: Delivered) -> str:
    aside = '<div class="about">to everybody</div>' if entry.body.get("channel") == "public" else ""
    return aside + _said(entry.body.get("text"))


def _proposal(titles: Titles, entry: Delivered) -> str:
    return _said(pacts.sentence(entry.body, lambda seat: titles.get(seat, seat)))


def _world(_titles: Titles, entry: Delivered) -> str:
    return _said(entry.body.get("narrative")) + _items(entry.body.get("changes")) + _facts(entry.body)


def _event(_titles: Titles, entry: Delivered) -> str:
    return _said(entry.body.get("text")) + _facts(entry.body)


def _check(_titles: Titles, entry: Delivered) -> str:
    body = entry.body
    good = "consistent" if body.get("consistent") else f"not consistent ({_said(body.get('severity'))})"
    return f"{_said(body.get('check'))}: {good}" + _items(body.get("issues"))


def _alert(_titles: Titles, entry: Delivered) -> str:
    body = entry.body
    mark = f"{_said(body.get('threshold'))} ({_said(body.get('level'))})"
    return f"{_said(body.get('metric'))} is {_said(body.get('value'))}: {mark}"


def _report(titles: Titles, entry: Delivered) -> str:
    def named(one: Mapping[str, Any], key: str) -> str:
        return titles.get(str(one.get(key)), str(one.get(key)))

    body = entry.body
    points = [f"Turn {one.get('turn')}: {one.get('what')}" for one in _dicts(body.get("turning_points"))]
    links = [f"{named(one, 'from')} → {named(one, 'to')}: {one.get('how')}" for one in _dicts(body.get("influence"))]
    places = [f"{named(one, 'seat')}: {one.get('position')}" for one in _dicts(body.get("positions"))]
    parts = (("Turning points", points), ("Who moved whom", links), ("Where they stand", places))
    told = "".join(f"<br><b>{title}</b>{_items(items)}" for title, items in parts if items)
    return _said(body.get("summary")) + _items(body.get("findings")) + told


def _dicts(values: Any) -> Iterable[dict[str, Any]]:
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []


def _outcome(_titles: Titles, entry: Delivered) -> str:
    return f"{_said(entry.body.get('outcome'))} ({_said(entry.body.get('reason'))})"


def _other(_titles: Titles, entry: Delivered) -> str:
    """Other kinds, and control: what they say in words, if they do."""
    text = entry.body.get("text") or entry.body.get("message") or entry.body.get("content")
    said = _said(text if isinstance(text, str) else "")
    return said or (f'<span class="about">{_said(entry.kind)}</span>' if entry.kind in CONTROL else "")


def _metric(titles: Titles, entry: Delivered) -> str:
    whose = f", {escape(titles.get(entry.seat, entry.seat))}" if entry.seat else ""
    value = f"{_said(entry.body.get('value'))} {_said(entry.body.get('unit'))}".strip()
    return f"{_said(entry.body.get('metric'))}{whose}: {value}"


_HEADS = {"world_update": "World", "exogenous": "Meanwhile", "check": "Check", "alert": "Alert", "report": "Report"}
_KINDS: dict[str, Callable[[Titles, Delivered], str]] = {
    "decision": _decision,
    "message": _message,
    "proposal": _proposal,
    "world_update": _world,
    "exogenous": _event,
    "input": _event,
    "edit": _event,
    "check": _check,
    "alert": _alert,
    "report": _report,
    "outcome": _outcome,
}

"""The files for people: a page about the run, a page for each turn, a page for each seat in each turn."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyscrai.contract.runs import Delivered
from pyscrai.domain.scenario import readable
from pyscrai.sdk.export.gather import Record
from pyscrai.sdk.result import full_name, latest_metrics

Page = list[str]
TURNS = "turns"


def pages(record: Record) -> dict[str, str]:
    """File name → text: README.md, turns/001.md, turns/001-regulator.md …"""
    found = {"README.md": _text(about(record))}
    for turn, entries in record.turns.items():
        if turn == 0:
            continue
        found[f"{TURNS}/{turn:03d}.md"] = _text(turn_page(record, turn, entries))
        for seat in record.seats:
            own = [entry for entry in entries if entry.seat == seat]
            if own:
                found[f"{TURNS}/{turn:03d}-{seat}.md"] = _text(seat_page(record, turn, seat, own))
    return found


def whole(record: Record) -> str:
    """The turns one after the other as one text, private pages left out."""
    turns = [turn_page(record, turn, entries) for turn, entries in record.turns.items() if turn]
    return _text([f"# {_line(record.run.title)}", _list(_facts(record)), *(block for turn in turns for block in turn)])


def about(record: Record) -> Page:
    """What was played, how it ended, and where to read on."""
    run, scenario = record.run, record.snapshot.scenario
    world: Any = scenario.get("world")
    page = [f"# {_line(run.title or full_name(run))}", _quoted(str(scenario.get("description") or ""))]
    page.append(_list(_facts(record)))
    page += [
        "## Seats",
        _list(f"**{_line(title)}**: {_line(_role(record, seat))}" for seat, title in record.seats.items()),
    ]
    if isinstance(world, dict) and world.get("text"):
        page += ["## The situation at the start", _quoted(str(world["text"]))]
    metrics = latest_metrics(record.log)
    if metrics:
        page += ["## Metrics at the end", _list(f"{_line(name)}: {_value(value)}" for name, value in metrics.items())]
    page += ["## Turns", _list(_contents(record))]
    page += [
        "## Files",
        _list(
            [
                "[run.json](run.json): the run, the scenario as it was, the choices, the state at the end",
                "[metrics.csv](metrics.csv): a row for each turn; an empty cell is a value that was not measured",
                "[costs.csv](costs.csv): calls, tokens and costs of each turn, phase, seat and model",
                "[costs.json](costs.json): the same, added up by each of them",
                "[log.jsonl](log.jsonl): every entry of the log",
                "[llm_calls.jsonl](llm_calls.jsonl): every model call, with request, answer and cost",
            ]
        ),
    ]
    return page


def turn_page(record: Record, turn: int, entries: list[Delivered]) -> Page:
    """A turn as the whole table saw it, then what was checked and measured."""
    told = [block for entry in entries for block in _public(record, entry)]
    measured = [entry for entry in entries if entry.kind == "metric"]
    page = [f"# {_line(record.run.title)}: turn {turn} of {record.run.turns}", *told]
    if measured:
        page += ["## Metrics", _list(_metric(record, entry) for entry in measured)]
    return page


def seat_page(record: Record, turn: int, seat: str, entries: list[Delivered]) -> Page:
    """A turn of one seat: what it thought, said, did and asked its tools, private things included."""
    page = [f"# {_line(record.seats[seat])}: turn {turn}"]
    for entry in entries:
        if entry.kind != "metric":
            page += _KINDS.get(entry.kind, _other)(record, entry, True)
    measured = [_metric(record, entry) for entry in entries if entry.kind == "metric"]
    return [*page, *(["## Metrics", _list(measured)] if measured else [])]


# ── entries ──────────────────────────────────────────────────────────────────────────────────────────────────────

Blocks = list[str]


def _public(record: Record, entry: Delivered) -> Blocks:
    if entry.kind in _SILENT or (entry.visible_to != "all" and entry.track == "story" and entry.kind not in _ANALYST):
        return []
    return _KINDS.get(entry.kind, _other)(record, entry, False)


def _decision(record: Record, entry: Delivered, alone: bool) -> Blocks:
    return [*([] if alone else [f"## {_name(record, entry)}"]), _quoted(str(entry.body.get("action") or ""))]


def _message(record: Record, entry: Delivered, alone: bool) -> Blocks:
    to = entry.body.get("to")
    aside = [f"to {_line(record.seats.get(str(to), str(to)))}"] if to else []
    aside += ["closing"] if entry.body.get("closing") else []
    said = _quoted(str(entry.body.get("text") or ""))
    notes = [f"*({', '.join(aside)})*"] if aside else []
    head = [] if alone else [f"## {_name(record, entry)}"]
    return [*head, *notes, said, *_fields(entry), *_documents(record, entry)]


def _thought(_record: Record, entry: Delivered, _alone: bool) -> Blocks:
    text = str(entry.body.get("reasoning") or entry.body.get("thought") or "")
    goals = entry.body.get("goals")
    wants = _list(_line(str(goal)) for goal in goals) if isinstance(goals, list) and goals else ""
    return ["## Thinks", _quoted(text), *(["## Wants", wants] if wants else [])]


def _world(_record: Record, entry: Delivered, _alone: bool) -> Blocks:
    page = ["## World", _quoted(str(entry.body.get("narrative") or ""))]
    changes, facts = entry.body.get("changes"), entry.body.get("facts")
    if isinstance(changes, list) and changes:
        page.append(_list(_line(str(change)) for change in changes))
    if isinstance(facts, dict) and facts:
        page.append(_list(f"{_line(name)}: {_value(value)}" for name, value in facts.items()))
    return [*page, *_fields(entry)]


def _report(_record: Record, entry: Delivered, _alone: bool) -> Blocks:
    findings = entry.body.get("findings")
    found = [_list(_value(one) for one in findings)] if isinstance(findings, list) and findings else []
    return ["## Report", _quoted(str(entry.body.get("summary") or "")), *found, *_fields(entry)]


def _check(_record: Record, entry: Delivered, _alone: bool) -> Blocks:
    body = entry.body
    good = "consistent" if body.get("consistent") else f"not consistent ({_line(str(body.get('severity') or ''))})"
    issues = body.get("issues")
    told = [_list(_line(str(issue)) for issue in issues)] if isinstance(issues, list) and issues else []
    return [f"**Check {_line(str(body.get('check')))}:** {good}", *told]


def _tool_call(_record: Record, entry: Delivered, _alone: bool) -> Blocks:
    return [f"## Asks {_line(str(entry.body.get('tool')))}", _code(entry.body.get("input"))]


def _tool_result(record: Record, entry: Delivered, _alone: bool) -> Blocks:
    ends = entry.body.get("ends")
    page = [f"## {_line(str(entry.body.get('tool')))} answers", _quoted(str(entry.body.get("content") or ""))]
    return [*page, *_documents(record, entry), *([f"This ends the run: {_line(str(ends))}."] if ends else [])]


def _outcome(_record: Record, entry: Delivered, _alone: bool) -> Blocks:
    reason = _line(str(entry.body.get("reason") or ""))
    return [f"**Outcome: {_line(str(entry.body.get('outcome')))}**{f' ({reason})' if reason else ''}"]


def _other(record: Record, entry: Delivered, alone: bool) -> Blocks:
    """Kinds without a form of their own, those of later versions too: shown, never dropped."""
    who = "" if alone or not entry.seat else f" ({_name(record, entry)})"
    text = entry.body.get("text") or entry.body.get("message")
    told = _quoted(text) if isinstance(text, str) else _code(entry.body) if entry.body else ""
    return [f"## {readable(entry.kind.replace('_', ' '))}{who}", told]


_ANALYST = frozenset({"check", "report"})
_SILENT = frozenset(
    {"run_started", "turn_started", "phase_complete", "turn_complete", "run_complete", "metric", "thought"}
)
_KINDS: Mapping[str, Callable[[Record, Delivered, bool], Blocks]] = {
    "decision": _decision,
    "message": _message,
    "thought": _thought,
    "world_update": _world,
    "check": _check,
    "report": _report,
    "tool_call": _tool_call,
    "tool_result": _tool_result,
    "outcome": _outcome,
}


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _facts(record: Record) -> Iterable[str]:
    run = record.run
    yield f"Run: {full_name(run)} ({run.id}), scenario version {run.scenario.version}"
    yield f"Status: {run.status}" + (f": {_line(run.reason.message)}" if run.reason else "")
    if run.outcome:
        yield f"Outcome: {_line(run.outcome)}"
    yield f"Turns played: {sum(entry.kind == 'turn_complete' for entry in record.log)} of {run.turns}"
    limit = f"of ${run.limit.normalize():f}" if run.limit is not None else "without a limit"
    yield f"Model calls: {run.model_calls}, cost: ${run.spent.normalize():f} {limit}"
    yield f"Seed: {run.seed}, log digest: `{run.log_digest}`"


def _contents(record: Record) -> Iterable[str]:
    for turn, entries in record.turns.items():
        if turn == 0:
            continue
        present = {entry.seat for entry in entries}
        seats = [f"[{_line(t)}]({TURNS}/{turn:03d}-{s}.md)" for s, t in record.seats.items() if s in present]
        yield f"[Turn {turn}]({TURNS}/{turn:03d}.md)" + (f": {', '.join(seats)}" if seats else "")


def _metric(record: Record, entry: Delivered) -> str:
    whose = f", {_name(record, entry)}" if entry.seat else ""
    unit = f" {_line(str(entry.body['unit']))}" if entry.body.get("unit") else ""
    return f"{_line(str(entry.body.get('metric')))}{whose}: {_value(entry.body.get('value'))}{unit}"


def _fields(entry: Delivered) -> Blocks:
    """What an author's own step or event type has asked for beside the text."""
    fields = entry.body.get("fields")
    if not isinstance(fields, dict) or not fields:
        return []
    return [_list(f"{_line(str(name))}: {_value(value)}" for name, value in fields.items())]


def _documents(record: Record, entry: Delivered) -> Blocks:
    documents = entry.body.get("documents")
    listed = [one for one in documents if isinstance(one, dict)] if isinstance(documents, list) else []
    return [_list(_document(record, one) for one in listed)] if listed else []


def _document(record: Record, said: dict[str, Any]) -> str:
    title, about = _line(str(said.get("title"))), _line(str(said.get("content_type")))
    document = str(said.get("id"))
    if document not in record.documents:
        return f"{title} ({about}; too large to be kept)"
    return f"[{title}](../{record.file_of(document)}) ({about})"


def _name(record: Record, entry: Delivered) -> str:
    return _line(record.seats.get(entry.seat or "", entry.seat or ""))


def _role(record: Record, seat: str) -> str:
    seats: Any = record.snapshot.scenario.get("seats", {})
    return str(seats.get(seat, {}).get("role") or "")


def _value(value: Any) -> str:
    if value is None:
        return "not measured"
    return _line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _quoted(text: str) -> str:
    """Text as it was said, as a quotation: whatever Markdown is in it stays inside."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


def _line(text: str) -> str:
    """One line, in which nothing starts a link, a tag or an emphasis."""
    return re.sub(r"([\\`*\[\]<>])", r"\\\1", " ".join(text.split()))


def _code(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=2)
    fence = "`" * max(3, 1 + max((len(ticks) for ticks in re.findall("`+", text)), default=0))
    return f"{fence}json\n{text}\n{fence}"


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _text(blocks: Iterable[str]) -> str:
    return "\n\n".join(block for block in blocks if block) + "\n"

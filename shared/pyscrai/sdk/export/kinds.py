"""Each kind of entry as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pyscrai.contract.runs import Delivered
from pyscrai.domain import pacts
from pyscrai.domain.scenario import readable
from pyscrai.sdk.checks import DONE_ABOUT
from pyscrai.sdk.export.gather import Record
from pyscrai.sdk.export.text import bullets, code, one_line, quoted, value_of

Blocks = list[str]


def shown(record: Record, entry: Delivered, *, alone: bool) -> Blocks:
    """An entry. `alone`: on a page of its own seat, which need not be named."""
    return _KINDS.get(entry.kind, _other)(record, entry, alone)


def hearers(record: Record, entry: Delivered) -> str:
    """Who alone may know of an entry, beside its own seat; empty where all may, or nobody at the table."""
    seats = entry.visible_to if isinstance(entry.visible_to, list) else []
    titles = [title_of(record, seat) for seat in seats if seat != entry.seat and seat in record.seats]
    return " and ".join(titles) if len(titles) < 3 else f"{', '.join(titles[:-1])} and {titles[-1]}"


def title_of(record: Record, seat: Any) -> str:
    """What people read for a seat; what is no seat, as it was written."""
    return one_line(record.seats.get(str(seat), str(seat)))


def _decision(record: Record, entry: Delivered, alone: bool) -> Blocks:
    return [*([] if alone else [f"## {name_of(record, entry)}"]), quoted(str(entry.body.get("action") or ""))]


def _message(record: Record, entry: Delivered, alone: bool) -> Blocks:
    to, channel = str(entry.body.get("to") or ""), entry.body.get("channel")
    heard = hearers(record, entry)
    if channel == "coalition":
        aside = [f"inside “{one_line(record.coalitions.get(to, to))}”, only to {heard}"]
    elif heard:
        aside = [f"only to {heard}"]
    elif channel == "public":
        aside = ["to everybody"]
    else:
        aside = [f"to {title_of(record, to)}"] if to else []
    aside += ["closing"] if entry.body.get("closing") else []
    said = quoted(str(entry.body.get("text") or ""))
    notes = [f"*({', '.join(aside)})*"] if aside else []
    head = [] if alone else [f"## {name_of(record, entry)}"]
    return [*head, *notes, said, *_fields(entry), *_documents(record, entry)]


def _proposal(record: Record, entry: Delivered, alone: bool) -> Blocks:
    heard = hearers(record, entry)
    told = one_line(pacts.sentence(entry.body, lambda seat: record.seats.get(seat, seat)))
    who = "" if alone or not entry.seat else f"**{name_of(record, entry)}** "
    return [f"{who}{told}{f' *(only {heard} may know)*' if heard else ''}"]


def _exogenous(record: Record, entry: Delivered, _alone: bool) -> Blocks:
    heard, facts = hearers(record, entry), entry.body.get("facts")
    head = {"input": "## Told from outside", "edit": "## Edited"}.get(entry.kind, "## Meanwhile")
    page = [head, *([f"*(only to {heard})*"] if heard else []), quoted(str(entry.body.get("text") or ""))]
    if entry.body.get("world"):
        page.append(quoted(str(entry.body["world"])))
    if isinstance(facts, dict) and facts:
        page.append(bullets(f"{one_line(name)}: {value_of(value)}" for name, value in facts.items()))
    return page


def _alert(record: Record, entry: Delivered, alone: bool) -> Blocks:
    body = entry.body
    whose = f" of {name_of(record, entry)}" if entry.seat and not alone else ""
    was = "" if body.get("before") is None else f"{value_of(body['before'])} → "
    threshold = f"{one_line(str(body.get('threshold')))} ({value_of(body.get('level'))})"
    return [f"**Alert:** {one_line(str(body.get('metric')))}{whose} {was}{value_of(body.get('value'))}: {threshold}"]


def _thought(_record: Record, entry: Delivered, _alone: bool) -> Blocks:
    text = str(entry.body.get("reasoning") or entry.body.get("thought") or "")
    goals = entry.body.get("goals")
    wants = bullets(one_line(str(goal)) for goal in goals) if isinstance(goals, list) and goals else ""
    return ["## Thinks", quoted(text), *(["## Wants", wants] if wants else [])]


def _world(_record: Record, entry: Delivered, _alone: bool) -> Blocks:
    page = ["## World", quoted(str(entry.body.get("narrative") or ""))]
    changes, facts = entry.body.get("changes"), entry.body.get("facts")
    if isinstance(changes, list) and changes:
        page.append(bullets(one_line(str(change)) for change in changes))
    if isinstance(facts, dict) and facts:
        page.append(bullets(f"{one_line(name)}: {value_of(value)}" for name, value in facts.items()))
    return [*page, *_fields(entry)]


def _report(record: Record, entry: Delivered, _alone: bool) -> Blocks:
    body = entry.body
    page = ["## Report", quoted(str(body.get("summary") or ""))]
    parts = {
        "": [value_of(one) for one in _listed(body.get("findings"))],
        "Turning points": [f"Turn {one.get('turn')}: {_said(one, 'what')}" for one in _dicts(body, "turning_points")],
        "Who moved whom": [
            f"{title_of(record, one.get('from'))} → {title_of(record, one.get('to'))}: {_said(one, 'how')}"
            for one in _dicts(body, "influence")
        ],
        "Where they stand": [
            f"{title_of(record, one.get('seat'))}: {_said(one, 'position')}" for one in _dicts(body, "positions")
        ],
        "What was told that only its speaker had known": [
            one_line(str(told)) for told in _listed(body.get("disclosures"))
        ],
    }
    for title, items in parts.items():
        page += [*([f"### {title}"] if title else []), bullets(items)] if items else []
    return [*page, *_fields(entry)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [one for one in _listed(body.get(name)) if isinstance(one, dict)]


def _said(one: Mapping[str, Any], key: str) -> str:
    return one_line(str(one.get(key)))


def _check(_record: Record, entry: Delivered, _alone: bool) -> Blocks:
    body = entry.body
    about = [str(body.get("severity") or ""), DONE_ABOUT.get(str(body.get("action")), "")]
    wrong = f"not consistent ({one_line(', '.join(part for part in about if part))})"
    good = "consistent" if body.get("consistent") else wrong
    issues = body.get("issues")
    told = [bullets(one_line(str(issue)) for issue in issues)] if isinstance(issues, list) and issues else []
    return [f"**Check {one_line(str(body.get('check')))}:** {good}", *told]


def _tool_call(_record: Record, entry: Delivered, _alone: bool) -> Blocks:
    return [f"## Asks {one_line(str(entry.body.get('tool')))}", code(entry.body.get("input"))]


def _tool_result(record: Record, entry: Delivered, _alone: bool) -> Blocks:
    ends = entry.body.get("ends")
    page = [f"## {one_line(str(entry.body.get('tool')))} answers", quoted(str(entry.body.get("content") or ""))]
    return [*page, *_documents(record, entry), *([f"This ends the run: {one_line(str(ends))}."] if ends else [])]


def _outcome(_record: Record, entry: Delivered, _alone: bool) -> Blocks:
    reason = one_line(str(entry.body.get("reason") or ""))
    return [f"**Outcome: {one_line(str(entry.body.get('outcome')))}**{f' ({reason})' if reason else ''}"]


def _other(record: Record, entry: Delivered, alone: bool) -> Blocks:
    """Kinds without a form of their own, those of later versions too: shown, never dropped."""
    who = "" if alone or not entry.seat else f" ({name_of(record, entry)})"
    text = entry.body.get("text") or entry.body.get("message")
    told = quoted(text) if isinstance(text, str) else code(entry.body) if entry.body else ""
    return [f"## {readable(entry.kind.replace('_', ' '))}{who}", told]


_KINDS: Mapping[str, Callable[[Record, Delivered, bool], Blocks]] = {
    "decision": _decision,
    "message": _message,
    "proposal": _proposal,
    "exogenous": _exogenous,
    "input": _exogenous,
    "edit": _exogenous,
    "alert": _alert,
    "thought": _thought,
    "world_update": _world,
    "check": _check,
    "report": _report,
    "tool_call": _tool_call,
    "tool_result": _tool_result,
    "outcome": _outcome,
}


def metric(record: Record, entry: Delivered) -> str:
    """A value that was measured."""
    whose = f", {name_of(record, entry)}" if entry.seat else ""
    unit = f" {one_line(str(entry.body['unit']))}" if entry.body.get("unit") else ""
    return f"{one_line(str(entry.body.get('metric')))}{whose}: {value_of(entry.body.get('value'))}{unit}"


def _fields(entry: Delivered) -> Blocks:
    """What an author's own step or event type has asked for beside the text."""
    fields = entry.body.get("fields")
    if not isinstance(fields, dict) or not fields:
        return []
    return [bullets(f"{one_line(str(name))}: {value_of(value)}" for name, value in fields.items())]


def _documents(record: Record, entry: Delivered) -> Blocks:
    documents = entry.body.get("documents")
    listed = [one for one in documents if isinstance(one, dict)] if isinstance(documents, list) else []
    return [bullets(_document(record, one) for one in listed)] if listed else []


def _document(record: Record, said: dict[str, Any]) -> str:
    title, about = one_line(str(said.get("title"))), one_line(str(said.get("content_type")))
    document = str(said.get("id"))
    if document not in record.documents:
        return f"{title} ({about}; too large to be kept)"
    return f"[{title}](../{record.file_of(document)}) ({about})"


def name_of(record: Record, entry: Delivered) -> str:
    """What people read for the seat of an entry."""
    return one_line(record.seats.get(entry.seat or "", entry.seat or ""))

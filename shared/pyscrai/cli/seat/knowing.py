"""What a seat knows, as a page to read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.text import Text

from pyscrai.cli.charts import seconds
from pyscrai.cli.paper import Paper
from pyscrai.cli.prose import fill, one_line
from pyscrai.contract.seats import Asked, SeatPage
from pyscrai.domain.scenario import readable

AFTER = {"skip": "then the seat is skipped", "model": "then a model moves for it", "wait": "and then it is waited on"}
APPROVED_AFTER = {**AFTER, "skip": "then the move is dropped", "model": "then what the model proposes counts"}


def briefing(paper: Paper, page: SeatPage) -> None:
    """Who one is, what one wants, what only one knows: once, when one sits down."""
    view, you = page.view, _dict(page.view.get("you"))
    paper.rule(f"You are {page.title}")
    for label, name in (("Your role", "role"), ("Your situation", "situation"), ("Only you know", "private")):
        _paragraph(paper, label, you.get(name))
    _list(paper, "Your goals", you.get("goals"))
    _list(paper, "Your constraints", you.get("constraints"))
    _list(paper, "Your papers", str(you.get("knowledge") or "").splitlines())
    _paragraph(paper, "Your instructions", you.get("instructions"))
    others = [f"{other.get('title')}{_colon(other.get('role'))}" for other in view.get("others") or []]
    _list(paper, "The others", others)


def situation(paper: Paper, page: SeatPage) -> None:
    """What stands before a move: the world, coalitions, letters, offers, results of tools."""
    view = page.view
    world = _dict(view.get("world"))
    _paragraph(paper, "The world now", world.get("text"))
    _list(paper, "Facts", [f"{readable(name)}: {_plain(value)}" for name, value in _dict(world.get("facts")).items()])
    _list(paper, "You stand with", [_pact(one) for one in view.get("coalitions") or []])
    _list(paper, "Letters to answer", [f"{one.get('title')}: {one.get('text')}" for one in view.get("letters") or []])
    _list(paper, "Offers", [f"{one.get('by')}: {_pact(one, 'others')}" for one in view.get("offers") or []])
    results = [f"{one.get('tool')}: {one.get('content')}" for one in view.get("tool_results") or []]
    _list(paper, "What your tools answered", results)


def key(page: SeatPage) -> str:
    """Equal for pages whose situation reads the same."""
    parts = ("world", "coalitions", "letters", "offers", "tool_results")
    return json.dumps([page.seat, *(page.view.get(part) for part in parts)], sort_keys=True, default=str)


def question(paper: Paper, page: SeatPage, asked: Asked) -> None:
    """The heading above a form: what is asked, and until when."""
    paper.rule(
        f"{page.title} {paper.glyphs.dot} turn {asked.turn} of {asked.turns} {paper.glyphs.dot} {asked.what}", "bold"
    )
    if asked.kind == "approval":
        _heading(paper, "The model proposes")
        shown(paper, page.proposed or {})
    for one in page.remarks:
        _paragraph(paper, "Sent back before", str(one.get("remark")))
    if text := countdown(asked):
        paper.line(Text(f"  {text}", "yellow"))


def countdown(asked: Asked) -> str:
    """How much time there is, and what happens then; nothing without a deadline."""
    if asked.seconds_left is None:
        return ""
    after = (APPROVED_AFTER if asked.kind == "approval" else AFTER).get(asked.on_deadline, "")
    return f"{seconds(asked.seconds_left)} left, {after}."


def shown(paper: Paper, value: Mapping[str, Any]) -> None:
    """An answer, field by field."""
    paper.facts((readable(name), _plain(one)) for name, one in value.items() if one not in (None, "", []))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{readable(name)}: {_plain(one)}" for name, one in value.items())
    if isinstance(value, list):
        return "\n".join(f"- {_plain(one)}" for one in value)
    return str(value)


def _pact(one: Mapping[str, Any], members: str = "members") -> str:
    among = ", ".join(str(member) for member in one.get(members) or [])
    return f"{one.get('name')}{f' with {among}' if among else ''}: {one.get('purpose')}"


def _colon(text: Any) -> str:
    return f": {text}" if text else ""


def _heading(paper: Paper, label: str) -> None:
    paper.blank()
    paper.line(Text(f"  {label}", "bold"))


def _paragraph(paper: Paper, label: str, text: Any) -> None:
    if text:
        _heading(paper, label)
        paper.lines(Text("  ") + line for line in fill(str(text), paper.width - 2, paper.glyphs))


def _list(paper: Paper, label: str, items: Iterable[Any] | None) -> None:
    told = [one_line(str(item)) for item in items or []]
    if told:
        _paragraph(paper, label, "\n".join(f"- {item}" for item in told))


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}

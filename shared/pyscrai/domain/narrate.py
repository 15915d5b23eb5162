"""From the results of a step to lines of the story. Who may see each line follows from its kind, not from the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pyscrai.domain import alerts, disclosure, facts, flow, pacts, talk
from pyscrai.domain.documents import documents_of
from pyscrai.domain.entry import Audience, Draft, draft
from pyscrai.domain.metrics import coerce
from pyscrai.domain.plan import Plan
from pyscrai.domain.scenario import Check
from pyscrai.domain.state import DISCLOSURES, State
from pyscrai.domain.work import Result, Work

SEVERITIES = ("low", "medium", "high", "critical")
FACTS = "facts"
"""The check that the system itself makes of new facts."""


def narrate(plan: Plan, state: State, results: list[Result]) -> list[Draft]:
    """The entries that a step's results make, in the order of its events, then `phase_complete` per phase.

    A discarded event (value None) makes no entry of its own: the seat said nothing. `state` is the one that the step
    was asked in.
    """
    drafts: list[Draft] = []
    for result in results:
        if result.value is not None:
            drafts += _WRITERS[result.work.phase](plan, state, result.work, result.value)
    drafts += _disclosures(plan, state, drafts)
    for phase in dict.fromkeys(result.work.phase for result in results):
        done = sum(result.work.phase == phase and result.value is not None for result in results)
        work = next(result.work for result in results if result.work.phase == phase)
        again = {"again": True} if _asks_again(phase, drafts) else {}
        drafts.append(phase_complete(work.turn, phase, done, **_round(work), **again))
    return drafts


def _asks_again(phase: str, drafts: list[Draft]) -> bool:
    """Whether something of this phase was found that the narrator is to mend."""
    return any(line.body.get("action") == "reask" and line.phase == phase for line in drafts)


def _disclosures(plan: Plan, state: State, drafts: list[Draft]) -> Iterator[Draft]:
    """One line with everything that was told in this step and that only its speaker had known."""
    heard: dict[str, Audience] = {}
    issues: list[str] = []
    grave = False
    for entry in drafts:
        for key, told in disclosure.found_in(plan, entry, {**state.disclosed, **heard}):
            heard[key] = disclosure.widened(heard.get(key) or state.disclosed.get(key), entry.visible_to)
            issues.append(told)
            grave = grave or disclosure.is_grave(key)
    if issues:
        body: dict[str, Any] = {"check": disclosure.CHECK, "consistent": False, "issues": issues, "heard": heard}
        body["severity"] = "medium" if grave else "low"
        yield draft("check", body, turn=drafts[0].turn, phase=drafts[0].phase)


def phase_complete(turn: int, phase: str, events: int, **more: Any) -> Draft:
    """The end of a phase, or with `round` of one round of it, with how many of its events gave a result."""
    return draft("phase_complete", {"phase": phase, "events": events, **more}, turn=turn, phase=phase)


def _round(work: Work) -> dict[str, Any]:
    return {"round": work.payload["round"]} if work.phase in (talk.PHASE, pacts.PHASE) else {}


def measured(plan: Plan, state: State, entries: list[Draft]) -> list[Draft]:
    """Entries of metrics, each followed by the alerts of thresholds that its value crosses."""
    found: list[Draft] = []
    for entry in entries:
        found.append(entry)
        name, before = str(entry.body["metric"]), state.metrics.get(str(entry.body["metric"]))
        if entry.seat is not None:
            before = before.get(entry.seat) if isinstance(before, dict) else None
        metric = plan.scenario.metrics[name]
        found += alerts.crossed(name, metric, before, entry.body["value"], turn=entry.turn, seat=entry.seat)
    return found


def metric_entry(plan: Plan, turn: int, name: str, value: Any, seat: str | None = None) -> Draft:
    metric = plan.scenario.metrics[name]
    body = {"metric": name, "value": value, "unit": metric.unit, "by": metric.by}
    return draft("metric", body, turn=turn, phase="metrics", seat=seat)


def message_entry(
    turn: int, seat: str, text: str, to: str | None, closing: bool, documents: list[Any] | None = None
) -> Draft:
    body: dict[str, Any] = {"text": text, "to": to, "closing": closing}
    if documents:
        body["documents"] = documents
    return draft("message", body, turn=turn, phase="dialogue", seat=seat)


def _decision(_plan: Plan, _state: State, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    thought = {"reasoning": value.get("reasoning", ""), "goals": value.get("goals", [])}
    yield draft("thought", thought, turn=work.turn, phase=work.phase, seat=work.seat)
    yield draft("decision", {"action": value["action"]}, turn=work.turn, phase=work.phase, seat=work.seat)


def _message(plan: Plan, _state: State, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    seat = str(work.seat)
    if value.get("thought"):
        yield draft("thought", {"thought": value["thought"]}, turn=work.turn, phase=work.phase, seat=seat)
    asked = value.get("tool_call")
    if asked:
        body = {"tool": asked["name"], "input": asked.get("input") or {}}
        yield draft("tool_call", body, turn=work.turn, phase=work.phase, seat=seat)
        return
    brought = work.payload.get("documents")
    documents = brought if isinstance(brought, list) else []
    to, closing = _addressed(plan, seat, value), bool(value.get("closing"))
    yield message_entry(work.turn, seat, value["text"], to, closing, documents)


def _letters(_plan: Plan, _state: State, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    seat, turn, told = str(work.seat), work.turn, work.payload
    members: Any = told["members"]
    if value.get("thought"):
        yield draft("thought", {"thought": value["thought"]}, turn=turn, phase=work.phase, seat=seat)
    if told["statement"] and (value.get("statement") or "").strip():
        yield talk.statement(turn, seat, value["statement"])
    written: set[str] = set()
    for one in value.get("letters") or []:
        # One letter to each: a second one to the same receiver could not have heard an answer to the first.
        if one["to"] not in written:
            written.add(one["to"])
            yield talk.letter(turn, seat, one["to"], one["text"], bool(one.get("closing")), members)


def _pact(_plan: Plan, state: State, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    seat, turn = str(work.seat), work.turn
    if value.get("thought"):
        yield draft("thought", {"thought": value["thought"]}, turn=turn, phase=work.phase, seat=seat)
    if work.payload["round"] == 2:
        yield from _answers(work, seat, value)
        return
    standing: Any = work.payload["members"]
    for name in dict.fromkeys(value.get("leave") or []):
        named = {"name": state.coalitions[name].name}
        yield pacts.line("leave", name, turn=turn, parties=standing[name], seat=seat, more=named)
    offered = value.get("proposal")
    asked = [other for other in dict.fromkeys((offered or {}).get("with") or []) if other != seat]
    if offered and asked:
        more = {"name": offered["name"], "purpose": offered["purpose"], "with": asked}
        yield pacts.line("propose", pacts.name_of(turn, seat), turn=turn, parties=[seat, *asked], seat=seat, more=more)


def _answers(work: Work, seat: str, value: dict[str, Any]) -> Iterator[Draft]:
    """An offer without an answer is rejected: nobody joins by saying nothing."""
    given = {one["coalition"]: one for one in value.get("answers") or []}
    offers: Any = work.payload["offers"]
    for name, offer in offers.items():
        answer = given.get(name) or {"accept": False, "reason": ""}
        act, parties = "accept" if answer["accept"] else "reject", [offer["by"], *offer["asked"]]
        more = {"name": offer["name"], "reason": answer.get("reason") or ""}
        yield pacts.line(act, name, turn=work.turn, parties=parties, seat=seat, more=more)


def _tool_result(plan: Plan, _state: State, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    seat, name = str(work.payload["seat"]), str(work.payload["tool"])
    tool = plan.tool(seat, name)
    body = {"tool": name, "content": value["content"], "ends": tool.ends}
    body["documents"] = [document.reference() for document in documents_of(value)]
    yield draft("tool_result", body, turn=work.turn, phase=work.phase, seat=seat)


def _addressed(plan: Plan, seat: str, value: dict[str, Any]) -> str | None:
    """The seat that a message is to, by name or title; None (everyone) where it names nobody at the table."""
    wanted = str(value.get("to") or "").strip().lower()
    names = {name.lower(): name for name in plan.scenario.seats}
    names |= {plan.scenario.seat_title(name).lower(): name for name in plan.scenario.seats}
    found = names.get(wanted)
    return None if found == seat else found


def _flow_message(plan: Plan, _state: State, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    seat, name = str(work.seat), str(work.payload["step"])
    step = plan.scenario.flow[name]
    thought = flow.thought(value)
    if thought is not None:
        yield draft("thought", thought, turn=work.turn, phase=work.phase, seat=seat)
    text, fields = flow.told(value)
    to = step.to if step.to in plan.scenario.seats else _addressed(plan, seat, value)
    body = {"text": text, "to": to, "closing": bool(value.get("closing")), "step": name, "fields": fields}
    parties = flow.parties(plan.scenario, step, seat)
    yield draft("message", body, turn=work.turn, phase=work.phase, seat=seat, parties=parties)


def _report(plan: Plan, state: State, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    summary, fields = flow.told(value)
    body: dict[str, Any] = {"summary": summary, "findings": value.get("findings") or []}
    if "step" in work.payload:
        body |= {"step": work.payload["step"], "fields": fields}
    else:
        told_by_now = disclosure.listed(plan.scenario, state.disclosures, DISCLOSURES, state.disclosed)
        told = {name: value.get(name) or [] for name in ("turning_points", "influence", "positions")}
        body |= told | {"at_end": bool(work.payload.get("at_end")), "disclosures": told_by_now}
    yield draft("report", body, turn=work.turn, phase=work.phase)


def _world_update(plan: Plan, state: State, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    if "step" in work.payload:
        narrative, fields = flow.told(value)
        value = value | {"narrative": narrative}
        extra: dict[str, Any] = {"step": work.payload["step"], "fields": fields}
    else:
        extra = {}
    new = value.get("facts") or {}
    wrong = dict(facts.contradictions(plan.scenario.world.variables, state.facts, new))
    again = bool(wrong) and not work.payload.get("again") and "step" not in work.payload
    if wrong:
        found: dict[str, Any] = {"check": FACTS, "consistent": False, "issues": list(wrong.values())}
        found |= {"severity": "medium"} | ({"action": "reask"} if again else {})
        yield draft("check", found, turn=work.turn, phase=work.phase)
    if again:
        return
    kept = {name: one for name, one in new.items() if name not in wrong}
    body = {"narrative": value["narrative"], "facts": kept, "changes": value.get("changes") or []}
    yield draft("world_update", body | extra, turn=work.turn, phase=work.phase)


def _named(plan: Plan, issues: list[Any]) -> list[str]:
    """The seats that the issues of a check name, in seat order."""
    told = " ".join(str(issue) for issue in issues).lower()
    return [seat for seat in plan.seats if plan.scenario.seat_title(seat).lower() in told]


def _grave(check: Check, found: dict[str, Any]) -> bool:
    """Whether what was found is as grave as what the check acts on; where nobody says how grave, it is."""
    return found["severity"] not in SEVERITIES or SEVERITIES.index(found["severity"]) >= SEVERITIES.index(
        check.severity
    )


def _check(plan: Plan, state: State, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    body = {"check": work.payload.get("check"), "consistent": value["consistent"]}
    body |= {"issues": value.get("issues") or [], "severity": value.get("severity") or "none"}
    if not value["consistent"]:
        body["seats"] = _named(plan, body["issues"])
    declared = plan.scenario.checks.get(str(work.payload.get("check")))
    if declared is not None and not value["consistent"] and declared.on_issue != "log" and _grave(declared, body):
        asked = "world_update" in plan.event_types and work.phase not in state.reasked
        # Asked again once; what is still wrong then is recorded.
        body["action"] = declared.on_issue if declared.on_issue != "reask" or asked else "warn"
        if body["action"] == "reask":
            body["told"] = disclosure.without_secrets(plan, state.disclosed, body["issues"])
    yield draft("check", body, turn=work.turn, phase=work.phase)


def _measure(plan: Plan, state: State, work: Work, value: dict[str, Any]) -> Iterator[Draft]:
    asked = work.payload.get("metrics")
    values = value.get("values") or {}
    entries: list[Draft] = []
    for name in asked if isinstance(asked, list) else []:
        metric, found = plan.scenario.metrics[str(name)], values.get(name)
        per_seat = found if metric.per_seat and isinstance(found, dict) else {metric.seat: found}
        for seat, one in per_seat.items():
            value_ = coerce(metric, one)
            if value_ is not None and (seat is None or seat in plan.scenario.seats):
                entries.append(metric_entry(plan, work.turn, str(name), value_, seat))
    yield from measured(plan, state, entries)


_WRITERS: dict[str, Callable[[Plan, State, Work, dict[str, Any]], Iterator[Draft]]] = {
    "decision": _decision,
    "dialogue": _message,
    "message": _flow_message,
    "report": _report,
    "tool": _tool_result,
    "world_update": _world_update,
    "validation": _check,
    "metrics": _measure,
    talk.PHASE: _letters,
    pacts.PHASE: _pact,
}
READ_OF_PHASE = {
    "decision": frozenset({"action"}),
    "dialogue": frozenset({"text"}),
    "tool": frozenset({"content"}),
    "world_update": frozenset({"narrative"}),
    "validation": frozenset({"consistent"}),
    "metrics": frozenset({"values"}),
}
"""What is read of a result without asking whether it is there: an event type of that phase has to require it."""

"""Logs written by hand in the shape in which the API delivers them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pyscrai.contract.runs import Delivered, Run, ScenarioRef
from pyscrai.domain.entry import draft

NEGOTIATION: dict[str, Any] = {
    "format": "pyscrai/scenario@1",
    "name": "frontier-rules",
    "title": "Frontier rules",
    "description": "A regulator and a developer of large models look for rules that both can live with.",
    "world": {"text": "Two months are left before the draft law goes to parliament.", "facts": {"window": "24 h"}},
    "seats": {
        "regulator": {"title": "Regulator", "role": "head of the national safety agency"},
        "tech-company": {"title": "Tech company", "role": "develops and sells frontier models"},
    },
    "schedule": {"policy": "turns@1", "turns": 2, "turn_length": "1 month"},
    "metrics": {
        "trust": {"type": "number", "range": [0, 1]},
        "reporting_hours": {"type": "integer", "unit": "hours", "by": "pattern", "pattern": r"(\d+) hours"},
        "disclosure": {"type": "category", "categories": ["public", "mixed", "closed"]},
        "resolve": {"type": "integer", "per_seat": True, "range": [1, 10]},
    },
    "checks": {"coherence": {"severity": "high"}, "in-character": {"severity": "medium"}},
}

DIALOGUE: dict[str, Any] = {
    "format": "pyscrai/scenario@1",
    "name": "the-bridge",
    "title": "The bridge",
    "seats": {
        "mayor": {"title": "Mayor", "role": "wants the bridge before the vote"},
        "engineer": {"title": "Engineer", "role": "knows what the ground will bear"},
        "ferryman": {"title": "Ferryman", "role": "lives from the crossing"},
    },
    "schedule": {"policy": "dialogue@1", "turns": 12},
}


class Recorder:
    """Numbers entries as they are added. Money is what had been spent of one dollar."""

    def __init__(self) -> None:
        self.entries: list[Delivered] = []
        self.cost = Decimal("0")

    def add(self, kind: str, body: dict[str, Any] | None = None, **place: Any) -> Recorder:
        line = draft(kind, body, **place)
        self.entries.append(
            Delivered(
                **line.model_dump(),
                seq=len(self.entries) + 1,
                step=1,
                n=0,
                at="2026-11-20T09:30:00.000000Z",
                cost=self.cost,
                remaining=Decimal("1") - self.cost,
            )
        )
        return self

    def done(self, phase: str, turn: int) -> Recorder:
        return self.add("phase_complete", {"phase": phase}, turn=turn, phase=phase)


def negotiation() -> list[Delivered]:
    """Two turns of phases: thoughts, decisions, the world, one failed check, metrics of every type, an outcome."""
    log = Recorder()
    seats = [{"seat": n, "title": s["title"], "role": s["role"]} for n, s in NEGOTIATION["seats"].items()]
    log.add(
        "run_started",
        {
            "title": "Frontier rules",
            "scenario": "frontier-rules",
            "policy": "turns@1",
            "turns": 2,
            "seed": 7,
            "seats": seats,
            "world": NEGOTIATION["world"]["text"],
        },
    )
    _turn_one(log)
    _turn_two(log)
    log.add("outcome", {"outcome": "agreement", "reason": "trust >= 0.7"}, turn=2)
    log.add("run_complete", {"turns": 2, "outcome": "agreement"}, turn=2)
    return log.entries


def _turn_one(log: Recorder) -> None:
    at: dict[str, Any] = {"turn": 1, "phase": "decision"}
    log.add("turn_started", {"turns": 2, "turn_length": "1 month"}, turn=1)
    thought = "The industry will accept audits if the reporting window is softened; parliament will not notice an hour."
    log.add("thought", {"reasoning": thought, "goals": ["keep the law credible"]}, seat="regulator", **at)
    action = (
        "Offers a reporting window of 72 hours in exchange for audits twice a year, and asks for two things:\n"
        "- a public summary of each audit\n- a named person who answers for it, at the level of the **board**"
    )
    log.add("decision", {"action": action}, seat="regulator", **at)
    log.add("thought", {"reasoning": "Audits we can bear.", "goals": []}, seat="tech-company", **at)
    log.add("decision", {"action": "Accepts annual audits; refuses to publish them."}, seat="tech-company", **at)
    log.done("decision", 1)
    narrative = "The first draft moves towards reporting. What becomes of the audits stays open, and the press notices."
    log.add(
        "world_update",
        {"narrative": narrative, "facts": {"window": "72 h"}, "changes": ["clause 4 is rewritten"]},
        turn=1,
        phase="world_update",
    )
    log.done("world_update", 1)
    _measured(log, 1, trust=0.42, hours=72, disclosure="closed", resolve={"regulator": 8, "tech-company": 6})
    for name in ("coherence", "in-character"):
        log.add("check", _check(name), turn=1, phase="validation")
    log.done("validation", 1).add("turn_complete", {"metrics": {"trust": 0.42}}, turn=1)


def _turn_two(log: Recorder) -> None:
    at: dict[str, Any] = {"turn": 2, "phase": "decision"}
    log.cost = Decimal("0.0042")
    log.add("turn_started", {"turns": 2, "turn_length": "1 month"}, turn=2)
    log.add("decision", {"action": "Drops the public summary."}, seat="regulator", **at)
    log.add("decision", {"action": "Signs."}, seat="tech-company", **at)
    log.done("decision", 2)
    log.add("world_update", {"narrative": "The paper is signed.", "facts": {"signed": True}, "changes": []}, turn=2)
    log.done("world_update", 2)
    _measured(log, 2, trust=0.71, hours=72, disclosure="mixed", resolve={"regulator": 5, "tech-company": 6})
    log.add("check", _check("coherence"), turn=2, phase="validation")
    log.add("check", _check("in-character", ["the regulator gives up its first goal"], "high"), turn=2)
    log.done("validation", 2).add("turn_complete", {"metrics": {"trust": 0.71}}, turn=2)


def _check(name: str, issues: list[str] | None = None, severity: str = "none") -> dict[str, Any]:
    return {"check": name, "consistent": not issues, "issues": issues or [], "severity": severity}


def _measured(log: Recorder, turn: int, *, trust: float, hours: int, disclosure: str, resolve: dict[str, int]) -> None:
    values: dict[str, Any] = {"trust": trust, "reporting_hours": hours, "disclosure": disclosure}
    for name, value in values.items():
        log.add("metric", {"metric": name, "value": value, "unit": "", "by": "model"}, turn=turn, phase="metrics")
    for seat, value in resolve.items():
        body = {"metric": "resolve", "value": value, "unit": "", "by": "model"}
        log.add("metric", body, turn=turn, phase="metrics", seat=seat)


def dialogue() -> list[Delivered]:
    """Three seats in turn; one thought, one message to a seat, one private message, a closing one."""
    log = Recorder()
    log.add("run_started", {"policy": "dialogue@1", "turns": 12, "seed": 0, "seats": [], "world": ""})

    def say(turn: int, seat: str, text: str, to: str | None = None, *, closing: bool = False, **more: Any) -> None:
        log.add("turn_started", {"turns": 12, "turn_length": ""}, turn=turn)
        if more.get("thought"):
            log.add("thought", {"thought": more["thought"]}, turn=turn, phase="dialogue", seat=seat)
        body = {"text": text, "to": to, "closing": closing}
        log.add("message", body, turn=turn, phase="dialogue", seat=seat, parties=more.get("parties"))
        log.done("dialogue", turn).add("turn_complete", {"metrics": {}}, turn=turn)

    say(
        1,
        "mayor",
        "We pour the first pillar in May, whatever the river says.",
        "engineer",
        thought="She must not say no.",
    )
    say(2, "engineer", "The river says it in numbers: there are eleven metres of mud under your pillar.")
    say(3, "ferryman", "I can carry the mud away, for a fare.", "mayor", parties=["ferryman", "mayor"])
    say(4, "mayor", "Then we dig.", closing=True)
    log.add("outcome", {"outcome": "closed", "reason": "every seat's latest message was its closing one"}, turn=4)
    log.add("run_complete", {"turns": 4, "outcome": "closed"}, turn=4)
    return log.entries


def run(**change: Any) -> Run:
    """The run of `negotiation`, as GET /runs/{id} shows it."""
    values: dict[str, Any] = {
        "id": "019aa3f0-1111-7abc-8def-000000000001",
        "number": 3,
        "label": "run-003",
        "serial": 12,
        "title": "Frontier rules",
        "scenario": ScenarioRef(
            id="019aa3ef-0000-7abc-8def-000000000001",
            name="frontier-rules",
            version=1,
            title="Frontier rules",
            sha256="ab" * 32,
        ),
        "status": "completed",
        "outcome": "agreement",
        "turn": 2,
        "turns": 2,
        "phase": None,
        "step": 6,
        "open": 0,
        "last_seq": 40,
        "seats": ["regulator", "tech-company"],
        "seed": 7,
        "limit": Decimal("1.00"),
        "spent": Decimal("0.0042"),
        "reserved": Decimal("0"),
        "model_calls": 12,
        "log_digest": "9f3a27c1" * 8,
        "choices": {"seed": 7},
        "owner": "local",
        "visibility": "private",
        "created_at": "2026-11-20T09:30:00.000000Z",
        "started_at": "2026-11-20T09:30:00.100000Z",
        "ended_at": "2026-11-20T09:30:02.200000Z",
    }
    return Run.model_validate(values | change)

"""The log digest: a hash chain over what a run's story says, and nothing else (DESIGN rule 5).

It leaves out run ids, numbers, times, event ids, engines, attempts and costs, so it is equal for one engine or
twenty, killed or not, on every installation with the same versions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyscrai.domain.canonical import canonical, normalise, sha256
from pyscrai.domain.entry import Draft
from pyscrai.domain.plan import Plan


def first_link(plan: Plan) -> str:
    """The digest of an empty log: the pinned versions, the seats and what is edited of them, the policy's schedule and
    the seed."""
    seats = [{"seat": seat, "human": plan.human(seat), "told": plan.told(seat)} for seat in plan.scenario.seats]
    pins = sorted([pin.type, pin.name, pin.sha256] for pin in plan.pins)
    first: dict[str, Any] = {"pins": pins, "seats": seats, "seed": plan.seed, "turns": plan.turns}
    if plan.choices.edits:
        first["edits"] = plan.choices.edits
    return sha256(canonical(normalise(first)))


def canonical_entry(entry: Draft) -> str:
    """The canonical text of what an entry says: the only bytes that digests are taken from."""
    return canonical(
        {
            "body": entry.body,
            "kind": entry.kind,
            "phase": entry.phase,
            "seat": entry.seat,
            "turn": entry.turn,
            "v": entry.v,
            "visible_to": entry.visible_to,
        }
    )


def link(previous: str, text: str) -> str:
    """One more link of the chain."""
    return sha256(f"{previous}\n{text}")


def chain(first: str, texts: Iterable[str]) -> str:
    """The digest of a whole story: `first_link`, then the canonical text of each story entry in order."""
    digest = first
    for text in texts:
        digest = link(digest, text)
    return digest

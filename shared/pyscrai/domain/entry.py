"""One line of a run's log: the closed union of kinds, which track each is on, and who may see it.

`visible_to` is set by the system from the entry's kind, never by what a model wrote (DESIGN §6a).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, computed_field

Track = Literal["story", "control"]
Audience = Literal["all", "none"] | list[str]
"""`all` seats, `none` of them, or the named seats."""

STORY = frozenset(
    {
        *("run_started", "turn_started", "phase_complete", "turn_complete", "run_complete", "outcome"),
        *(
            "decision",
            "message",
            "proposal",
            "thought",
            "world_update",
            "exogenous",
            "metric",
            "check",
            "alert",
            "report",
        ),
        *("tool_call", "tool_result", "input", "edit"),
    }
)
CONTROL = frozenset(
    {
        *("run_paused", "run_resumed", "run_blocked", "run_cancelled", "run_failed"),
        *("event_dead", "limit_changed", "credit_limit_warning", "seat_changed"),
    }
)
SEEN_BY_ALL = frozenset(
    {
        *("run_started", "turn_started", "phase_complete", "turn_complete", "run_complete", "outcome"),
        *("decision", "world_update", "exogenous"),
    }
)
OWN_SEAT = frozenset({"thought", "tool_call", "tool_result"})


class Draft(BaseModel):
    """An entry before it has a number: exactly what the digest covers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    v: int = 1
    turn: int = 0
    phase: str | None = None
    seat: str | None = None
    visible_to: Audience = "none"
    body: dict[str, JsonValue] = {}

    @computed_field  # type: ignore[prop-decorator]
    @property
    def track(self) -> Track:
        return "story" if self.kind in STORY else "control"


class Entry(Draft):
    """A numbered line of a log. `step` and `n` say where it was committed; `at` is the database's time.

    A reader ignores fields, and passes on kinds, that a newer version has added.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    seq: Annotated[int, Field(ge=1)]
    step: int
    n: int
    at: str = ""

    def visible(self, seat: str | None) -> bool:
        """Whether `seat` may know this entry; `None` is a person who may read the whole run."""
        if seat is None or self.visible_to == "all":
            return True
        return isinstance(self.visible_to, list) and seat in self.visible_to


def audience(kind: str, seat: str | None = None, parties: list[str] | None = None) -> Audience:
    """Who may see an entry of this kind: the table of DESIGN §6a.

    `parties` are the members of a private message or proposal, or whom an input is whispered to; without parties these
    are public. An edit of the world is public, one of a seat's fields is for nobody at the table.
    """
    if kind in ("message", "proposal", "input"):
        return sorted(parties) if parties else "all"
    if kind == "edit":
        return "all" if seat is None else "none"
    if kind in SEEN_BY_ALL:
        return "all"
    if kind in OWN_SEAT and seat is not None:
        return [seat]
    return "none"


def draft(
    kind: str,
    body: dict[str, Any] | None = None,
    *,
    turn: int = 0,
    phase: str | None = None,
    seat: str | None = None,
    parties: list[str] | None = None,
) -> Draft:
    """Make an entry of a known kind; who may see it follows from the kind."""
    if kind not in STORY and kind not in CONTROL:
        raise ValueError(f"unknown kind of entry: {kind}")
    return Draft(
        kind=kind, turn=turn, phase=phase, seat=seat, visible_to=audience(kind, seat, parties), body=body or {}
    )

"""What people put into a run while it is played, over HTTP."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, JsonValue

from pyscrai.contract.wire import Wire
from pyscrai.domain.injected import ALSO, Injected, Kind

TEXT = 20_000
"""Characters of an input, or of a world's new text, at most."""


class NewInput(Wire):
    """POST /runs/{run}/inputs. It enters the log with the step that is open.

    input (also called user_input, system_notification): `text`, for all seats, or whispered to one `seat`. edit: the
    world's `world` text, its `facts` (null takes one away), or both. metric: a `value` of a `metric` that is by manual,
    of one `seat` where it is per seat.
    """

    kind: Literal["input", "edit", "metric", "user_input", "system_notification"] = "input"
    seat: str | None = None
    text: str | None = Field(default=None, max_length=TEXT)
    world: str | None = Field(default=None, max_length=TEXT)
    facts: dict[str, JsonValue] | None = None
    metric: str | None = None
    value: JsonValue = None

    def injected(self) -> Injected:
        """As the domain reads it; what its kind has no use for is left out."""
        kind: Any = ALSO.get(self.kind, self.kind)
        wanted: dict[str, JsonValue] = {"metric": self.metric, "value": self.value}
        if kind == "input":
            wanted = {"text": self.text}
        elif kind == "edit":
            told: dict[str, JsonValue] = {"world": self.world, "facts": self.facts}
            wanted = {key: value for key, value in told.items() if value is not None}
        return Injected(kind=kind, seat=None if kind == "edit" else self.seat, body=wanted)


class WaitingInput(Wire):
    """What was put into a run and has not entered its log yet, as it will: `body` has text, world and facts, or metric
    and value."""

    id: int
    run_id: str
    kind: Kind
    seat: str | None = None
    body: dict[str, JsonValue]
    created_by: str
    created_at: str

"""What people put into a run while it is played, over HTTP."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, JsonValue, model_validator

from pyscrai.contract.wire import Wire
from pyscrai.domain.injected import ALSO, Injected, Kind

TEXT = 20_000
"""Characters of an input, or of a world's new text, at most."""
_USED = {"input": ("text", "seat"), "edit": ("world", "facts"), "metric": ("metric", "value", "seat")}
_FIELDS = ("seat", "text", "world", "facts", "metric", "value")


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

    @model_validator(mode="after")
    def _used(self) -> Self:
        kind = ALSO.get(self.kind, self.kind)
        unused = [name for name in _FIELDS if getattr(self, name) is not None and name not in _USED[kind]]
        if unused:
            raise ValueError(f"{', '.join(unused)} is not used by {self.kind}; it takes {', '.join(_USED[kind])}")
        return self

    def injected(self) -> Injected:
        """As the domain reads it."""
        kind: Any = ALSO.get(self.kind, self.kind)
        wanted: dict[str, JsonValue] = {"metric": self.metric, "value": self.value}
        if kind == "input":
            wanted = {"text": self.text}
        elif kind == "edit":
            told: dict[str, JsonValue] = {"world": self.world, "facts": self.facts}
            wanted = {key: value for key, value in told.items() if value is not None}
        return Injected(kind=kind, seat=self.seat, body=wanted)


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

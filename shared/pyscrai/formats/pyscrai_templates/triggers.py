"""What a step of `event_flow` waits for, in the words of flow@1."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from pyscrai.formats import fields
from pyscrai.formats.assembly import Assembly, Source, Taken
from pyscrai.formats.findings import did_you_mean

if TYPE_CHECKING:
    from pyscrai.formats.pyscrai_templates.steps import Step

WORDS = {
    "scenario_start": "start",
    "scenario_started": "start",
    "start": "start",
    "immediate": "start",
    "initialization": "start",
    "previous_turn_complete": "turn_complete",
    "turn_complete": "turn_complete",
    "every_turn": "turn_complete",
    "every_n_turns": "every_n_turns",
    "completion_condition_met": "end",
    "scenario_complete": "end",
    "scenario_end": "end",
    "max_turns_reached": "end",
    "end": "end",
}
INITIALISED = "initialization_complete"
ORDER = "time_elapsed"
_EVERY = re.compile(r"every_(\d+)_turns?")
_COMPLETE = re.compile(r"(.+?)_(?:complete|completed|finished|done|end)")


class Trigger(NamedTuple):
    """`on` is None where the order of the steps decides; `word` is what the author wrote."""

    on: str | None
    n: int | None = None
    word: str = ""
    taken: Taken | None = None


def trigger_of(into: Assembly, step: Source, conditions: Source | None, names: list[str], own: str) -> Trigger:
    """What the document says; what it does not say, or says in unknown words, is left to the order."""
    taken = fields.first((conditions, "trigger"), (step, "trigger"))
    interval = fields.first(*((conditions, key) for key in ("n", "interval", "every")))
    final = conditions.data.get("final") if conditions else None
    if taken is None:
        return Trigger("end" if final is True else None)
    if not isinstance(taken.value, str):
        message = f"a trigger is a word, not {fields.shown(taken.value)}: the order of the steps decides"
        into.say("warning", taken, message, 'as in "scenario_start"')
        return Trigger(None)
    word = taken.value.strip()
    on = WORDS.get(word.lower())
    every = _EVERY.fullmatch(word.lower())
    if every or on == "every_n_turns":
        return _every(into, taken, interval, int(every.group(1)) if every else None)
    if on is not None:
        return Trigger(on, None, word, taken)
    complete = _COMPLETE.fullmatch(word.lower())
    if complete and fields.named(complete.group(1)) in names and fields.named(complete.group(1)) != own:
        return Trigger(fields.named(complete.group(1)), None, word, taken)
    if fields.named(word) in names and fields.named(word) != own:
        return Trigger(fields.named(word), None, word, taken)
    return Trigger(None, None, word, taken)


def _every(into: Assembly, taken: Taken, interval: Taken | None, written: int | None) -> Trigger:
    value = written if interval is None else interval.value
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        at = taken if interval is None else interval
        into.say("error", at, "every_n_turns needs n, a whole number above 0", 'as in "n": 5')
        value = 1
    return Trigger("every_n_turns", value, str(taken.value), taken)


def by_order(into: Assembly, steps: list[Step], i: int, explicit: dict[str, str]) -> None:
    """A trigger that the document leaves open: after the step that a transition comes from, else after the one above.

    `explicit`: step → the one before it, as the document's transitions say.
    """
    step = steps[i]
    word, taken = step.trigger.word, step.trigger.taken
    if step.trigger.on is not None:
        return
    starts = [other.name for other in steps[:i] if other.trigger.on == "start"]
    on = explicit.get(step.name) or (steps[i - 1].name if i else "start")
    if word == INITIALISED and starts:
        on = starts[0]
    elif word and word not in (INITIALISED, ORDER) and taken is not None:
        known = [*WORDS, *(f"{other.name}_complete" for other in steps)]
        hint = did_you_mean(word, known) or "the order of the steps decides"
        follows = "it comes first" if on == "start" else f'it comes after "{on}"'
        told: Literal["note", "warning"] = "note" if step.name in explicit else "warning"
        into.say(told, taken, f'nothing here triggers "{word}": {follows}', hint)
    step.trigger = step.trigger._replace(on=on)

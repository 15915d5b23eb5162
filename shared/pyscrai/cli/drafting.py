"""The text of a scenario that somebody begins: a whole document that plays, with a word on what to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pyscrai.domain.scenario import readable

POLICIES = ("turns", "dialogue", "flow")
TURNS = {"turns": 4, "dialogue": 10, "flow": 14}
SITUATION = (
    "Two villages drink from one spring, and after a dry winter it gives less than both of them need. "
    "Tonight they sit at one table for the first time."
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """Who takes part; empty texts get something to be replaced."""

    name: str
    title: str = ""
    role: str = ""
    goal: str = ""
    situation: str = ""
    private: str = ""

    @property
    def shown(self) -> str:
        return self.title or readable(self.name)


SEATS = (
    Part(
        name="upper-village",
        title="Upper village",
        role="speaks for the two hundred who live next to the spring",
        goal="keep enough water for the gardens, as it has always been",
        situation="The spring rises on common land above the church, and the key to the pump house hangs in the inn.",
        private="The gardens use three times what anybody below would guess.",
    ),
    Part(
        name="lower-village",
        title="Lower village",
        role="speaks for the nine hundred at the end of the pipe",
        goal="agree on a share that is written down",
        situation="In August the pipe ran dry for nine days, and the school sent the children home.",
        private="There is money for a second well, and nobody above is to know how much.",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Begun:
    """What is known of a scenario before it is written."""

    name: str
    title: str
    policy: str = "turns"
    situation: str = SITUATION
    seats: Sequence[Part] = field(default=SEATS)
    turns: int | None = None


def draft_text(begun: Begun) -> str:
    """The scenario as commented YAML."""
    blocks = [
        _block(
            "Play it: pyscrai run FOLDER        Check it: pyscrai validate FOLDER\n"
            "Every key that there is: pyscrai schema scenario (docs/editors.md says how an editor completes them).",
            {
                "format": "pyscrai/scenario@1",
                "name": begun.name,
                "title": begun.title,
            },
        ),
        _block(
            "What everybody knows when it begins. Facts are what the narrator keeps up to date.",
            {"world": {"text": begun.situation, "facts": {"agreed": "nothing yet"}}},
        ),
        _block(
            "Who takes part, in this order. The others know title and role; all the rest is known to the seat alone.",
            {"seats": {part.name: _seat(part) for part in begun.seats}},
        ),
        *_PARTS[begun.policy](begun),
    ]
    return "\n".join(blocks)


def _seat(part: Part) -> dict[str, Any]:
    return {
        "title": part.shown,
        "role": part.role or f"takes part as {part.shown}",
        "situation": part.situation or f"Replace this by the position that {part.shown} is in.",
        "goals": [part.goal or f"reach something that {part.shown} can live with"],
        "constraints": ["cannot promise what others would have to pay for"],
        "private": part.private or f"Replace this by what {part.shown} keeps back.",
    }


def _turns(begun: Begun) -> list[str]:
    return [
        _block(
            "A turn: all seats decide at once, the narrator tells what comes of it, the analyst checks and measures.",
            {
                "schedule": {
                    "policy": "turns@1",
                    "turns": begun.turns or TURNS["turns"],
                    "turn_length": "one week",
                    "end_when": [{"when": "trust >= 0.9", "outcome": "agreement"}],
                }
            },
        ),
        _trust(),
    ]


def _dialogue(begun: Begun) -> list[str]:
    schedule = {"policy": "dialogue@1", "turns": begun.turns or TURNS["dialogue"], "first": begun.seats[0].name}
    return [
        _block(
            "One speaks at a time; a turn is one message. It ends when all have said their last word.",
            {"schedule": schedule},
        ),
        _block("The analyst reads along, every third message.", {"analyst": {"every": 3}}),
        _trust(),
    ]


def _flow(begun: Begun) -> list[str]:
    first, *others = [part.name for part in begun.seats]
    turns = begun.turns or TURNS["flow"]
    flow: dict[str, Any] = {
        "opening": {
            "by": "narrator",
            "on": "start",
            "prompt": "Say where everybody is, and what can be seen and heard.",
        },
        "proposal": {
            "by": first,
            "on": "opening",
            "prompt": "Say what you propose.",
            "result": {"offer": {"type": "string", "description": "the proposal in one line"}},
        },
    }
    if others:
        flow["answers"] = {"by": "all_seats", "on": "proposal", "prompt": "Answer the proposal, each for yourself."}
        flow["talk"] = {
            "by": "any_seat",
            "on": "turn_complete",
            "repeat": max(1, turns - 4 - turns // 3),
            "prompt": "Take one step towards an end.",
        }
    flow["reading"] = {
        "by": "analyst",
        "on": "every_n_turns",
        "n": 3,
        "repeat": max(1, turns // 3),
        "prompt": "Say what has changed.",
    }
    flow["closing"] = {"by": "narrator", "on": "end", "prompt": "Tell how it ended, and what stays open."}
    return [
        _block(
            "A turn is a wave: everything that is started by the same thing.",
            {"schedule": {"policy": "flow@1", "turns": turns}},
        ),
        _block(
            "Who acts when: on start, turn_complete, every_n_turns, end, or when the step of that name is done.\n"
            "A step is played once, unless `repeat` says how often at most.",
            {"flow": flow},
        ),
        _trust(),
    ]


def _trust() -> str:
    return _block(
        "What the analyst measures. A value that was not measured is missing, never 0.",
        {
            "metrics": {
                "trust": {
                    "description": "how far everybody believes what the others say",
                    "type": "number",
                    "range": [0, 1],
                    "prompt": "Start from 0.4.",
                }
            }
        },
    )


_PARTS = {"turns": _turns, "dialogue": _dialogue, "flow": _flow}


def _block(comment: str, content: dict[str, Any]) -> str:
    from pyscrai.formats.dump import plain_yaml

    text = plain_yaml(content)
    for stiff, easy in _EASY:
        text = text.replace(stiff, easy)
    return "".join(f"# {line}\n" for line in comment.splitlines()) + text


_EASY = (("'on': ", "on: "), ("range:\n      - 0\n      - 1\n", "range: [0, 1]\n"))
"""What a dumper writes for every YAML parser there has ever been, and how people write it: our readers take both."""

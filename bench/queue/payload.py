"""The work that everybody gets: about 300 bytes of JSON, the same for each system."""

from __future__ import annotations

import json

BYTES = 300


def payload(number: int, sent: int = 0) -> dict[str, object]:
    """The `number`th job's data. `sent`: when it was enqueued, in ns of the monotonic clock; 0 where nobody asks."""
    data: dict[str, object] = {
        "args": {"mode": "batch", "seed": 7919, "tick": 1},
        "body": "",
        "engine": "eng-03",
        "i": number,
        "kind": "engine.step",
        "scenario": "scn-0042",
        "t": sent,
    }
    data["body"] = ("lorem ipsum dolor sit amet " * 12)[: max(0, BYTES - len(_text(data)))]
    return data


def text(number: int, sent: int = 0) -> str:
    """The same as JSON, in its shortest form with sorted keys."""
    return _text(payload(number, sent))


def _text(data: dict[str, object]) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"))

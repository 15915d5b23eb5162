"""Answers from a file, in the dialect of the model `scripted:PATH` as far as a provider can follow it.

    usage: {input: 100, output: 20}     # of every answer; also cached, cache_write, reasoning; default: counted
    answers:                            # the most specific entry that fits is taken; of equals, the first
      - when: {contains: mayor, try: 1} # left out: any; a list: one of these
        fail: rate_limit                # any fault of the mock provider
        retry_after: 3
      - when: {contains: mayor}
        answer: {reasoning: "…", goals: [], action: "…"}    # an object is given as JSON, a text as it is
      - when: {request: 7}
        latency: 2
        rehearse: true                  # what would be said without a script
    default: {latency: 0.05, answer: {…}}

`when` knows model, contains (a text in the request's messages), request (the how manyth request this is), try (the how
manyth in the same words) and call (2 for the repair of an answer, else 1): a provider knows neither seat nor turn. In
an answer's strings `{model}`, `{request}`, `{try}` and `{call}` are filled in. Where nothing fits, answers are made up.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pyscrai_mock_provider.faults import FAULTS

KEYS = ("model", "contains", "request", "try", "call")
USED = ("input", "output", "cached", "cache_write", "reasoning")
_ENTRY = frozenset({"when", "answer", "latency", "fail", "retry_after", "usage", "rehearse"})


@dataclass(frozen=True)
class Script:
    """A checked script: its entries, most specific first, and what every answer uses."""

    entries: tuple[dict[str, Any], ...] = ()
    usage: dict[str, int] | None = None

    def entry(self, place: dict[str, Any], text: str) -> dict[str, Any] | None:
        """The entry for a request; `place` has what `when` may ask for, but for `contains`, which is about `text`."""
        return next((entry for entry in self.entries if _fits(entry.get("when", {}), place, text)), None)

    def used(self, entry: dict[str, Any] | None) -> dict[str, int] | None:
        """What the script says was used, if it does."""
        told: dict[str, int] | None = (entry or {}).get("usage", self.usage)
        return told


NO_SCRIPT = Script()


def read_script(path: str) -> Script:
    """Raises ValueError, naming what is wrong."""
    try:
        told = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {error}") from None
    if not isinstance(told, dict) or not isinstance(told.get("answers", []), list):
        raise ValueError(f"{path} must be a mapping with `answers:` (a list) or `default:`")
    if unknown := sorted(set(told) - {"usage", "answers", "default"}):
        raise ValueError(f"{path}: unknown key {unknown[0]!r} (known: usage, answers, default)")
    if problem := _wrong_usage(told.get("usage", {})):
        raise ValueError(f"{path}: {problem}")
    entries = list(told.get("answers", []))
    if "default" in told:
        entries.append({**told["default"], "when": {}} if isinstance(told["default"], dict) else told["default"])
    for number, entry in enumerate(entries, 1):
        if problem := _wrong(entry):
            raise ValueError(f"{path}, answer {number}: {problem}")
    entries.sort(key=lambda entry: -len(entry.get("when", {})))
    return Script(tuple(entries), told.get("usage"))


def filled(answer: Any, place: dict[str, Any]) -> str:
    """An entry's answer as the model says it."""
    value = _filled(answer, place)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _wrong(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return "it is not a mapping"
    when = entry.get("when", {})
    if unknown := sorted(set(entry) - _ENTRY):
        return f"unknown key {unknown[0]!r} (known: {', '.join(sorted(_ENTRY))})"
    if not isinstance(when, dict) or set(when) - set(KEYS):
        return f"`when` knows {', '.join(KEYS)}"
    if "fail" in entry and entry["fail"] not in FAULTS:
        return f"`fail` knows {', '.join(FAULTS)}"
    for name in ("latency", "retry_after"):
        value = entry.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            return f"`{name}` is a number of seconds"
    if problem := _wrong_usage(entry.get("usage", {})):
        return problem
    answered = {"answer", "fail", "latency"} & entry.keys() or entry.get("rehearse") is True
    return None if answered else "it has none of `answer`, `fail`, `latency` and `rehearse: true`"


def _wrong_usage(told: Any) -> str | None:
    if not isinstance(told, dict) or set(told) - set(USED):
        return f"`usage` knows {', '.join(USED)}"
    if any(isinstance(value, bool) or not isinstance(value, int) or value < 0 for value in told.values()):
        return "`usage` counts tokens, in whole numbers"
    return None


def _fits(when: dict[str, Any], place: dict[str, Any], text: str) -> bool:
    for key, wanted in when.items():
        options = wanted if isinstance(wanted, list) else [wanted]
        if not any(str(one) in text if key == "contains" else one in ("*", place[key]) for one in options):
            return False
    return True


def _filled(value: Any, place: dict[str, Any]) -> Any:
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda m: str(place[m[1]]) if m[1] in place else m[0], value)
    if isinstance(value, dict):
        return {key: _filled(item, place) for key, item in value.items()}
    return [_filled(item, place) for item in value] if isinstance(value, list) else value

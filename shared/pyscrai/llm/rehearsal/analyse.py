"""Checks and measurements: nothing found where nothing is wrong, and values that drift with the tone of the turn."""

from __future__ import annotations

import re
from typing import Any

from pyscrai.domain.chance import chance
from pyscrai.llm.rehearsal.quantities import bounds, quantities
from pyscrai.llm.rehearsal.reading import Asked, Sheet
from pyscrai.llm.rehearsal.words import bare, cut, sentence, sentences

_WARM = re.compile(
    r"\b(accept|agreed?|can go|come a way|fair|good to know|has a point|help|is possible|let it be|live with|meet|"
    r"move to|offer|room|share|sign|step|suggest|take that seriously|thank|together|welcome|write it down|yes)\b",
    re.I,
)
_COLD = re.compile(
    r"\b(cannot|do not move|enough is enough|impossible|never|no further|refuse|reject|stay at|threat|walk out)\b", re.I
)
_SETTLED = re.compile(r"one figure on the table|all say the same number|agreement|have agreed|is signed", re.I)
BAD = re.compile(
    r"\b(?:anger|anxiety|burden|conflict|cost|damage|debt|delay|distance|distrust|fear|gap|hostil|loss|pressure|risk|strain|"
    r"stress|suspicion|tension|unrest|worry)",
    re.I,
)
SHINGLE = 4
"""Words from which on a sentence is nobody's chance."""
_START = re.compile(r"\b(?:start(?:s|ing)?|begin(?:s|ning)?)\s+(?:from|at|with)\s+(-?\d+(?:\.\d+)?)", re.I)


def check(sheet: Sheet, _seed: int, _schema: dict[str, Any]) -> dict[str, Any]:
    """Finds who spoke of a figure beyond what their own constraints allow, or, where it is about who knows what, who
    repeats what only another one knows; else nothing."""
    about = " ".join(sheet.listed("what to check")[:1]).lower()
    issues = _overheard(sheet) if "information" in about else [] if "coherence" in about else _beyond(sheet)
    return {"consistent": not issues, "issues": issues[:5], "severity": "medium" if issues else "none"}


def _overheard(sheet: Sheet) -> list[str]:
    """Who told in this turn, word for word, what the record says only somebody else knows."""
    found = []
    for owner, told in _profiles(sheet, "Known only to them").items():
        secrets = [bare(part).lower() for text in told for part in sentences(text) if len(part.split()) >= SHINGLE]
        for move in sheet.moves:
            if move.who != owner and any(secret in move.text.lower() for secret in secrets):
                found.append(sentence(f"{move.who} said what only {owner} knows"))
    return found


def _beyond(sheet: Sheet) -> list[str]:
    issues = []
    for title, rules in _profiles(sheet).items():
        for move in (move for move in sheet.moves if move.who == title):
            for quantity in quantities(move.text)[-1:]:
                low, high = bounds(rules, quantity.unit)
                if not low <= quantity.value <= high:
                    issues.append(sentence(f"{title} named {quantity.text}, which their own constraints rule out"))
    return issues


def _profiles(sheet: Sheet, field: str = "Constraints?") -> dict[str, list[str]]:
    """Titles with what the prompt says in a field of their profile, by default about their constraints."""
    found: dict[str, list[str]] = {}
    title = ""
    for line in sheet.sections.get("others", []):
        if line.startswith("### "):
            title = re.sub(r" \(seat .*$", "", line[4:]).strip()
        elif title and (told := re.match(rf"\s*[-*] {field}: (.+)$", line)):
            found[title] = told[1].split("; ")
    return found


def measure(sheet: Sheet, seed: int, _schema: dict[str, Any]) -> dict[str, Any]:
    """A value for each metric, by seat where it is asked for by seat."""
    return {"values": {metric.name: _values(sheet, seed, metric) for metric in sheet.metrics}}


def _values(sheet: Sheet, seed: int, metric: Asked) -> Any:
    latest = metric.about.get("latest value", "")
    seats = metric.about.get("one value for each seat", "")
    if not seats:
        return _value(sheet, seed, metric, latest, "")
    before = dict(part.split(": ", 1) for part in latest.split("; ") if ": " in part)
    return {seat: _value(sheet, seed, metric, before.get(seat, ""), seat) for seat in seats.split(", ")}


def _value(sheet: Sheet, seed: int, metric: Asked, latest: str, seat: str) -> Any:
    kind = metric.about.get("type", "number")
    warmth = _warmth(sheet, seat)
    if kind == "boolean":
        return warmth > 0
    if kind == "category":
        return _category(metric, latest, warmth)
    if kind == "text":
        lines = sheet.world or [move.text for move in sheet.moves] or ["nothing to report"]
        return sentence(cut(bare(lines[-1]), 200))
    number = _number(sheet, seed, metric, latest, seat, warmth)
    return round(number) if kind == "integer" else number


def _warmth(sheet: Sheet, seat: str) -> float:
    """From −1 to 1 (1.5 where all is settled): how conciliatory this turn was, for everybody or for one seat."""
    titles = {person.seat: person.title for person in sheet.others}
    texts = [move.text for move in sheet.moves if not seat or move.who == titles.get(seat, move.who)]
    texts = texts or [line.text for line in sheet.history[-3:]]
    if _SETTLED.search(sheet.prose("after")):
        return 1.5
    warm = sum(len(_WARM.findall(text)) for text in texts)
    cold = sum(len(_COLD.findall(text)) for text in texts)
    return (warm - cold + 1) / (warm + cold + 1)


def tone(sheet: Sheet) -> float:
    """How conciliatory this turn was, from −1 to 1."""
    return min(1.0, _warmth(sheet, ""))


def _number(sheet: Sheet, seed: int, metric: Asked, latest: str, seat: str, warmth: float) -> float:
    low, high = _range(metric)
    step = chance(seed, metric.name, seat) % 100 / 100
    before = _float(latest)
    about = " ".join([metric.about.get("meaning", ""), metric.about.get("how", "")])
    told = _START.search(about)
    good = -1.0 if BAD.search(f"{metric.name} {metric.about.get('meaning', '')}".replace("_", " ")) else 1.0
    if told and float(told[1]) in (low, high):
        # What begins at one end of its range can only go to the other.
        good = 1.0 if float(told[1]) == low else -1.0
    if before is None:
        share = 0.38 if good > 0 else 0.62
        before = float(told[1]) if told else low + (high - low) * share
    drift = (0.05 + 0.04 * step + 0.07 * warmth) * (high - low) * (good if good > 0 else 0.7 * good)
    # Nearer to its end a value moves more slowly, as things do in life, and never quite arrives.
    room = (high - before if drift > 0 else before - low) / (high - low) if high > low else 0.0
    value = before + drift * min(1.0, 0.35 + 1.3 * room)
    digits = 2 if high - low <= 10 else 1 if high - low <= 100 else 0
    return round(min(max(value, low), high), digits)


def _range(metric: Asked) -> tuple[float, float]:
    told = re.match(r"(-?[\d.]+) to (-?[\d.]+)", metric.about.get("range", ""))
    return (float(told[1]), float(told[2])) if told else (0.0, 100.0)


def _category(metric: Asked, latest: str, warmth: float) -> str:
    """One step along the categories, in the order in which the author wrote them."""
    options = [option for option in metric.about.get("categories", "").split(", ") if option]
    if not options:
        return latest or sentences("unknown")[0]
    at = options.index(latest) + (1 if warmth > 0.2 else 0) if latest in options else 0
    return options[min(at, len(options) - 1)]


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None

"""Sweeps in files: our own document, `pyscrai/batch@1`, and the batch configuration of Scenario Lab.

Scenario Lab's has `experiment_name`, `base_scenario`, `runs_per_variation`, `max_parallel`, `budget_limit`,
`cost_per_run_limit` and `variations` of the type actor_model; every combination of them is played. What has no meaning
here (an output folder, a time limit) is reported, not silently dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from pyscrai.domain.canonical import escape
from pyscrai.domain.scenario import slug
from pyscrai.domain.sweeps import Sweep
from pyscrai.formats.findings import Finding, did_you_mean, finding, in_order
from pyscrai.formats.positions import Document, Positions, read

_THEIRS = frozenset({"experiment_name", "base_scenario", "runs_per_variation", "cost_per_run_limit"})
_UNUSED = {
    "output_dir": "results are kept by the API; take them with `pyscrai batch show NAME --csv FILE`",
    "save_individual_runs": "every run is kept",
    "aggregate_metrics": "results are always summed up",
    "timeout_per_run": "a run has no time limit here; each model call has",
    "resume_from": "the same file goes on where it was",
}
_MEANT = frozenset(
    {"experiment_name", "description", "base_scenario", "runs_per_variation", "max_parallel", "budget_limit"}
    | {"cost_per_run_limit", "variations"}
)


class ReadSweep(NamedTuple):
    """A sweep from a file; None where it has a mistake. `config` is what goes to the API."""

    sweep: Sweep | None
    config: dict[str, Any]
    findings: list[Finding]
    positions: Positions


def read_sweep(path: Path) -> ReadSweep:
    """A batch file of either dialect, with every mistake and its line. Raises OSError where it cannot be read."""
    document = read(path.read_bytes(), str(path))
    positions, findings = document.positions, list(document.findings)
    if not isinstance(document.data, dict):
        if not findings:
            findings.append(finding("error", positions.place(""), "", "a batch is a mapping (key: value)"))
        return ReadSweep(None, {}, findings, positions)
    data = document.data
    if _THEIRS & set(data):
        data, moves, remarks = _from_scenario_lab(document)
        positions = positions.moved(moves)
        findings += remarks
    elif "name" not in data:
        data = {**data, "name": slug(path.stem)}
        message = f'the batch has no name: it will be "{data["name"]}"'
        findings.append(finding("note", positions.place(""), "/name", message))
    if any(found.severity == "error" for found in findings):
        return ReadSweep(None, data, in_order(findings), positions)
    try:
        sweep = Sweep.model_validate(data)
    except ValidationError as error:
        return ReadSweep(None, data, in_order([*findings, *_mistakes(error, data, positions)]), positions)
    return ReadSweep(sweep, data, in_order(findings), positions)


def _mistakes(error: ValidationError, data: dict[str, Any], positions: Positions) -> Iterator[Finding]:
    """One for each place: what pydantic says of every branch of a union is one mistake."""
    seen: set[str] = set()
    for detail in error.errors(include_url=False, include_input=False):
        pointer = _pointer(detail["loc"], data)
        if pointer in seen:
            continue
        seen.add(pointer)
        hint = did_you_mean(str(detail["loc"][-1]), Sweep.model_fields) if detail["type"] == "extra_forbidden" else None
        message = "there is no such key" if detail["type"] == "extra_forbidden" else detail["msg"]
        yield finding("error", positions.key(pointer), pointer, message, hint)


def _pointer(place: tuple[int | str, ...], data: Any) -> str:
    """As far as the document goes; what follows are names of branches."""
    pointer = ""
    for segment in place:
        try:
            data = data[segment]
        except (KeyError, IndexError, TypeError):
            return f"{pointer}/{escape(str(segment))}" if isinstance(data, dict) and not pointer else pointer
        pointer = f"{pointer}/{escape(str(segment))}"
    return pointer


def _from_scenario_lab(document: Document) -> tuple[dict[str, Any], list[tuple[str, str]], list[Finding]]:
    """Their configuration as our document, where its parts came from, and what is not used of it."""
    theirs, positions = document.data, document.positions
    remarks: list[Finding] = []
    for key in theirs:
        if key not in _MEANT:
            hint = _UNUSED.get(key) or did_you_mean(key, _MEANT)
            place = positions.key(f"/{escape(key)}")
            remarks.append(finding("warning", place, f"/{escape(key)}", f"{key} is not used", hint, unused=True))
    title = str(theirs.get("experiment_name") or "batch")
    ours: dict[str, Any] = {"name": slug(title)[:100], "title": title, "scenario": theirs.get("base_scenario")}
    moves = [("/scenario", "/base_scenario"), ("/seeds", "/runs_per_variation"), ("/at_once", "/max_parallel")]
    moves += [("/budget", "/budget_limit"), ("/choices/limit", "/cost_per_run_limit"), ("/name", "/experiment_name")]
    renamed = {"description": "description", "runs_per_variation": "seeds", "max_parallel": "at_once"}
    for theirs_key, key in (renamed | {"budget_limit": "budget"}).items():
        if theirs.get(theirs_key) is not None:
            ours[key] = theirs[theirs_key]
    if theirs.get("cost_per_run_limit") is not None:
        ours["choices"] = {"limit": str(theirs["cost_per_run_limit"])}
    vary: dict[str, Any] = {}
    variations = theirs.get("variations")
    for number, one in enumerate(variations if isinstance(variations, list) else []):
        here = f"/variations/{number}"
        kind = one.get("type") if isinstance(one, dict) else None
        if kind != "actor_model" or not one.get("actor"):
            message = "only variations of the type actor_model, with an actor, are known"
            remarks.append(finding("error", positions.place(here), here, message, "write it in our format: vary: {…}"))
            continue
        path = f"seats.{slug(str(one['actor']))}.model"
        vary[path] = one.get("values")
        moves.append((f"/vary/{escape(path)}", f"{here}/values"))
    if vary:
        ours["vary"] = vary
    return ours, moves, remarks

"""Load a scenario from a file or folder of any dialect; write one in our own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pyscrai.domain.scenario import Scenario
from pyscrai.formats import native, scenariolab
from pyscrai.formats.dump import dump
from pyscrai.formats.findings import Finding, Position, Severity, did_you_mean, finding, in_order
from pyscrai.formats.folder import DOCUMENTS, Folder, read_folder
from pyscrai.formats.positions import MAX_BYTES, Document, Positions, read

Dialect = Literal["native", "scenariolab", "unknown"]
_FOREIGN = (
    (("personality_config", "engine_type", "llm_config", "tools_config"), "a PyScrAI agent template"),
    (("event_flow", "agent_roles"), "a PyScrAI scenario template"),
    (("agents", "scenario"), "a ScenarioConfiguration"),
    (("agents", "metadata"), "a ScenarioConfiguration"),
    (("assets", "corporate_state"), "a program request"),
)
_WANTED = 'a native scenario has "format: pyscrai/scenario@1", "name" and "seats"'


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What was read. `scenario` is None where `findings` has an error; findings are errors first, in file order."""

    scenario: Scenario | None
    findings: list[Finding]
    dialect: Dialect
    positions: Positions

    @property
    def errors(self) -> list[Finding]:
        return [found for found in self.findings if found.severity == "error"]

    @property
    def losses(self) -> list[Finding]:
        """The loss report: every key that is kept under `extensions` because nothing here uses it."""
        return [found for found in self.findings if found.unused]

    def locate(self, pointer: str, message: str, hint: str | None = None, severity: Severity = "error") -> Finding:
        """A finding for what the API says about a JSON Pointer of the scenario: with file and line."""
        return finding(severity, pointer_to_position(self, pointer), pointer, message, hint)


def pointer_to_position(loaded: Loaded, pointer: str) -> Position:
    """Where in the author's files a JSON Pointer of the native scenario comes from (or its nearest ancestor)."""
    return loaded.positions.place(pointer)


def load(path: Path | str) -> Loaded:
    """Read a scenario from a file or folder. Never raises for what is in it; `findings` says what is wrong."""
    path = Path(path)
    try:
        if path.is_dir():
            return _load_folder(path)
        if not path.exists():
            return _failed(str(path), "there is no such file or folder", _nearby(path))
        return _load_file(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return _failed(str(path), f"cannot be read: {reason}", None)


def load_text(content: bytes | str, name: str = "scenario", file: str = "the document") -> Loaded:
    """Read one document of any dialect that did not come from a file. Never raises for what is in it.

    `name` is the scenario's where the document says none; `file` is what findings call the document.
    """
    document = read(content, file)
    return _document(document, name, None)


def _load_file(path: Path) -> Loaded:
    if path.stat().st_size > MAX_BYTES:
        return _failed(str(path), f"larger than {MAX_BYTES:,} bytes", "a scenario is text for people to read")
    document = read(path.read_bytes(), str(path))
    if path.stem == "scenario" and document.readable and scenariolab.is_scenariolab(document.data, None):
        return _lab(read_folder(path.parent), document)
    return _document(document, path.parent.name if path.stem == "scenario" else path.stem, None)


def _load_folder(path: Path) -> Loaded:
    folder = read_folder(path)
    file = folder.document("scenario")
    if file is None and (path / "definition").is_dir():
        return _load_folder(path / "definition")
    if file is None:
        documents = folder.documents()
        if len(documents) != 1:
            found = f"it has {', '.join(documents)}" if documents else "it has no YAML or JSON file"
            return _failed(str(path), "the folder has no scenario.yaml", found)
        file = documents[0]
    return _document(read(folder.files[file], folder.shown(file)), folder.name, folder)


def _document(document: Document, name: str, folder: Folder | None) -> Loaded:
    if not document.readable:
        return _loaded(None, document.findings, "unknown", document.positions)
    if not native.is_native(document.data):
        if folder is not None and scenariolab.is_scenariolab(document.data, folder):
            return _lab(folder, document)
        return _unknown(document)
    scenario, findings, positions = native.read(document, name)
    return _loaded(scenario, findings, "native", positions)


def _lab(folder: Folder, document: Document) -> Loaded:
    scenario, findings, positions = scenariolab.read(folder, document)
    return _loaded(scenario, findings, "scenariolab", positions)


def _loaded(scenario: Scenario | None, findings: list[Finding], dialect: Dialect, positions: Positions) -> Loaded:
    broken = any(found.severity == "error" for found in findings)
    return Loaded(
        scenario=None if broken else scenario, findings=in_order(findings), dialect=dialect, positions=positions
    )


def _unknown(document: Document) -> Loaded:
    where = document.positions.place("")
    what = _foreign(document.data)
    if what:
        message, hint = f"this is {what}, a dialect that this version does not read yet", _WANTED
    elif isinstance(document.data, dict) and scenariolab.is_scenariolab(document.data, None):
        message, hint = "this is a Scenario Lab scenario", "load its folder, with scenario.yaml and actors/ in it"
    else:
        message, hint = "this is not a scenario of a dialect that is known here", _WANTED
    findings = [*document.findings, finding("error", where, "", message, hint)]
    return _loaded(None, findings, "unknown", document.positions)


def _foreign(data: Any) -> str | None:
    if not isinstance(data, dict):
        return None
    for keys, what in _FOREIGN:
        needed = 1 if what.startswith("a PyScrAI") else len(keys)
        if sum(key in data for key in keys) >= needed:
            return what
    return None


def _failed(file: str, message: str, hint: str | None) -> Loaded:
    found = finding("error", Position(file), "", message, hint)
    return Loaded(scenario=None, findings=[found], dialect="unknown", positions=Positions({}, {}, file))


def _nearby(path: Path) -> str | None:
    if not path.parent.is_dir():
        return f"nor is there a folder {path.parent}"
    names = [p.name for p in path.parent.iterdir() if p.is_dir() or p.suffix in DOCUMENTS]
    return did_you_mean(path.name, names[:1000])


__all__ = ["Dialect", "Loaded", "dump", "load", "load_text", "pointer_to_position"]

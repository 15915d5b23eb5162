"""Load a scenario or template from a file or folder of any dialect; write a scenario in our own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pyscrai.domain.agent import AgentTemplate
from pyscrai.domain.scenario import Scenario
from pyscrai.domain.work import EventType
from pyscrai.formats import conversation, native, pyscrai_templates, scenariolab
from pyscrai.formats.dump import dump
from pyscrai.formats.findings import Finding, Position, Severity, did_you_mean, finding, in_order
from pyscrai.formats.folder import DOCUMENTS, Folder, beside, read_folder
from pyscrai.formats.positions import MAX_BYTES, Document, Positions, read

Dialect = Literal["native", "conversation", "pyscrai", "scenariolab", "unknown"]
_WANTED = 'a native scenario has "format: pyscrai/scenario@1", "name" and "seats"'


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """What was read: a scenario, an agent template or event types; nothing of them where `findings` has an error.

    Findings are errors first, in file order.
    """

    scenario: Scenario | None
    findings: list[Finding]
    dialect: Dialect
    positions: Positions
    agent: AgentTemplate | None = None
    event_types: tuple[EventType, ...] = ()

    @property
    def errors(self) -> list[Finding]:
        return [found for found in self.findings if found.severity == "error"]

    @property
    def losses(self) -> list[Finding]:
        """The loss report: every key that is kept under `extensions` because nothing here uses it."""
        return [found for found in self.findings if found.unused]

    @property
    def about(self) -> str:
        """What this is, in a few words for a person."""
        if self.scenario is not None:
            seats = len(self.scenario.seats)
            return f"{self.scenario.title or self.scenario.name}, {seats} seat{'s' * (seats != 1)}"
        if self.agent is not None:
            return f"{self.agent.title or self.agent.name}, an agent template ({self.agent.engine_type})"
        if self.event_types:
            many = len(self.event_types)
            return "an event type" if many == 1 else f"{many} event types"
        return "not playable"

    def locate(self, pointer: str, message: str, hint: str | None = None, severity: Severity = "error") -> Finding:
        """A finding for what the API says about a JSON Pointer of the scenario: with file and line."""
        return finding(severity, pointer_to_position(self, pointer), pointer, message, hint)


def pointer_to_position(loaded: Loaded, pointer: str) -> Position:
    """Where in the author's files a JSON Pointer of the native scenario comes from (or its nearest ancestor)."""
    return loaded.positions.place(pointer)


def load(path: Path | str) -> Loaded:
    """Read a file or folder. Never raises for what is in it; `findings` says what is wrong."""
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


def load_text(
    content: bytes | str, name: str = "scenario", file: str = "the document", others: Folder | None = None
) -> Loaded:
    """Read one document of any dialect that did not come from a file. Never raises for what is in it.

    `name` is the scenario's where the document says none; `file` is what findings call the document; `others` holds
    the documents that it may refer to (agent templates, agents of their own).
    """
    return _document(read(content, file), name, None, lambda: others)


def _load_file(path: Path) -> Loaded:
    if path.stat().st_size > MAX_BYTES:
        return _failed(str(path), f"larger than {MAX_BYTES:,} bytes", "a scenario is text for people to read")
    document = read(path.read_bytes(), str(path))
    if document.data is None and path.suffix.lower() not in (*DOCUMENTS, ""):
        return _failed(str(path), f'this is a "{path.suffix}" file', "scenarios and templates are YAML or JSON files")
    if path.stem == "scenario" and document.readable and scenariolab.is_scenariolab(document.data, None):
        return _lab(read_folder(path.parent), document)
    return _document(document, path.parent.name if path.stem == "scenario" else path.stem, None, lambda: beside(path))


def _load_folder(path: Path) -> Loaded:
    folder = read_folder(path)
    file = folder.document("scenario")
    if file is None and (path / "definition").is_dir():
        return _load_folder(path / "definition")
    if file is None and any(name.startswith("world-state-") for name in folder.files):
        return _failed(str(path), "this is a run of Scenario Lab, not a scenario", "it has been played already")
    if file is None:
        documents = folder.documents()
        scenarios = [name for name in documents if _is_scenario(folder, name)] if len(documents) > 1 else documents
        if len(scenarios) != 1:
            found = f"it has {_some(scenarios or documents)}" if documents else "it has no YAML or JSON file"
            message = "the folder has several scenarios" if scenarios else "the folder has no scenario.yaml"
            return _failed(str(path), message, f"name one: {found}" if scenarios else found)
        file = scenarios[0]
    return _document(read(folder.files[file], folder.shown(file)), folder.name, folder, lambda: folder)


def _some(names: list[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _is_scenario(folder: Folder, file: str) -> bool:
    data = read(folder.files[file], file).data
    return native.is_native(data) or conversation.is_conversation(data) or pyscrai_templates.is_scenario(data)


def _document(document: Document, name: str, folder: Folder | None, others: Callable[[], Folder | None]) -> Loaded:
    """`folder` is set where a folder was named, `others` gives what lies beside a file."""
    data = document.data
    if not document.readable:
        return _loaded(None, document.findings, document.positions, dialect="unknown")
    if native.is_native(data):
        return _loaded(*native.read(document, name), dialect="native")
    if folder is not None and scenariolab.is_scenariolab(data, folder):
        return _lab(folder, document)
    if scenariolab.is_scenariolab(data, None):
        return _unknown(document)
    if conversation.is_conversation(data):
        return _loaded(*conversation.read(document, name, others), dialect="conversation")
    if pyscrai_templates.is_scenario(data):
        return _loaded(*pyscrai_templates.read_scenario(document, name, others()), dialect="pyscrai")
    return _template(document, name) or _unknown(document)


def _template(document: Document, name: str) -> Loaded | None:
    """An agent template or event types, ours or another dialect's; None where it is neither."""
    data = document.data
    dialect: Dialect = "native" if isinstance(data, dict) and "format" in data else "pyscrai"
    if pyscrai_templates.is_agent(data):
        agent, findings, positions = pyscrai_templates.read_agent(document, name)
        return _loaded(None, findings, positions, dialect=dialect, agent=agent)
    if pyscrai_templates.is_event_types(data):
        event_types, findings, positions = pyscrai_templates.read_event_types(document)
        return _loaded(None, findings, positions, dialect=dialect, event_types=tuple(event_types))
    return None


def _lab(folder: Folder, document: Document) -> Loaded:
    return _loaded(*scenariolab.read(folder, document), dialect="scenariolab")


def _loaded(
    scenario: Scenario | None,
    findings: list[Finding],
    positions: Positions,
    *,
    dialect: Dialect,
    agent: AgentTemplate | None = None,
    event_types: tuple[EventType, ...] = (),
) -> Loaded:
    broken = any(found.severity == "error" for found in findings)
    return Loaded(
        scenario=None if broken else scenario,
        findings=in_order(findings),
        dialect=dialect,
        positions=positions,
        agent=None if broken else agent,
        event_types=() if broken else event_types,
    )


def _unknown(document: Document) -> Loaded:
    where = document.positions.place("")
    message, hint = _what(document.data)
    findings = [*document.findings, finding("error", where, "", message, hint)]
    return _loaded(None, findings, document.positions, dialect="unknown")


def _what(data: Any) -> tuple[str, str | None]:
    """Why this is no scenario, and what to do."""
    if isinstance(data, dict) and scenariolab.is_scenariolab(data, None):
        return "this is a Scenario Lab scenario", "load its folder, with scenario.yaml and actors/ in it"
    if conversation.is_agent(data):
        return "this is one agent of a ScenarioConfiguration", "load the scenario, or the folder that has both"
    if part := scenariolab.part(data):
        return f"this is {part}", "load the folder of the scenario, the one with scenario.yaml in it"
    if isinstance(data, dict) and "assets" in data and "corporate_state" in data:
        return "this is a program request, a dialect that this version does not read yet", _WANTED
    return "this is not a scenario of a dialect that is known here", _WANTED


def _failed(file: str, message: str, hint: str | None) -> Loaded:
    found = finding("error", Position(file), "", message, hint)
    return Loaded(scenario=None, findings=[found], dialect="unknown", positions=Positions({}, {}, file))


def _nearby(path: Path) -> str | None:
    if not path.parent.is_dir():
        return f"nor is there a folder {path.parent}"
    names = [p.name for p in path.parent.iterdir() if p.is_dir() or p.suffix in DOCUMENTS]
    return did_you_mean(path.name, names[:1000])


__all__ = ["Dialect", "Loaded", "dump", "load", "load_text", "pointer_to_position"]

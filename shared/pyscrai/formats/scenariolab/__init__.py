"""Scenario Lab directories (FORMATS §D) as native scenarios.

What the dialect has and we have no place for is kept under `extensions.scenariolab`, by file and JSON Pointer, and
each such key has a finding with `unused` set: together they are the loss report.
"""

from __future__ import annotations

from typing import Any

from pyscrai.domain.scenario import Scenario, slug
from pyscrai.formats import native
from pyscrai.formats.assembly import Assembly, Source
from pyscrai.formats.findings import Finding, Position, did_you_mean
from pyscrai.formats.folder import Folder
from pyscrai.formats.positions import Document, Positions
from pyscrai.formats.positions import read as read_document
from pyscrai.formats.scenariolab.actors import read_actor, seat_name
from pyscrai.formats.scenariolab.checks import read_checks
from pyscrai.formats.scenariolab.communication import KNOWN as TALK
from pyscrai.formats.scenariolab.communication import read_communication
from pyscrai.formats.scenariolab.happenings import SWANS, SWITCH, read_happenings, read_swans
from pyscrai.formats.scenariolab.metrics import read_metrics
from pyscrai.formats.scenariolab.scenario import (
    KNOWN,
    UNUSED,
    common_ground,
    communicates,
    read_condition,
    read_features,
    read_scenario,
)

MARKS = ("initial_world_state", "world_state_model", "turn_duration", "num_turns", "scenario_length")
_ACTOR_MARKS = ("short_name", "llm_model", "goals", "constraints", "decision_style", "private_information", "control")
_PARTS = (
    (("metrics",), "metrics"),
    (("checks",), "validation rules"),
    (("exogenous_events", "trends", "random_events", "conditional_events", "scheduled_events"), "events"),
)
COMPANIONS = ("metrics", "validation-rules", "exogenous-events")


def is_scenariolab(data: Any, folder: Folder | None) -> bool:
    """Whether a folder's scenario.yaml is Scenario Lab's: it names actors, or has keys that only it has."""
    if not isinstance(data, dict) or "seats" in data or "agents" in data:
        return False
    return any(mark in data for mark in MARKS) or ("actors" in data and folder is not None)


def part(data: Any) -> str | None:
    """What a file is a part of, where it is no scenario by itself; None where it is nothing of this dialect."""
    if not isinstance(data, dict):
        return None
    if sum(key in data for key in _ACTOR_MARKS) >= 2:
        return "an actor of a Scenario Lab scenario"
    for keys, what in _PARTS:
        if any(isinstance(data.get(key), dict | list) for key in keys):
            return f"the {what} file of a Scenario Lab scenario"
    return None


def read(folder: Folder, document: Document) -> tuple[Scenario | None, list[Finding], Positions]:
    """A folder with its scenario.yaml (already read) as a Scenario; None where there is an error."""
    reader = _Reader(folder, document)
    reader.run()
    return native.assembled(reader.into)


class _Reader:
    def __init__(self, folder: Folder, document: Document) -> None:
        self.folder = folder
        self.into = Assembly(document.file)
        self.into.findings += document.findings
        self.source = Source(document, document.file.rpartition("/")[2])
        self.seats: dict[str, str] = {}

    def run(self) -> None:
        into, source = self.into, self.source
        into.native |= {"name": slug(self.folder.name), "seats": {}}
        read_scenario(into, source)
        self.actors(common_ground(into, source, self.folder))
        read_communication(into, source, communicates(source) and len(into.native["seats"]) > 1)
        switches = read_features(into, source)
        rules = self.companion("validation-rules")
        if rules:
            read_checks(into, rules, switches.get("quality_assurance", True))
        metrics = self.companion("metrics")
        if metrics:
            read_metrics(into, metrics, self.seats, switches.get("metrics_extraction", True))
        events = self.companion("exogenous-events")
        if events:
            read_happenings(into, events, switches.get("exogenous_events", True))
        read_swans(into, source)
        read_condition(into, source)
        self.phases()
        into.finish(source, [*KNOWN, *TALK, SWANS, SWITCH], UNUSED)
        self.other_files()
        if into.kept:
            into.native["extensions"] = {"scenariolab": into.kept}

    def phases(self) -> None:
        """A turn has validation and metrics only where there is something to check or measure."""
        native_ = self.into.native
        measured = any(metric.get("by") != "manual" for metric in native_.get("metrics", {}).values())
        phases = ["decision", "world_update"]
        phases += ["validation"] if native_.get("checks") else []
        phases += ["metrics"] if measured else []
        self.into.put(("schedule", "phases"), phases, None)

    def document(self, file: str) -> Source | None:
        """A file of the folder; its own findings are reported. None where it cannot be read."""
        document = read_document(self.folder.files[file], self.folder.shown(file))
        self.into.findings += document.findings
        if document.readable and not isinstance(document.data, dict):
            self.into.say("error", document.positions.place(""), f"{file} is a mapping (key: value)")
            return None
        return Source(document, file) if document.readable else None

    def companion(self, stem: str) -> Source | None:
        file = self.folder.document(stem)
        return self.document(file) if file else None

    def actors(self, common: str) -> None:
        files = {file: self.document(file) for file in self.folder.documents("actors")}
        unused = dict(files)
        for name, source in self.named(files, unused):
            if source is None:
                continue
            if name in self.into.native["seats"]:
                self.into.say("error", source, f'there are two actors called "{name}"', "give each a short_name")
                continue
            read_actor(self.into, source, name, common)
            self.remember(name, source)
        for file, source in unused.items():
            at = source.place() if source else Position(self.folder.shown(file))
            self.into.say("warning", at, f"{file} is not used: scenario.yaml does not name it", "add it to actors")

    def remember(self, name: str, source: Source) -> None:
        """What metrics may call this seat."""
        stem = source.file.rpartition("/")[2].rpartition(".")[0]
        for word in (name, source.data.get("short_name"), source.data.get("name"), stem):
            if isinstance(word, str) and word:
                self.seats[word.strip().lower()] = name

    def named(
        self, files: dict[str, Source | None], unused: dict[str, Source | None]
    ) -> list[tuple[str, Source | None]]:
        """The actors in scenario.yaml's order; without a list, all files in the order of their names."""
        taken = self.source.take("actors")
        if taken is None:
            if files:
                self.into.say("warning", self.source, "actors is missing: every file in actors/ is used", "add actors")
            else:
                self.into.say("error", self.source, "there are no actors", "list them under actors, each with a file")
            unused.clear()
            return [(seat_name(s, _stem(f)) if s else _stem(f), s) for f, s in files.items()]
        listed = taken.value
        if isinstance(listed, dict):
            listed = [{"short_name": key, **value} if isinstance(value, dict) else key for key, value in listed.items()]
            pointers = [f"{taken.pointer}/{key}" for key in taken.value]
        elif isinstance(listed, list):
            pointers = [f"{taken.pointer}/{i}" for i in range(len(listed))]
        else:
            self.into.say("error", taken, "actors is a list of names", 'one "- name" line for each')
            unused.clear()
            return []
        if not listed:
            self.into.say("error", taken, "there are no actors", "list them, each with a file in actors/")
        return [self.one(entry, pointer, files, unused) for entry, pointer in zip(listed, pointers, strict=True)]

    def one(
        self, entry: Any, pointer: str, files: dict[str, Source | None], unused: dict[str, Source | None]
    ) -> tuple[str, Source | None]:
        """One entry of the list: a name that finds its file, or an actor written in place."""
        if isinstance(entry, dict) and not isinstance(entry.get("file"), str):
            inline = Source(self.source.document, self.source.file, entry, pointer)
            return seat_name(inline, str(entry.get("name", "actor"))), inline
        word = str(entry["file"] if isinstance(entry, dict) else entry)
        file = _find(word, files)
        if file is None:
            at = self.source.document.positions.place(pointer)
            names = [_stem(f) for f in files]
            hint = did_you_mean(word, names)
            hint = hint or (f"there are: {', '.join(names)}" if names else "put it into actors/")
            self.into.say("error", at, f'the actor "{word}" has no file in actors/', hint, pointer)
            return slug(word), None
        unused.pop(file, None)
        source = files[file]
        return (seat_name(source, _stem(file)) if source else slug(word)), source

    def other_files(self) -> None:
        known = {"scenario", *COMPANIONS}
        for file in self.folder.documents():
            stem = _stem(file)
            if file not in {self.source.file, *filter(None, map(self.folder.document, COMPANIONS))}:
                hint = did_you_mean(stem, known) if stem not in known else "there is another file of that name"
                self.into.say("warning", Position(self.folder.shown(file)), f"{file} is not read", hint)


def _stem(file: str) -> str:
    return file.rpartition("/")[2].rpartition(".")[0]


def _find(word: str, files: dict[str, Source | None]) -> str | None:
    """The file that an entry means: by its name, else by the short name or name that is written in it."""
    wanted = slug(_stem(word) if word.endswith((".yaml", ".yml", ".json")) else word)
    for file in files:
        if slug(_stem(file)) == wanted:
            return file
    for key in ("short_name", "name"):
        for file, source in files.items():
            if source and isinstance(source.data.get(key), str) and slug(source.data[key]) == wanted:
                return file
    return None

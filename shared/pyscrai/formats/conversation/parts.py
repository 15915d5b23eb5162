"""Finding the agents of a ScenarioConfiguration: in the document, or in files of their own beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pyscrai.domain.canonical import escape
from pyscrai.formats import fields
from pyscrai.formats.assembly import Assembly, Source, Taken
from pyscrai.formats.conversation.agents import agent_id, is_agent
from pyscrai.formats.findings import did_you_mean
from pyscrai.formats.folder import Folder
from pyscrai.formats.positions import read as read_document

Found = tuple[str | None, Source]
"""(agentId or None, where it stands)"""


class Parts:
    """The agents of one scenario. `others` gives the files beside it, and is asked only where it names some."""

    def __init__(self, into: Assembly, others: Callable[[], Folder | None]) -> None:
        self.into = into
        self.others = others

    def agents(self, source: Source) -> Iterator[Found]:
        """Every agent in order; what cannot be one is said."""
        taken = fields.first((source, "agents"), (source, "agentConfigurations"), (source, "participants"))
        if taken is None:
            yield from self._all_beside(source)
            return
        if isinstance(taken.value, dict):
            for name, item in taken.value.items():
                pointer = f"{taken.pointer}/{escape(name)}"
                yield from self._one(source, _called(item, name), pointer)
        elif isinstance(taken.value, list):
            if not taken.value:
                self.into.say("error", taken, "there are no agents", "a conversation needs at least two")
            for i, item in enumerate(taken.value):
                yield from self._one(source, item, f"{taken.pointer}/{i}")
        else:
            self.into.say("error", taken, f"agents is a list, not {fields.shown(taken.value)}", '"agents": [{…}, {…}]')

    def _one(self, source: Source, item: Any, pointer: str) -> Iterator[Found]:
        here = Source(source.document, source.file, {} if item is None else item, pointer)
        if isinstance(item, str):
            yield from self._named(item, here)
        elif not isinstance(item, dict):
            self.into.say("error", here, f"an agent is a mapping, not {fields.shown(item)}", 'as in {"agentId": …}')
        elif isinstance(reference := item.get("$ref") or item.get("file"), str) and not is_agent(item):
            yield from self._named(reference, here)
        else:
            yield agent_id(item), here

    def _named(self, word: str, here: Source) -> Iterator[Found]:
        """An agent that the scenario only names: by agentId or by file."""
        found = list(self._beside())
        wanted = fields.named(_stem(word))
        for name, source in found:
            if wanted in (fields.named(name or ""), fields.named(_stem(source.file))):
                yield name or _stem(source.file), source
                return
        names = [name or _stem(source.file) for name, source in found]
        hint = did_you_mean(word, names) or (f"there are: {', '.join(names)}" if names else "put it into agents/")
        self.into.say("error", here, f'the agent "{word}" has no file beside the scenario', hint)

    def _all_beside(self, source: Source) -> Iterator[Found]:
        found = list(self._beside())
        if not found:
            hint = 'add "agents", or put each into agents/'
            fields.missing(self.into, "error", source, "agents", "there are no agents", ("metadata",), hint)
        for name, agent in found:
            yield name or _stem(agent.file), agent

    def _beside(self) -> Iterator[Found]:
        """The agents in `agents/`, else in the scenario's own folder."""
        folder = self.others()
        if folder is None:
            return
        for file in folder.documents("agents") or folder.documents():
            document = read_document(folder.files[file], folder.shown(file))
            if file.startswith("agents/"):
                self.into.findings += document.findings
            for pointer, item in _agents_in(document.data):
                yield agent_id(item), Source(document, file, item, pointer)


def _agents_in(data: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """(JSON Pointer, agent) for a file with one agent or a list of them."""
    if isinstance(data, dict) and set(data) == {"agents"}:
        yield from ((f"/agents{pointer}", item) for pointer, item in _agents_in(data["agents"]))
    elif isinstance(data, list):
        yield from ((f"/{i}", item) for i, item in enumerate(data) if is_agent(item))
    elif is_agent(data):
        yield "", data


def _called(item: Any, name: str) -> Any:
    if not isinstance(item, dict) or item.get("agentId") is not None:
        return item
    return {**item, "agentId": name}


def _stem(file: str) -> str:
    name = file.rpartition("/")[2]
    return name.rpartition(".")[0] if name.endswith((".json", ".yaml", ".yml")) else name


__all__ = ["Parts", "Taken"]

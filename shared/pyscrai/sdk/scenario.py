"""A scenario in a program: loaded from a file or folder, checked, and able to say where each part of it stands."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyscrai.domain.scenario import Scenario as Document
from pyscrai.formats.findings import Finding, finding
from pyscrai.formats.positions import Positions
from pyscrai.sdk.errors import ScenarioError, ScenarioNotFound

if TYPE_CHECKING:
    from pyscrai.contract.problems import FieldError


class Scenario:
    """One scenario document. `findings` are the reader's remarks that are no errors."""

    def __init__(
        self,
        document: Document,
        *,
        source: Path | None = None,
        findings: Iterable[Finding] = (),
        positions: Positions | None = None,
    ) -> None:
        self.document = document
        self.source = source
        self.findings = list(findings)
        self._positions = positions

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Scenario:
        """The scenario in a file or folder, of any dialect that a reader knows.

        Raises ScenarioError with every finding (file, line, hint), ScenarioNotFound where there is nothing.
        """
        from pyscrai.formats.load import load

        place = Path(path).expanduser()
        if not place.exists():
            raise ScenarioNotFound(f"there is no file or folder {place}")
        loaded = load(place)
        if loaded.scenario is None or any(found.severity == "error" for found in loaded.findings):
            raise ScenarioError(str(place), loaded.findings)
        return cls(loaded.scenario, source=place, findings=loaded.findings, positions=loaded.positions)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Scenario:
        """A native document made in a program. Raises ValueError (pydantic's) where it is not one."""
        return cls(Document.model_validate(content))

    @property
    def name(self) -> str:
        return self.document.name

    @property
    def title(self) -> str:
        return self.document.title or self.document.name

    @property
    def seats(self) -> list[str]:
        return list(self.document.seats)

    def content(self) -> dict[str, Any]:
        """The document as the catalog keeps it: what is left at its default is left out."""
        return self.document.content()

    def located(self, errors: Iterable[FieldError]) -> ScenarioError:
        """The API's objections, each with the file and line that it is about."""
        file = str(self.source or self.name)
        positions = self._positions or Positions({}, {}, file)
        found = [
            finding("error", positions.place(pointer), pointer, error.message, error.hint)
            for error in errors
            for pointer in [error.pointer.removeprefix("/content")]
        ]
        return ScenarioError(file, found)

    def __repr__(self) -> str:
        return f"Scenario({self.name!r}, {len(self.document.seats)} seats)"

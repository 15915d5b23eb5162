"""What was measured: one record per measurement, kept as JSON lines while it goes on."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Results:
    """The records of a run of the benchmark. `file`: where they are appended; None keeps them in memory only."""

    def __init__(self, file: Path | None = None) -> None:
        self.records: list[Record] = []
        self.facts: Record = {}
        self._file = file
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)

    @classmethod
    def read(cls, file: Path) -> Results:
        """Those of an earlier run. A case that was measured again later in the file counts as measured more often."""
        found = cls()
        for line in file.read_text("utf-8").splitlines():
            record = json.loads(line)
            if "facts" in record:
                found.facts = record["facts"]
            else:
                found.records.append(record)
        return found

    def describe(self, facts: Record) -> None:
        """On what machine and with what versions."""
        self.facts = facts
        self._write({"facts": facts})

    def add(self, record: Record) -> None:
        """One more measurement: `section`, `case`, `round`, and its values, or an `error`."""
        self.records.append(record)
        self._write(record)

    def cases(self, section: str) -> list[str]:
        """The cases of a section, as they were first measured."""
        return list(dict.fromkeys(record["case"] for record in self.records if record["section"] == section))

    def all(self, section: str, case: str) -> list[Record]:
        """What was measured of a case, without what failed."""
        return [record for record in self._of(section, case) if "error" not in record]

    def error(self, section: str, case: str) -> str | None:
        """Why a case was never measured; None where it was."""
        errors = [record["error"] for record in self._of(section, case) if "error" in record]
        return None if self.all(section, case) or not errors else str(errors[-1])

    def values(self, section: str, case: str, key: str) -> list[float]:
        """One value of every round."""
        return [float(record[key]) for record in self.all(section, case) if record.get(key) is not None]

    def median(self, section: str, case: str, key: str) -> float | None:
        """The median over the rounds; None where nothing was measured."""
        found = self.values(section, case, key)
        return statistics.median(found) if found else None

    def _of(self, section: str, case: str) -> Iterator[Record]:
        return (record for record in self.records if (record["section"], record["case"]) == (section, case))

    def _write(self, record: Record) -> None:
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")

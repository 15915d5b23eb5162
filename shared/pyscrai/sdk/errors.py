"""What the SDK raises, beside the errors of the client (`pyscrai.client.errors`) and of the embedded parts.

PyScrAIError
└── SdkError
    ├── ScenarioError       a scenario that cannot be played; `findings` say where, one per line
    ├── TemplateError       another document (event type, agent) with mistakes, in the same way
    ├── ScenarioNotFound    nothing to load at that path or under that name
    ├── NoSuchRun           no run, or several, by that name; `candidates` are those that were near
    └── RunStopped          a run that did not play to its end; `result` is what there is
        ├── RunBlocked          an event failed for good, or the policy met an error: mend it, then resume
        └── RunFailed           the run ended in an error
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyscrai.domain.errors import PyScrAIError

if TYPE_CHECKING:
    from pyscrai.formats.findings import Finding
    from pyscrai.sdk.result import RunResult


class SdkError(PyScrAIError):
    """Root of what the SDK raises."""


class ScenarioError(SdkError, ValueError):
    """A scenario that cannot be played. The message lists every finding with file, line and hint."""

    def __init__(self, name: str, findings: Sequence[Finding]) -> None:
        errors = sum(finding.severity == "error" for finding in findings)
        heading = f"{name} cannot be played: {errors} error{'' if errors == 1 else 's'}"
        super().__init__("\n".join([heading, *(f"  {finding}" for finding in findings)]))
        self.findings = list(findings)


class TemplateError(SdkError, ValueError):
    """A document that the catalog would not take. The message lists every finding with file, line and hint."""

    def __init__(self, name: str, findings: Sequence[Finding]) -> None:
        super().__init__("\n".join([f"{name} has mistakes", *(f"  {finding}" for finding in findings)]))
        self.findings = list(findings)


class ScenarioNotFound(SdkError, LookupError):
    """There is no such file, shipped example or catalog entry."""


class NoSuchRun(SdkError, LookupError):
    """No run by that name, or more than one."""

    def __init__(self, message: str, candidates: Sequence[str] = ()) -> None:
        listed = f": {', '.join(candidates)}" if candidates else ""
        super().__init__(message + listed)
        self.candidates = tuple(candidates)


class RunStopped(SdkError):
    """A run that stands still or failed; `result` holds everything up to there."""

    def __init__(self, result: RunResult) -> None:
        why = result.reason.message if result.reason else "no reason was given"
        super().__init__(f"{result.name} is {result.status}: {why}")
        self.result = result


class RunBlocked(RunStopped):
    """Mend what the message says, then `runner.resume(result.id)`: nothing that was accepted is lost."""


class RunFailed(RunStopped):
    """The run ended in an error."""

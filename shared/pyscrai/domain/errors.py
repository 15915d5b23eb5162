"""The errors of the domain.

PyScrAIError
├── InvalidValue        a value that cannot enter the system (NaN, too large, not JSON)
├── InvalidScenario     a scenario that cannot be played, with its findings
└── PolicyError         a policy met a state that it cannot go on from
"""


class PyScrAIError(Exception):
    """Root of every error that PyScrAI raises on purpose."""


class InvalidValue(PyScrAIError, ValueError):
    """A value that cannot enter the system; `pointer` is its JSON Pointer."""

    def __init__(self, message: str, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class InvalidScenario(PyScrAIError, ValueError):
    """A scenario that cannot be played; `problems` pairs a JSON Pointer with what is wrong there."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{pointer or '/'}: {message}" for pointer, message in problems))
        self.problems = problems


class PolicyError(PyScrAIError):
    """A policy met a state that it cannot go on from; the run is blocked with this message."""

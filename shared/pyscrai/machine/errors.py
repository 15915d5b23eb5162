"""The error of this package, and the base of those of the packages that run programs on this machine."""

from __future__ import annotations

from pyscrai.domain.errors import PyScrAIError


class MachineError(PyScrAIError):
    """A folder or program of this machine cannot be used; the message says what happened and what to do."""

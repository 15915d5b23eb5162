"""The errors of this package.

MachineError
└── LocalError          the local model's server could not be started, or did not answer
    └── NotInstalled    the extra `local` or the weights are missing; the message says the command
"""

from __future__ import annotations

from pyscrai.machine.errors import MachineError


class LocalError(MachineError):
    """The local model cannot be used at the moment; the message says what happened."""


class NotInstalled(LocalError):
    """Something has to be installed, or a setting to be corrected, before the local model can be used."""

"""What a server of the local model is started with, and the files through which its users find it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pyscrai.local.errors import NotInstalled
from pyscrai.local.weights import find_weights
from pyscrai.machine.files import data_home, private_folder

THREADS, SLOTS, CONTEXT = "PYSCRAI_LOCAL_THREADS", "PYSCRAI_LOCAL_SLOTS", "PYSCRAI_LOCAL_CONTEXT"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`threads` that write; `slots`: requests worked on at once; `context`: tokens of a request and its answer."""

    weights: str
    threads: int = 1
    slots: int = 1
    context: int = 8192

    @property
    def fingerprint(self) -> str:
        """A short name; another one when the file of weights was replaced."""
        status = os.stat(self.weights)
        told = json.dumps([asdict(self), status.st_size, status.st_mtime_ns], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def plan_from(environ: Mapping[str, str] = os.environ) -> Plan:
    """The plan of the settings. Raises NotInstalled where the weights are missing or a setting is wrong."""
    weights = str(find_weights(environ))
    return Plan(
        weights=weights,
        threads=_number(environ, THREADS, 1, 1, 256),
        slots=_number(environ, SLOTS, 1, 1, 64),
        context=_number(environ, CONTEXT, 8192, 512, 1_048_576),
    )


def _number(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    told = environ.get(name, "").strip()
    try:
        number = int(told or default)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise NotInstalled(f"{name} is {told!r}, and should be a whole number from {low:,} to {high:,}.")
    return number


@dataclass(frozen=True)
class Place:
    """The folder of one plan's server. Nothing in it outlives its use but the locks and the log."""

    path: Path

    @property
    def users_lock(self) -> Path:
        """Held shared by every process that uses the server; the server tries to have it exclusively."""
        return self.path / "users.lock"

    @property
    def server_lock(self) -> Path:
        """Held exclusively by the one server."""
        return self.path / "server.lock"

    @property
    def state_file(self) -> Path:
        """Address and key of the running server, for its owner only."""
        return self.path / "server.json"

    @property
    def log(self) -> Path:
        return self.path / "server.log"

    def slot_lock(self, number: int) -> Path:
        """Held exclusively by whoever asks in this slot."""
        return self.path / f"slot-{number}.lock"


def place_of(plan: Plan) -> Place:
    """The plan's folder in the data folder, made where it is missing. Raises MachineError."""
    return Place(private_folder(data_home() / "local" / plan.fingerprint))

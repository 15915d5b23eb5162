"""What the world's programs are called with."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.api import BLOCK
from tests.chaos.processes import ROOT, Kind, Spec
from tests.chaos.witness import WORDS

from pyscrai.embedded.ports import is_free

if TYPE_CHECKING:
    from tests.chaos.world import WorldConfig

KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR", "VIRTUAL_ENV")
PORTS = range(15_432, 30_432)
"""Below those that outgoing connections get: nobody takes it while its process is dead."""


def port_below_clients(chance: random.Random) -> int:
    """A port that a process may have again and again."""
    while True:
        port = chance.choice(PORTS)
        if is_free(port):
            return port


def block_file(folder: Path, name: str) -> Path:
    """Where it stands for how many seconds a replica shall stand still when it is told to."""
    return folder / "data" / f"{name}.block"


class Programs:
    """Makes the specs of replicas and engines in one world; `url` is the network's front door."""

    def __init__(self, config: WorldConfig, folder: Path, url: str) -> None:
        self._config = config
        self._folder = folder
        self._url = url

    def api(self, name: str, port: int, dsn: str, more: Mapping[str, str]) -> Spec:
        """A replica on that port, with that way to the database; `more` is of its own environment."""
        config = self._config
        block = block_file(self._folder, name)
        block.write_text("1\n", "utf-8")
        settings = {
            "PYSCRAI_DATABASE_URL": dsn,
            "PYSCRAI_PORT": str(port),
            "PYSCRAI_POOL_SIZE": str(config.pool_size),
            "PYSCRAI_STATEMENT_TIMEOUT": str(config.statement_timeout),
            "PYSCRAI_RETRY_BASE": str(config.retry_base),
            "PYSCRAI_RUNS_AT_ONCE": "none",
            "PYSCRAI_LOG_LEVEL": "warning",
            BLOCK: str(block),
        }
        settings |= {**config.api_settings, **more}
        return self._spec(name, "api", [sys.executable, "-m", "tests.chaos.api"], settings)

    def engine(self, name: str, kind: Kind, argv: Sequence[str], more: Mapping[str, str]) -> Spec:
        """An engine; `more` is of its own environment."""
        config = self._config
        settings = {
            "PYSCRAI_API_URL": self._url,
            "PYSCRAI_LEASE_SECONDS": str(config.lease_seconds),
            "PYSCRAI_HEARTBEAT_SECONDS": str(config.heartbeat_seconds),
            "PYSCRAI_LOG_LEVEL": "info" if kind == "real_engine" else "warning",
            WORDS: str(self._folder / "words" / f"{name}.txt"),
        }
        if kind == "engine":
            settings["PYSCRAI_CONCURRENCY"] = str(config.light_concurrency)
        return self._spec(name, kind, argv, settings | dict(config.engine_settings) | dict(more))

    def _spec(self, name: str, kind: Kind, argv: Sequence[str], settings: Mapping[str, str]) -> Spec:
        data = self._folder / "data" / name
        data.mkdir(mode=0o700, exist_ok=True)
        kept = {variable: os.environ[variable] for variable in KEPT if variable in os.environ}
        ours = {
            "PYSCRAI_DATA": str(data),
            "PYSCRAI_NO_PAID_MODELS": "1",
            "AGNO_TELEMETRY": "false",
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        }
        log = self._folder / "logs" / f"{name}.log"
        return Spec(name=name, kind=kind, argv=argv, env={**kept, **ours, **settings}, log=log)

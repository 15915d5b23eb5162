"""Our API as a process of its own, on a database of the measurement."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

PATIENCE = 20.0


@dataclass(frozen=True)
class Api:
    """A running API: where it is, and its process."""

    url: str
    process: psutil.Process

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def api(dsn: str, **settings: str) -> Iterator[Api]:
    """`python -m pyscrai_api` with default settings, unless others are given by their environment's names.

    Raises RuntimeError with the end of its log where it does not start.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYSCRAI_")}
    environment = {**clean, "PYSCRAI_DATABASE_URL": dsn, "PYSCRAI_LOG_LEVEL": "warning", **settings}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pyscrai_api", "--port", "0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line.startswith("{"):
                process.wait(PATIENCE)
                log.seek(0)
                raise RuntimeError(f"the API did not start: {line}{log.read()[-2000:]}")
            yield Api(json.loads(line)["url"], psutil.Process(process.pid))
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()

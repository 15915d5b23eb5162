"""Worker processes of one measurement: started together, let loose together, asked what they used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from bench.queue.progress import Progress

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0
"""Seconds for a worker to end after it was told to."""


class WorkerBroke(Exception):
    """A worker process ended, or said something else than it should; what it said is the message."""


class Workers:
    """Processes that run `module` with the given options each. A context manager; leaving it ends them."""

    def __init__(self, command: Sequence[str], options: Sequence[Mapping[str, Any]]) -> None:
        self.progress = Progress()
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed on leaving
        self._processes = [
            subprocess.Popen(
                [*command, json.dumps({**each, "slot": slot, "progress": str(self.progress.path)})],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )
            for slot, each in enumerate(options)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self._errors.close()
        self.progress.close()

    def wait_ready(self) -> None:
        """Return when each of them waits for the word. Raises WorkerBroke."""
        for process in self._processes:
            self._said(process)

    def go(self) -> None:
        """Let them loose."""
        for process in self._processes:
            _tell(process, "go")

    def check(self) -> None:
        """Raises WorkerBroke where one has ended by itself."""
        for process in self._processes:
            if process.poll() is not None:
                raise WorkerBroke(self._why(process))

    def stop(self) -> list[dict[str, Any]]:
        """End them; what each one reports of itself. Raises WorkerBroke."""
        for process in self._processes:
            _tell(process, "stop")
        reports = [self._said(process) for process in self._processes]
        for process in self._processes:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
        return reports

    def _said(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        line = _out(process).readline()
        if not line.startswith("{"):
            raise WorkerBroke(line.strip() or self._why(process))
        said: dict[str, Any] = json.loads(line)
        return said

    def _why(self, process: subprocess.Popen[str]) -> str:
        process.wait(PATIENCE)
        self._errors.seek(0)
        said = self._errors.read().strip().splitlines()
        return f"a worker ended with {process.returncode}: {' | '.join(said[-8:])}"


def python(module: str) -> list[str]:
    """The command that runs a worker module of ours."""
    return [sys.executable, "-m", module]


def _tell(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def _out(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout

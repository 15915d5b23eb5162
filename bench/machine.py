"""Processor time of our processes, by kind."""

from __future__ import annotations

import os

import psutil

KINDS = ("pyscrai_api", "pyscrai_actor", "pyscrai_narrator", "pyscrai_analyst")


def kind(process: psutil.Process) -> str | None:
    """`api`, `engines` or `postgres`; None for anything else."""
    command = process.cmdline()
    named = next((name for name in KINDS if name in command), None)
    if named is not None:
        return "api" if named == "pyscrai_api" else "engines"
    return "postgres" if command and "postgres" in os.path.basename(command[0]).rstrip(":") else None


def cpu_seconds(postgres_of: str) -> dict[str, float]:
    """User and system seconds of the children of this process, and of the PostgreSQL whose data is in a folder."""
    used = {"api": 0.0, "engines": 0.0, "postgres": 0.0}
    for process in [*psutil.Process().children(recursive=True), *_postgres(postgres_of)]:
        try:
            name = kind(process)
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        if name is not None:
            used[name] += times.user + times.system
    return used


def _postgres(folder: str) -> list[psutil.Process]:
    for process in psutil.process_iter(["cmdline"]):
        command = " ".join(process.info["cmdline"] or ())
        if "pyscrai.embedded.supervisor" in command and folder in command:
            return process.children(recursive=True)
    return []

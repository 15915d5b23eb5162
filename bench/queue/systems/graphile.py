"""graphile-worker, which runs on Node.js. Where npm is there, it is installed into this user's cache."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path
from typing import ClassVar

import asyncpg
import platformdirs

from bench.queue.payload import text
from bench.queue.postgres import Postgres

PACKAGE = "graphile-worker@~0.17.3"
"""The last line that runs on Node.js 20."""
SCRIPT = Path(__file__).parents[1] / "work" / "graphile.mjs"
_FILL = """
SELECT count(*) FROM graphile_worker.add_jobs((
  SELECT array_agg(('bench', replace($1, '"i":0,', '"i":' || g || ',')::json, NULL, $3::timestamptz, NULL, NULL, NULL,
                    NULL)::graphile_worker.job_spec)
  FROM generate_series(1, $2::int) g))
"""
BATCH = 10_000


class NotInstalled(Exception):
    """It cannot be had here; the message says why."""


def home() -> Path:
    """Where it is installed."""
    return platformdirs.user_cache_path("pyscrai") / "bench" / PACKAGE.replace("@~", "-")


def command() -> list[str]:
    """The worker's command, whether it is installed or not."""
    return [shutil.which("node") or "node", str(SCRIPT), str(home())]


def found() -> bool:
    """Whether it is installed."""
    return (home() / "node_modules" / "graphile-worker" / "package.json").exists()


def install() -> None:
    """Install it where it is not yet. Raises NotInstalled."""
    if found():
        return
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise NotInstalled("not installed: needs Node.js 20 with npm")
    home().mkdir(parents=True, exist_ok=True)
    said = subprocess.run(
        [npm, "install", "--prefix", str(home()), "--no-fund", "--no-audit", "--loglevel=error", PACKAGE],
        capture_output=True,
        text=True,
    )
    if said.returncode:
        last = said.stderr.strip().splitlines()[-1:] or ["npm ended without a word"]
        raise NotInstalled(f"not installed: {last[0][:120]}")


class Graphile:
    """It deletes finished jobs. In process, unfenced. It knows nothing like held jobs."""

    name: ClassVar[str] = "graphile-worker"
    tables: ClassVar[tuple[str, ...]] = ("graphile_worker._private_jobs",)
    states: ClassVar[tuple[str, ...]] = ("clean", "future")
    counts_late: ClassVar[bool] = True
    serves: ClassVar[bool] = False

    async def create(self, postgres: Postgres, database: str) -> str:
        await asyncio.to_thread(install)
        dsn = await postgres.create(database)
        program = home() / "node_modules" / ".bin" / "graphile-worker"
        await asyncio.to_thread(
            subprocess.run, [str(program), "-c", dsn, "--schema-only"], check=True, capture_output=True
        )
        return dsn

    async def fill(self, connection: asyncpg.Connection, number: int) -> None:
        for first in range(0, number, BATCH):
            await connection.execute(_FILL, text(0), min(BATCH, number - first), None)

    async def burden(self, connection: asyncpg.Connection, state: str, number: int) -> None:
        tomorrow = await connection.fetchval("SELECT now() + interval '1 day'")
        for first in range(0, number, BATCH):
            await connection.execute(_FILL, text(0), min(BATCH, number - first), tomorrow)

    async def unfinished(self, connection: asyncpg.Connection) -> bool:
        found = "SELECT EXISTS (SELECT FROM graphile_worker._private_jobs WHERE run_at <= now())"
        return bool(await connection.fetchval(found))

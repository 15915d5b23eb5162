"""The environment that PostgreSQL and its supervisor get: little, and no key of any model provider."""

from __future__ import annotations

import os

KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "PYTHONPATH", "PYTHONHOME", "PYSCRAI_PG_BIN")


def server_environment() -> dict[str, str]:
    """PG* variables are left out, because they would redirect the server; TZ and LANG, because it uses UTC and C."""
    return {"LC_ALL": "C", **{name: os.environ[name] for name in KEPT if name in os.environ}}

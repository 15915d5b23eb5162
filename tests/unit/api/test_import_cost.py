"""Serving does not load what only the catalog's writing side and migrations need: it would double the start."""

from __future__ import annotations

import subprocess
import sys

SLOW = ["sqlalchemy", "sqlmodel", "alembic", "genai_prices", "liquid"]


def test_serving_loads_nothing_slow() -> None:
    start = "import sys, pyscrai_api.serve as s; s.create_app(s.Settings())"
    code = f"{start}; print(*[name for name in {SLOW} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

"""Data folders of their own for tests that start and kill servers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pyscrai.embedded.database import remove_database


@pytest.fixture
def data() -> Iterator[Path]:
    """A fresh data folder, with a short path; its server and clusters go with it."""
    with tempfile.TemporaryDirectory(prefix="pyscrai-test-") as folder:
        yield Path(folder)
        remove_database(Path(folder))

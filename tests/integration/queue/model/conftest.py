from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.integration.queue.model.service import Service, opened


@pytest.fixture
def service(dsn: str) -> Iterator[Service]:
    with opened(dsn) as service:
        yield service

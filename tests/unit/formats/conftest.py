"""Says at the end of a session how many of the authors' mistakes were found."""

from __future__ import annotations

import pytest
from tests.unit.formats import corpus


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if corpus.TRIED:
        terminalreporter.write_line(corpus.summary())

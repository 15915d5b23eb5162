"""The folder in which a world stands, and its caretaker, who removes everything however the harness ends."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos import caretaker

FOLDERS = ("logs", "words", "clocks", "data")
SECONDS = 60.0


@contextmanager
def ground(keep_logs: Path | None) -> Iterator[Path]:
    """A new folder, which the server's account can walk through. Logs and words are copied to `keep_logs`."""
    folder = Path(tempfile.mkdtemp(prefix="pyscrai-chaos-"))
    folder.chmod(0o711)
    # A session of its own: Ctrl-C is for the harness.
    keeper = subprocess.Popen(
        [sys.executable, "-I", "-S", caretaker.__file__, str(folder)],
        stdin=subprocess.PIPE,
        cwd="/",
        start_new_session=True,
    )
    try:
        for name in FOLDERS:
            (folder / name).mkdir(mode=0o700)
        yield folder
    finally:
        if keep_logs is not None:
            for name in ("logs", "words"):
                shutil.copytree(folder / name, keep_logs / name, dirs_exist_ok=True)
        keeper.communicate(timeout=SECONDS)

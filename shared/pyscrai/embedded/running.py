"""How commands find the API that `pyscrai up` runs: a file in the data folder."""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from pyscrai.embedded.folder import Folder
from pyscrai.machine.files import read_json, write_private

ANSWER_SECONDS = 2.0


@contextmanager
def published(data: Path, url: str, token: str | None) -> Iterator[None]:
    """Let other commands find this API, for as long as the context is open."""
    file = Folder(data).api_file
    write_private(file, json.dumps({"url": url, "pid": os.getpid(), "token": token}))
    try:
        yield
    finally:
        found = read_json(file)
        # A later `up` may have taken the place.
        if found is not None and found.get("pid") == os.getpid():
            file.unlink(missing_ok=True)


def running_api(data: Path) -> tuple[str, str | None] | None:
    """URL and token of the API that runs for this data folder; None if none does, or it does not answer."""
    found = read_json(Folder(data).api_file)
    if found is None:
        return None
    url, pid, token = found.get("url"), found.get("pid"), found.get("token")
    if not isinstance(url, str) or not isinstance(pid, int) or not _alive(pid) or not _answers(url):
        return None
    return url, token if isinstance(token, str) else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", f"{parts.path}/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

"""What a person reads when PostgreSQL or the machine refuses something; which port is tried."""

from __future__ import annotations

import errno
from itertools import islice
from pathlib import Path

import pytest

from pyscrai.embedded.cluster import explain, explain_os_error
from pyscrai.embedded.folder import Folder
from pyscrai.embedded.ports import preferred
from pyscrai.embedded.server import _socket_folder


def test_a_full_disk_is_named_as_such_with_what_to_do(tmp_path: Path) -> None:
    said = explain("running bootstrap\nFATAL:  could not write to file: No space left on device\nmore", tmp_path)
    assert said.startswith("The disk is full")
    assert "PYSCRAI_DATA" in said
    assert "could not write to file" in said
    assert "running bootstrap" not in said


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("FATAL:  could not create shared memory segment", "/dev/shm"),
        ("something odd", "PostgreSQL said:\n  something odd"),
        ("", "PostgreSQL said:"),
    ],
)
def test_other_complaints(tmp_path: Path, output: str, words: str) -> None:
    assert words in explain(output, tmp_path)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "The disk is full"),
        (errno.EACCES, "is not ours to use"),
        (errno.EROFS, "is not ours to use"),
        (errno.EIO, "supervisor.log"),
    ],
)
def test_refusals_of_the_machine(tmp_path: Path, number: int, words: str) -> None:
    assert words in explain_os_error(OSError(number, "no", str(tmp_path / "x")), Folder(tmp_path))


def test_ports_are_tried_in_a_stable_order() -> None:
    first = list(islice(preferred(None, "00ff00ff00ff00ff"), 8))
    assert first == list(islice(preferred(None, "00ff00ff00ff00ff"), 8))
    assert len(set(first)) == 8
    assert all(15_000 < port < 32_000 for port in first)
    assert next(preferred(4711, "00ff00ff00ff00ff")) == 4711
    assert list(islice(preferred(None, "00"), 10))[-1] > 0


def test_a_socket_is_made_only_where_its_path_is_short_and_plain() -> None:
    assert _socket_folder(Path("/var/lib/x/.s.PGSQL.1")) == "/var/lib/x"
    name = "/.s.PGSQL.12345"
    longest = "/" + "x" * (107 - len(name) - 1)
    assert _socket_folder(Path(longest + name)) == longest
    assert _socket_folder(Path(longest + "x" + name)) == ""
    assert _socket_folder(Path("/a,b/.s.PGSQL.1")) == ""

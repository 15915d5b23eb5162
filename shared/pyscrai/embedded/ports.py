"""Ports on the loopback interface."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

LOOPBACK = "127.0.0.1"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do, so that connections in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def free_port(host: str = LOOPBACK) -> int:
    """A port that nobody listens on now; somebody may take it before you do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int, host: str = LOOPBACK, timeout: float = 1.0) -> bool:
    """Whether something answers there; `timeout` in seconds."""
    try:
        socket.create_connection((host, port), timeout).close()
    except OSError:
        return False
    return True


def preferred(last: int | None, fingerprint: str) -> Iterator[int]:
    """Ports for a server, best first: the last one, some that follow from the data folder, then any.

    Those that follow from the folder lie below the range that outgoing connections use, so that a server finds its
    port free again after a crash and its clients' addresses stay right.
    """
    if last is not None:
        yield last
    number = int(fingerprint, 16)
    for step in range(8):
        yield 15_432 + (number + step * 97) % 15_000
    while True:
        yield free_port()

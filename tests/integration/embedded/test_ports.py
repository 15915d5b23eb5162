"""Ports on the loopback interface."""

from __future__ import annotations

import socket

from pyscrai.embedded.ports import accepts, free_port, is_free


def test_whether_a_port_is_free() -> None:
    port = free_port()
    assert is_free(port)
    assert not accepts(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
        assert accepts(port)
    assert is_free(port)

"""Answers go out in one piece where they can, and never later than they would."""

from __future__ import annotations

import asyncio

from pyscrai_api.sending import Joining

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Wire(asyncio.Transport):
    """What was written, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def joined() -> tuple[Wire, Joining]:
    wire = Wire()
    return wire, Joining(wire)


def test_head_and_body_are_one_piece() -> None:
    wire, transport = joined()
    for body in (b"{}", b"", b"[]"):
        transport.write(HEAD)
        transport.write(body)
    assert wire.pieces == [HEAD + b"{}", HEAD, HEAD + b"[]"]


def test_a_stream_begins_before_it_has_anything_to_say() -> None:
    wire, transport = joined()
    transport.write(STREAM)
    assert wire.pieces == [STREAM]
    transport.write(b"data: 1\n\n")
    transport.write(b"data: 2\n\n")
    assert wire.pieces == [STREAM, b"data: 1\n\n", b"data: 2\n\n"]


def test_a_head_without_a_body_is_sent() -> None:
    wire, transport = joined()
    transport.bodies = False
    transport.write(HEAD)
    assert wire.pieces == [HEAD]


def test_what_was_written_goes_out_before_the_end() -> None:
    wire, transport = joined()
    transport.write(HEAD)
    transport.close()
    assert (wire.pieces, transport.is_closing()) == ([HEAD], True)

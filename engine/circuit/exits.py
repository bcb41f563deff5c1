"""A relay's way out to mints: TCP streams to hosts on its allow-list, and to nothing else.

The relay carries TLS end to end and reads nothing. An address that is not on the list is refused
before anything is dialled.
"""

from __future__ import annotations

import os
from collections.abc import Collection

import trio

from engine.circuit.stream import CircuitStream
from engine.errors import CircuitClosed
from engine.link.connection import BATCH_RECORDS
from engine.link.readiness import serve_readable
from engine.wire.frames import MAX_FRAME_DATA, EndReason, parse_begin

CONNECT_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 120.0
CHUNK_BYTES = 2 * BATCH_RECORDS * MAX_FRAME_DATA  # fills two batches of cells to the brim

# Reading never awaits, so one buffer serves all streams of the process.
_READ = memoryview(bytearray(CHUNK_BYTES))


class MintExit:
    """Serves BEGIN purpose 2 (TCP) for the mints this relay's operator listed."""

    def __init__(self, allowed: Collection[tuple[str, int]]) -> None:
        self._allowed = frozenset(allowed)

    async def serve(self, stream: CircuitStream, request: bytes) -> None:
        """Connect and carry bytes both ways until either side ends."""
        begin = parse_begin(request)
        host, port = begin.host, begin.port
        if (host, port) not in self._allowed:
            stream.end(EndReason.POLICY)
            return
        try:
            with trio.fail_after(CONNECT_TIMEOUT_S):
                outside = await trio.open_tcp_stream(host, port)
        except (OSError, trio.TooSlowError):
            stream.end(EndReason.CONNECT_FAILED)
            return
        stream.accept()
        async with outside:
            await _carry(stream, outside)


async def _carry(stream: CircuitStream, outside: trio.SocketStream) -> None:
    async def outward() -> None:
        while chunk := await stream.receive_some(CHUNK_BYTES):
            await outside.send_all(chunk)
        await outside.send_eof()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outward)
            await _Inward(stream, outside.socket).run()
    except* (CircuitClosed, OSError, trio.BrokenResourceError, trio.ClosedResourceError):
        stream.end(EndReason.INTERNAL)


class _Inward:
    """What comes from outside, into the circuit: read where the event loop waits, so that a few
    bytes on an idle stream cost no switch to a task."""

    def __init__(self, stream: CircuitStream, sock: trio.socket.SocketType) -> None:
        self._stream = stream
        self._sock = sock
        self._ended = False

    async def run(self) -> None:
        """Until the outside's end mark, which is passed on."""
        while not self._ended:
            await self._stream.wait_room()
            await serve_readable(self._sock, self._read)
        await self._stream.send_eof()

    def _read(self) -> bool:
        """Take what is there; False at the end, or when the stream has no room."""
        try:
            got = os.readv(self._sock.fileno(), [_READ[: self._stream.room]])
        except BlockingIOError:
            return True
        if not got:
            self._ended = True
            return False
        self._stream.feed(bytes(_READ[:got]))
        return self._stream.room > 0

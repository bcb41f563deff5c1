"""A relay's way out to mints: TCP streams to hosts on its allow-list, and to nothing else.

The relay carries TLS end to end and reads nothing. An address that is not on the list is refused
before anything is dialled.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection

import trio

from engine.circuit.stream import CircuitStream
from engine.errors import CircuitClosed
from engine.link.queues import BATCH_RECORDS
from engine.link.readiness import serve_readable
from engine.wire.frames import MAX_FRAME_DATA, EndReason, parse_begin

CONNECT_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 600.0  # an outside connection on which nothing moves for so long is closed
MAX_OUTSIDE = 512  # connections outside at once
MAX_OUTSIDE_PER_CIRCUIT = 16  # a wallet needs a few mints
CHUNK_BYTES = 2 * BATCH_RECORDS * MAX_FRAME_DATA  # fills two batches of cells to the brim

# Reading never awaits, so one buffer serves all streams of the process.
_READ = memoryview(bytearray(CHUNK_BYTES))


class MintExit:
    """Serves BEGIN purpose 2 (TCP) for the mints this relay's operator listed."""

    def __init__(self, allowed: Collection[tuple[str, int]]) -> None:
        self._allowed = frozenset(allowed)
        self._open: Counter[bytes] = Counter()  # by circuit

    @property
    def open(self) -> int:
        """Connections outside."""
        return self._open.total()

    async def serve(self, stream: CircuitStream, request: bytes) -> None:
        """Connect and carry bytes both ways until either side ends."""
        begin = parse_begin(request)
        host, port = begin.host, begin.port
        if (host, port) not in self._allowed:
            stream.end(EndReason.POLICY)
            return
        tag = stream.circuit_tag
        if self._open[tag] >= MAX_OUTSIDE_PER_CIRCUIT or self._open.total() >= MAX_OUTSIDE:
            stream.end(EndReason.RESOURCE)
            return
        self._open[tag] += 1
        try:
            await _connect(stream, host, port)
        finally:
            self._open[tag] -= 1
            self._open += Counter()  # drops what is zero


async def _connect(stream: CircuitStream, host: str, port: int) -> None:
    """Connect outside, then carry."""
    try:
        with trio.fail_after(CONNECT_TIMEOUT_S):
            outside = await trio.open_tcp_stream(host, port)
    except (OSError, trio.TooSlowError):
        stream.end(EndReason.CONNECT_FAILED)
        return
    stream.accept()
    async with outside:
        await _Carrier(stream, outside).run()


class _Carrier:
    """Bytes both ways between a stream and an outside connection, while they move."""

    def __init__(self, stream: CircuitStream, outside: trio.SocketStream) -> None:
        self._stream = stream
        self._outside = outside
        self._inward = _Inward(stream, outside.socket)
        self._sent = 0

    async def run(self) -> None:
        """Until both sides have ended, one breaks, or nothing moves for too long."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, nursery.cancel_scope)
                async with trio.open_nursery() as carrying:
                    carrying.start_soon(self._outward)
                    await self._inward.run()
                nursery.cancel_scope.cancel()
        except* (CircuitClosed, OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            self._stream.end(EndReason.INTERNAL)

    async def _outward(self) -> None:
        while chunk := await self._stream.receive_some(CHUNK_BYTES):
            await self._outside.send_all(chunk)
            self._sent += 1
        await self._outside.send_eof()

    async def _watch(self, scope: trio.CancelScope) -> None:
        moved = -1
        while moved != (moved := self._sent + self._inward.reads):
            await trio.sleep(IDLE_TIMEOUT_S)
        self._stream.end(EndReason.TIMEOUT)
        scope.cancel()


class _Inward:
    """What comes from outside, into the circuit: read where the event loop waits, so that a few
    bytes on an idle stream cost no switch to a task."""

    def __init__(self, stream: CircuitStream, sock: trio.socket.SocketType) -> None:
        self._stream = stream
        self._sock = sock
        self._ended = False
        self.reads = 0

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
        self.reads += 1
        self._stream.feed(bytes(_READ[:got]))
        return self._stream.room > 0

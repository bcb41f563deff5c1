"""A relay's way out to mints: TCP streams to hosts on its allow-list, and to nothing else.

The relay carries TLS end to end and reads nothing. An address that is not on the list is refused
before anything is dialled.
"""

from __future__ import annotations

from collections.abc import Collection

import trio

from engine.circuit.stream import CircuitStream
from engine.errors import CircuitClosed
from engine.link.connection import BATCH_RECORDS
from engine.wire.frames import MAX_FRAME_DATA, EndReason, parse_begin

CONNECT_TIMEOUT_S = 10.0
IDLE_TIMEOUT_S = 120.0
CHUNK_BYTES = 2 * BATCH_RECORDS * MAX_FRAME_DATA  # fills two batches of cells to the brim


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
    async def inward() -> None:
        while chunk := await outside.receive_some(CHUNK_BYTES):
            await stream.send_all(bytes(chunk))
        await stream.send_eof()

    async def outward() -> None:
        while chunk := await stream.receive_some(CHUNK_BYTES):
            await outside.send_all(chunk)
        await outside.send_eof()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(inward)
            await outward()
    except* (CircuitClosed, OSError, trio.BrokenResourceError, trio.ClosedResourceError):
        stream.end(EndReason.INTERNAL)

"""A reliable ordered byte stream over a circuit, as the session and the wallet use it.

A stream that ends without its authenticated end mark raises CircuitClosed, so truncation shows.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import trio

from engine.errors import CircuitClosed, ProtocolError
from engine.wire.frames import EndReason

if TYPE_CHECKING:
    from engine.circuit.endpoint import Endpoint

SMALL_CHUNK = 1_024  # data in smaller pieces is joined while it waits to be read
SEND_BUFFER = 1 << 18  # bytes queued on one stream before `send_all` waits
_ENDED = {
    EndReason.REFUSED: "The far end refused the stream.",
    EndReason.CONNECT_FAILED: "The far end could not reach the address asked for.",
    EndReason.POLICY: "The far end's policy does not allow this address.",
    EndReason.RESOURCE: "The far end has no room for another stream.",
    EndReason.TIMEOUT: "The far end gave up waiting.",
    EndReason.PROTOCOL: "The far end found the stream malformed.",
    EndReason.INTERNAL: "The far end failed.",
}


class CircuitStream:
    """One stream; sending and receiving may be done by two tasks at once."""

    def __init__(self, endpoint: Endpoint, stream_id: int) -> None:
        self._endpoint = endpoint
        self._id = stream_id
        self._chunks: deque[bytes] = deque()
        self._readable = trio.lowlevel.ParkingLot()
        self._writable = trio.lowlevel.ParkingLot()
        self._connected = trio.Event()
        self._finished = False
        self._failure: str | None = None
        self._busy = False
        self._reader_waits = False
        self._writer_waits = False

    @property
    def circuit_tag(self) -> bytes:
        """Names the circuit to both of its ends and to nobody else (32 bytes)."""
        return self._endpoint.circuit_tag

    @property
    def peer_node_id(self) -> bytes:
        """NodeID of the far end, as its hop handshake proved it; empty at the exit."""
        return self._endpoint.peer_node_id

    @property
    def over(self) -> bool:
        """True when no more will come than has: the end mark is here, or the stream was cut."""
        return self._finished or self._failure is not None

    # -- called by the endpoint ----------------------------------------------------------------

    def on_data(self, data: bytes) -> None:
        """Bytes arrived."""
        chunks = self._chunks
        if chunks and len(chunks[-1]) + len(data) <= SMALL_CHUNK:
            chunks[-1] += data  # a byte to a frame would cost forty in objects
        else:
            chunks.append(data)
        if self._reader_waits:
            self._reader_waits = False
            self._readable.unpark_all()

    def on_accepted(self) -> None:
        """The far end took the stream."""
        self._connected.set()

    def on_finished(self) -> None:
        """The far end's end mark arrived."""
        self._finished = True
        self._readable.unpark_all()

    def on_writable(self) -> None:
        """There may be room to send."""
        if self._writer_waits:
            self._writer_waits = False
            self._writable.unpark_all()

    def on_ended(self, reason: EndReason) -> None:
        """The far end closed both directions."""
        if reason is EndReason.FINISHED:
            self._finished = True
        self._fail(_ENDED.get(reason, "The far end closed the stream."))

    def on_cut(self) -> None:
        """The circuit died."""
        self._fail("The circuit closed before the end of the stream.")

    def _fail(self, why: str) -> None:
        self._failure = self._failure or why
        self.set_busy(False)
        self._connected.set()
        self._readable.unpark_all()
        self._writable.unpark_all()

    # -- called by the application -------------------------------------------------------------

    def accept(self) -> None:
        """Exit side: tell the client that the stream is open."""
        self._endpoint.mux.accept(self._id)
        self._endpoint.push()

    async def wait_connected(self) -> None:
        """Return when the far end has accepted; raises CircuitClosed when it will not."""
        await self._connected.wait()
        if self._failure is not None:
            raise CircuitClosed(self._failure)

    def set_busy(self, busy: bool) -> None:
        """Say that a request is in progress, so that a shaped run does not stop under it."""
        if busy != self._busy:
            self._busy = busy
            self._endpoint.hold(1 if busy else -1)

    @property
    def room(self) -> int:
        """Bytes that `feed` takes now. Raises CircuitClosed when the stream has been cut."""
        if self._failure is not None:
            raise CircuitClosed(self._failure)
        return max(0, SEND_BUFFER - self._endpoint.mux.buffered(self._id))

    def feed(self, data: bytes) -> None:
        """Queue at most `room` bytes, and let them leave if they may; does not wait."""
        try:
            self._endpoint.mux.write(self._id, data)
        except ProtocolError as error:
            raise CircuitClosed("The stream is closed.") from error
        self._endpoint.push()

    async def wait_room(self) -> None:
        """Return when there is room to send; raises CircuitClosed when the stream has been cut."""
        while not self.room:
            self._writer_waits = True
            await self._writable.park()

    async def send_all(self, data: bytes) -> None:
        """Queue all of `data`, waiting while the stream's buffer is full."""
        await trio.lowlevel.checkpoint_if_cancelled()
        view = memoryview(data)
        while view:
            await self.wait_room()
            room = self.room
            self.feed(data if len(view) == len(data) <= room else bytes(view[:room]))
            view = view[room:]

    async def receive_some(self, max_bytes: int = 65536) -> bytes:
        """The next bytes; b"" at the authenticated end; CircuitClosed when cut short."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while not self._chunks:
            if self._finished:
                return b""
            if self._failure is not None:
                raise CircuitClosed(self._failure)
            self._reader_waits = True
            await self._readable.park()
        data = self._take(max_bytes)
        self._endpoint.mux.consumed(self._id, len(data))
        if self._endpoint.mux.has_output:
            self._endpoint.push()
        return data

    def _take(self, max_bytes: int) -> bytes:
        taken: list[bytes] = []
        room = max_bytes
        while self._chunks and room:
            chunk = self._chunks.popleft()
            if len(chunk) > room:
                self._chunks.appendleft(chunk[room:])
                chunk = chunk[:room]
            taken.append(chunk)
            room -= len(chunk)
        return b"".join(taken)

    async def send_eof(self) -> None:
        """Send the end mark after everything queued; receiving goes on."""
        await trio.lowlevel.checkpoint()
        self._endpoint.mux.finish(self._id)
        self._endpoint.kick()

    def end(self, reason: EndReason) -> None:
        """Close both directions at once, telling the far end why. What was not read is dropped."""
        self._endpoint.mux.end(self._id, reason)
        self._endpoint.mux.consumed(self._id, sum(map(len, self._chunks)))
        self._chunks.clear()
        self._endpoint.forget(self._id)
        self._endpoint.kick()
        self._fail("The stream is closed.")

    async def aclose(self) -> None:
        """Close both directions. Bytes still queued are dropped; use `send_eof` to end cleanly."""
        self.end(EndReason.FINISHED)
        await trio.lowlevel.checkpoint()

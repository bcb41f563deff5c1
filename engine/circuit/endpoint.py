"""One end of a circuit: the mux, the shaping clock and the task that lets cells leave.

Used alike by the client and by the exit. Owns the circuit's streams; hands whole regions to `send`
(which seals them and puts them on a link). Knows nothing of layers, links or paths.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from engine.circuit.mux import (
    Control,
    Event,
    Mux,
    StreamAccepted,
    StreamData,
    StreamEnded,
    StreamFinished,
    StreamOpened,
    StreamWritable,
)
from engine.circuit.shaping import BULK_PLAN, ShapePlan, Shaper
from engine.circuit.stream import CircuitStream
from engine.errors import CircuitClosed
from engine.wire.frames import FRAME_HEADER, EndReason, FrameType

BULK_BATCH = 64  # cells sealed between two looks at the link's queue
_DROP = FRAME_HEADER.pack(FrameType.DROP, 0, 0)


class Outlet(Protocol):
    """Where regions go: seals one into a cell, and says when its link is full."""

    def send(self, region: bytes) -> None:
        """Seal `region` and queue the cell; does not wait."""

    def flush(self) -> None:
        """Push queued cells to the socket; does not wait."""

    @property
    def has_room(self) -> bool:
        """True while its link takes more cells without a wait."""

    async def wait_room(self) -> None:
        """Return when the link takes more cells."""


class Endpoint:
    """Mux, shaper and streams of one circuit end."""

    def __init__(
        self,
        outlet: Outlet,
        *,
        initiator: bool,
        on_control: Callable[[Control], None],
        on_stream: Callable[[CircuitStream, bytes], None] | None = None,
    ) -> None:
        self.mux = Mux(initiator=initiator)
        self.shaper = Shaper(BULK_PLAN)
        self.circuit_tag = b""
        self.peer_node_id = b""
        self.data_regions = 0
        self.dummy_regions = 0
        self.data_regions_in = 0
        self.closed = False
        self._outlet = outlet
        self._on_control = on_control
        self._on_stream = on_stream
        self._streams: dict[int, CircuitStream] = {}
        self._holds = 0
        self._wake = trio.lowlevel.ParkingLot()
        self._kicked = False
        self._idle = trio.lowlevel.ParkingLot()

    def set_plan(self, plan: ShapePlan) -> None:
        """Fix the shape of what this end sends from now on."""
        self.shaper = Shaper(plan)

    # -- streams -------------------------------------------------------------------------------

    def open_stream(self, request: bytes) -> CircuitStream:
        """Ask the far end for a stream; data may follow at once, before it answers."""
        if self.closed:
            raise CircuitClosed("The circuit is closed.")
        stream = self._adopt(self.mux.open_stream(request))
        self.kick()
        return stream

    def _adopt(self, stream_id: int) -> CircuitStream:
        stream = CircuitStream(self, stream_id)
        self._streams[stream_id] = stream
        return stream

    def forget(self, stream_id: int) -> None:
        """Called by a stream that has been closed on this side."""
        self._streams.pop(stream_id, None)

    def hold(self, delta: int) -> None:
        """Count the requests in progress: while one is, a shaped run does not stop."""
        self._holds += delta

    # -- what arrives --------------------------------------------------------------------------

    def deliver(self, region: bytes | memoryview) -> None:
        """Take one decrypted region. Raises ProtocolError when the peer broke the protocol."""
        mux = self.mux
        if region[0] != FrameType.DROP:
            self.data_regions_in += 1
        for event in mux.receive_region(region):
            if type(event) is StreamData:
                stream = self._streams.get(event.stream_id)
                if stream is not None:
                    stream.on_data(event.data)
            else:
                self._handle(event)
        if mux.has_output:
            self.kick()

    def _handle(self, event: Event) -> None:
        if isinstance(event, Control):
            self._on_control(event)
            return
        if isinstance(event, StreamOpened):
            if self._on_stream is None:
                self.mux.end(event.stream_id, EndReason.REFUSED)
            else:
                self._on_stream(self._adopt(event.stream_id), event.request)
            return
        stream = self._streams.get(event.stream_id)
        if stream is None:
            return
        if isinstance(event, StreamAccepted):
            stream.on_accepted()
        elif isinstance(event, StreamFinished):
            stream.on_finished()
        elif isinstance(event, StreamWritable):
            stream.on_writable()
        elif isinstance(event, StreamEnded):
            self._streams.pop(event.stream_id, None)
            stream.on_ended(event.reason)

    # -- what leaves ---------------------------------------------------------------------------

    def kick(self) -> None:
        """Something is queued: wake the pump (it runs after the caller has queued all it has)."""
        if not self._kicked:
            self._kicked = True
            self._wake.unpark()

    def push(self) -> None:
        """Something is queued and will not be joined by more: let it leave now if it may.

        A cell that leaves from here saves the switch to the pump's task, which on an idle circuit
        is a good part of what a hop costs.
        """
        if self.closed or self.shaper.shaped or not self._outlet.has_room or self._send_batch():
            self.kick()

    async def run_pump(self) -> None:
        """Let cells leave, on the tick or in bulk, until the circuit is closed."""
        while not self.closed:
            if self.shaper.shaped:
                await self._pump_shaped()
            else:
                await self._pump_bulk()

    async def _sleep_until_kicked(self) -> None:
        if not self._kicked:
            self._idle.unpark_all()
            await self._wake.park()
        self._kicked = False

    async def _pump_bulk(self) -> None:
        while self._send_batch():
            await self._outlet.wait_room()
            if self.closed or self.shaper.shaped:
                return
        await self._sleep_until_kicked()

    def _send_batch(self) -> bool:
        """Send up to BULK_BATCH regions; True when there may be more."""
        next_region, send = self.mux.next_region, self._outlet.send
        count = 0
        while count < BULK_BATCH and (region := next_region()) is not None:
            send(region)
            count += 1
        if count:
            self.data_regions += count
            self._outlet.flush()
            self._after_send()
        return count == BULK_BATCH

    async def _pump_shaped(self) -> None:
        shaper = self.shaper
        due = shaper.next_tick_at
        if due is None:
            if self.mux.has_output:
                shaper.start(trio.current_time())
            else:
                await self._sleep_until_kicked()
            return
        await trio.sleep_until(due)
        if self.closed:
            return
        self._kicked = False
        if shaper.tick(trio.current_time(), more=self._holds > 0 or self.mux.has_output):
            region = self.mux.next_region()
            if region is None:
                self.dummy_regions += 1
                self._outlet.send(_DROP)
            else:
                self._send(region)
            self._outlet.flush()
            self._after_send()

    def _send(self, region: bytes) -> None:
        self.data_regions += 1
        self._outlet.send(region)

    def _after_send(self) -> None:
        for stream in self._streams.values():
            stream.on_writable()

    async def wait_quiet(self) -> None:
        """Return when nothing is queued and a shaped run has reached its bucket end."""
        while not self.closed and (self.shaper.running or self.mux.has_output):
            await self._idle.park()

    def close(self) -> None:
        """The circuit is gone: cut every stream that has not seen its end mark."""
        if self.closed:
            return
        self.closed = True
        for stream in list(self._streams.values()):
            stream.on_cut()
        self._streams.clear()
        self._wake.unpark_all()
        self._idle.unpark_all()

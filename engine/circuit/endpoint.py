"""One end of a circuit: the mux, the shaping clock and the task that lets cells leave.

Used alike by the client and by the exit. Owns the circuit's streams; hands whole regions to `send`
(which seals them and puts them on a link). Knows nothing of layers, links or paths.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from engine.circuit.beats import beats
from engine.circuit.mux import Mux
from engine.circuit.mux_events import (
    Control,
    Event,
    StreamAccepted,
    StreamData,
    StreamEnded,
    StreamFinished,
    StreamOpened,
    StreamWritable,
)
from engine.circuit.shaping import BULK_PLAN, Beat, ShapePlan, Shaper
from engine.circuit.stream import CircuitStream
from engine.errors import CircuitClosed, ProtocolError
from engine.wire.frames import (
    FRAME_HEADER,
    EndReason,
    FrameType,
    RunState,
    encode_run,
    pack_frame,
    parse_run,
)

BULK_BATCH = 64  # cells sealed between two looks at the link's queue
SILENT_S = 30.0  # in a run both ends send every tick: without a cell for so long the way is dead
_DROP = FRAME_HEADER.pack(FrameType.DROP, 0, 0)
_REST = pack_frame(FrameType.RUN, 0, encode_run(RunState.REST))
_BLANK = frozenset((int(FrameType.DROP), int(FrameType.RUN)))  # first frames of cells without data


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
        self.shaper = Shaper(BULK_PLAN, leads=False)
        self.shaped = False
        self.agreed = False
        self.silent = False
        self.circuit_tag = b""
        self.peer_node_id = b""
        self.data_regions = 0
        self.dummy_regions = 0
        self.data_regions_in = 0
        self.dummy_regions_in = 0
        self.closed = False
        self._outlet = outlet
        self._on_control = on_control
        self._on_stream = on_stream
        self._streams: dict[int, CircuitStream] = {}
        self._leads = not initiator
        self._had_streams = False
        self._peer_rests = False  # leader: the client has said that it has nothing more
        self._said_rest = False  # follower: we have said so
        self._silent_ticks = 0
        self._holds = 0
        self._wake = trio.lowlevel.ParkingLot()
        self._kicked = False
        self._idle = trio.lowlevel.ParkingLot()

    def set_plan(self, plan: ShapePlan, *, agreed: bool) -> None:
        """Fix the shape of this circuit, once. `agreed` is False at the client until the far end
        has echoed it. Raises ProtocolError when a shape is fixed or a stream was opened."""
        if self.shaped or self.agreed or self._had_streams:
            raise ProtocolError("the shape of a circuit is agreed once, before its first stream")
        self.shaper = Shaper(plan, leads=self._leads)
        self.shaped = self.shaper.shaped
        self.agreed = agreed

    # -- streams -------------------------------------------------------------------------------

    def open_stream(self, request: bytes) -> CircuitStream:
        """Ask the far end for a stream; data may follow at once, before it answers."""
        if self.closed:
            raise CircuitClosed("The circuit is closed.")
        self._had_streams = True
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
        events = self.mux.receive_region(region)
        if region[0] not in _BLANK:
            self.data_regions_in += 1
        if self.shaped:
            self._hear(region[0] in _BLANK, events)
        self._take_events(events)

    def deliver_run(self, regions: Sequence[bytes]) -> None:
        """`deliver` for regions that came one after the other."""
        if self.shaped:
            for region in regions:
                self.deliver(region)
            return
        events = self.mux.receive_regions(regions)
        self.data_regions_in += sum(region[0] not in _BLANK for region in regions)
        self._take_events(events)

    def _take_events(self, events: Sequence[Event]) -> None:
        for event in events:
            if type(event) is StreamData:
                stream = self._streams.get(event.stream_id)
                if stream is not None:
                    stream.on_data(event.data)
                else:  # it was closed on this side
                    self.mux.consumed(event.stream_id, len(event.data))
            else:
                self._handle(event)
        if self.mux.has_output:
            self.kick()

    def _handle(self, event: Event) -> None:
        if isinstance(event, Control):
            if event.frame.type is FrameType.RUN:
                self._on_run(parse_run(event.frame.data))
            else:
                self._on_control(event)
            return
        if isinstance(event, StreamOpened):
            self._had_streams = True
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

    def _hear(self, blank: bool, events: Sequence[Event]) -> None:
        """Every cell that arrives on a shaped circuit, before its frames are handled."""
        self._silent_ticks = 0
        if blank:
            self.dummy_regions_in += 1
        if not self.agreed and events and not _is_shape(events[0]):
            raise ProtocolError("the far end spoke before it agreed to the circuit's shape")
        if self._leads:
            if not blank:
                self._peer_rests = False
                self._start_run()
        elif not any(_ends_run(event) for event in events):
            self._start_run()

    def _on_run(self, state: RunState) -> None:
        if not self.shaped:
            raise ProtocolError("a run on a circuit that is not shaped")
        self._peer_rests = state is RunState.REST
        if state is RunState.GO:
            self._start_run()
        elif not self._leads and not self.shaper.always_on:
            self.shaper.stop()

    def _start_run(self) -> None:
        if not self.shaper.running:
            self.shaper.start(trio.current_time())
            self.kick()

    # -- what leaves ---------------------------------------------------------------------------

    def go(self) -> None:
        """Start a run, with or without something to say in it."""
        self.mux.control(FrameType.RUN, encode_run(RunState.GO))
        self.kick()

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
        if self.closed or self.shaped or not self._outlet.has_room or self._send_batch():
            self.kick()

    async def run_pump(self) -> None:
        """Let cells leave, on the tick or in bulk, until the circuit is closed or its far end has
        been silent in the middle of a run (`silent`)."""
        while not self.closed and not self.silent:
            if self.shaped:
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
            if self.closed or self.shaped:
                return
        await self._sleep_until_kicked()

    def _send_batch(self) -> bool:
        """Send up to BULK_BATCH regions; True when there may be more."""
        send = self._outlet.send
        regions = self.mux.next_regions(BULK_BATCH)
        for region in regions:
            send(region)
        count = len(regions)
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
        await beats().keep(due, self._beat, self._outlet.flush)

    def _beat(self) -> float | None:
        """Send what this tick asks for; returns when the next one is due, None after the last."""
        if self.closed:
            return None
        shaper = self.shaper
        self._kicked = False
        beat = shaper.tick(trio.current_time(), more=self._more)
        if beat is not Beat.NONE:
            self._send_beat(beat)
            self._silent_ticks += 1
            self.silent = self._silent_ticks * shaper.plan.tick_s > SILENT_S
            if shaper.always_on and not self.mux.has_output:
                self._idle.unpark_all()
        return None if self.silent else shaper.next_tick_at

    @property
    def _more(self) -> bool:
        """Whether either end still has something to say in this run."""
        return self._holds > 0 or not self._peer_rests or self.mux.has_output

    def _send_beat(self, beat: Beat) -> None:
        """One cell: frames that wait, or a dummy. The last one of a run is always a dummy."""
        region = None if beat is Beat.LAST else self.mux.next_region()
        if region is not None:
            self._said_rest = False
            self.data_regions += 1
        else:
            self.dummy_regions += 1
            region = _REST if beat is Beat.LAST or self._may_rest() else _DROP
        self._outlet.send(region)
        self._after_send()

    def _may_rest(self) -> bool:
        """Follower: True when this dummy is the one that tells the leader we have no more."""
        if self._leads or self._said_rest or self._holds:
            return False
        self._said_rest = True
        return True

    def _after_send(self) -> None:
        for stream in self._streams.values():
            stream.on_writable()

    async def wait_quiet(self) -> None:
        """Return when nothing is queued and a shaped run has reached its bucket end (always-on
        runs have none)."""
        while not self.closed and (self.mux.has_output or self.in_run):
            await self._idle.park()

    @property
    def in_run(self) -> bool:
        """True while a run that will end goes on."""
        return self.shaper.running and not self.shaper.always_on

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


def _is_shape(event: Event) -> bool:
    return isinstance(event, Control) and event.frame.type is FrameType.SHAPE


def _ends_run(event: Event) -> bool:
    return isinstance(event, Control) and event.frame.type is FrameType.RUN

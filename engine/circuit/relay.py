"""The relay side of one circuit: pass cells on, serve streams, end. The hot path of the network.

A circuit has one life here: *terminal* (its last hop so far: forward cells are for us) until it is
extended, then *forwarding*. Everything that happens per cell is synchronous; what must wait
(dialling the next relay, serving a stream) runs in the core's nursery.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import trio

from engine.circuit.endpoint import Endpoint
from engine.circuit.extending import MAX_EXTENDS, Pending, extend
from engine.circuit.mux import CIRCUIT_WINDOW
from engine.circuit.mux_events import Control
from engine.circuit.stream import CircuitStream
from engine.crypto.hop import HopKeys
from engine.crypto.layers import RelayLayer
from engine.errors import LayerError, Peer2PromptError, ProtocolError
from engine.link.connection import Link
from engine.link.queues import CellBuffer, CellQueue, Holding, take_buffer, take_buffers
from engine.wire.cells import HEADER, RECORD_BYTES, Command, DestroyReason
from engine.wire.create import parse_created_body
from engine.wire.frames import MAX_FRAME_DATA, EndReason, FrameType, encode_shape, parse_shape
from engine.wire.refusal import Refusal, parse_destroy

if TYPE_CHECKING:
    from engine.circuit.relay_core import RelayCore

# One circuit window and what the frames around it may add; more is a peer that ignores windows.
MAX_QUEUED_CELLS = CIRCUIT_WINDOW // MAX_FRAME_DATA * 2

_RELAY = Command.RELAY  # members of an enum class are slow to look up
_HEAD = slice(0, HEADER.size)

StreamHandler = Callable[[CircuitStream, bytes], Awaitable[None]]


class RelayCircuit:
    """One circuit at one hop."""

    __slots__ = (
        "core",
        "endpoint",
        "extending",
        "extends",
        "idle_since",
        "layer",
        "next_header",
        "next_id",
        "next_link",
        "next_queue",
        "pending",
        "prev_header",
        "prev_id",
        "prev_link",
        "prev_queue",
        "scope",
        "tag",
        "used",
    )

    def __init__(self, core: RelayCore, link: Link, circ_id: int, keys: HopKeys) -> None:
        self.core = core
        self.layer = RelayLayer(keys)
        self.tag = keys.circuit_tag
        self.prev_link = link
        self.prev_id = circ_id
        self.prev_header = HEADER.pack(circ_id, _RELAY)
        self.prev_queue = CellQueue()
        self.next_link: Link | None = None
        self.next_id = 0
        self.next_header = b""
        self.next_queue = CellQueue()
        self.endpoint: Endpoint | None = None
        self.extending = False
        self.extends = 0
        self.pending: Pending | None = None
        self.scope: trio.CancelScope | None = None
        self.used = False  # since the last sweep
        self.idle_since = trio.current_time()

    # -- cells from the client's side ----------------------------------------------------------

    def from_prev(self, command: int, body: memoryview) -> None:
        """A cell from the direction of the client."""
        if command is _RELAY:
            self.used = True
            try:
                if self.next_link is not None:
                    self._pass_forward(self.next_link, body)
                else:
                    self._take(body)
            except LayerError:
                self.core.counters.cells_rejected += 1
                self.destroy(DestroyReason.PROTOCOL)
            except ProtocolError:
                self.destroy(DestroyReason.PROTOCOL)
        elif command == Command.DESTROY:
            self.destroy(DestroyReason.NONE, tell_prev=False)  # reasons are not passed on
        else:
            self.destroy(DestroyReason.PROTOCOL)

    def _pass_forward(self, link: Link, body: memoryview) -> None:
        cell = take_buffer()
        cell.data[_HEAD] = self.next_header
        self.layer.open_forward_into(body, cell.body)
        self.core.counters.cells_forward += 1
        link.enqueue(self.next_queue, cell)
        if len(self.next_queue.cells) > MAX_QUEUED_CELLS:
            self.destroy(DestroyReason.RESOURCE)

    def _run_from_prev(self, link: Link, bodies: Sequence[memoryview]) -> None:
        """Several RELAY cells from the direction of the client, to be passed on."""
        self.used = True
        cells = take_buffers(len(bodies))
        try:
            self.layer.open_forward_run(bodies, [cell.body for cell in cells])
        except LayerError:
            self.core.counters.cells_rejected += 1
            self.destroy(DestroyReason.PROTOCOL)
            return
        self.core.counters.cells_forward += len(cells)
        self._pass_run(link, self.next_queue, self.next_header, cells)

    def _pass_run(
        self, link: Link, queue: CellQueue, header: bytes, cells: list[CellBuffer]
    ) -> None:
        for cell in cells:
            cell.data[_HEAD] = header
        link.enqueue_run(queue, cells)
        if len(queue.cells) > MAX_QUEUED_CELLS:
            self.destroy(DestroyReason.RESOURCE)

    def _take(self, body: memoryview) -> None:
        """A cell for this hop: it is the last one so far."""
        endpoint = self.endpoint
        if endpoint is None:
            endpoint = self.endpoint = Endpoint(
                self, initiator=False, on_control=self._on_control, on_stream=self._on_stream
            )
            endpoint.circuit_tag = self.tag
            self.core.spawn(self._run_endpoint, endpoint)
        endpoint.deliver(self.layer.open_terminal(body))

    async def _run_endpoint(self, endpoint: Endpoint) -> None:
        with trio.CancelScope() as self.scope:
            await endpoint.run_pump()
            if endpoint.silent:
                self.destroy(DestroyReason.TIMEOUT)
                self.core.links.flush()

    # -- cells from the exit's side ------------------------------------------------------------

    def from_next(self, command: int, body: memoryview) -> None:
        """A cell from the direction of the exit."""
        if command is _RELAY and self.pending is None:
            self.used = True
            cell = take_buffer()
            cell.data[_HEAD] = self.prev_header
            self.layer.add_backward_into(body, cell.body)
            self.core.counters.cells_backward += 1
            self.prev_link.enqueue(self.prev_queue, cell)
            if len(self.prev_queue.cells) > MAX_QUEUED_CELLS:
                self.destroy(DestroyReason.RESOURCE)
        elif command == Command.CREATED and self.pending is not None:
            self.pending.put(parse_created_body(body))
        elif command == Command.DESTROY:
            if self.pending is not None:
                self.pending.put(parse_destroy(body))
            else:
                # A reason handed on unchanged would be a channel from the exit to the guard.
                self.destroy(DestroyReason.NONE, tell_next=False)
        else:
            self.destroy(DestroyReason.PROTOCOL)

    def _run_from_next(self, bodies: Sequence[memoryview]) -> None:
        """Several RELAY cells from the direction of the exit, to be passed on."""
        self.used = True
        cells = take_buffers(len(bodies))
        self.layer.add_backward_run(bodies, [cell.body for cell in cells])
        self.core.counters.cells_backward += len(cells)
        self._pass_run(self.prev_link, self.prev_queue, self.prev_header, cells)

    # -- the outlet of the endpoint ------------------------------------------------------------

    def send(self, region: bytes) -> None:
        """Seal a region of ours for the client and queue the cell."""
        cell = take_buffer()
        cell.data[_HEAD] = self.prev_header
        self.layer.seal_backward_into(region, cell.body)
        self.prev_link.enqueue(self.prev_queue, cell)
        if (pace := self.core.exit_pace) is not None:
            pace.spend(
                RECORD_BYTES
            )  # a shaped cell leaves on its tick and is paid for all the same

    def flush(self) -> None:
        """Push queued cells to the socket; a client that lets too many wait loses its circuit."""
        self.prev_link.flush()
        if len(self.prev_queue.cells) > MAX_QUEUED_CELLS:
            self.destroy(DestroyReason.RESOURCE)

    def busy(self) -> bool:
        """True when a cell came since it was last asked, or a shaped run is under way."""
        used, self.used = self.used, False
        endpoint = self.endpoint
        return used or (endpoint is not None and not endpoint.closed and endpoint.shaper.running)

    def holdings(self) -> Iterator[Holding]:
        """What it keeps of memory, for engine.circuit.memory."""
        yield self.prev_queue.holding("prev")
        yield self.next_queue.holding("next")
        if self.endpoint is not None:
            yield from self.endpoint.mux.holdings()

    @property
    def has_room(self) -> bool:
        """True while the link and the exit's cap take more cells without a wait."""
        pace = self.core.exit_pace
        return self.prev_link.has_room and (pace is None or pace.open)

    async def wait_room(self) -> None:
        """Wait while the link to the client's side has more than its share queued, or the exit has
        sent as much as it may."""
        link = self.prev_link
        while not link.closed and not link.has_room:
            await link.room.park()
        if self.core.exit_pace is not None:
            await self.core.exit_pace.wait_open()
        await trio.lowlevel.checkpoint()

    # -- control frames ------------------------------------------------------------------------

    def _on_control(self, event: Control) -> None:
        frame = event.frame
        endpoint = self.endpoint
        if endpoint is None:
            return
        if frame.type == FrameType.EXTEND and self._may_extend(endpoint):
            self.extending = True
            self.extends += 1
            self.core.spawn(extend, self, bytes(frame.data))
        elif frame.type == FrameType.SHAPE and not self.extending:
            plan = parse_shape(frame.data)
            endpoint.set_plan(plan, agreed=True)
            endpoint.mux.control(FrameType.SHAPE, encode_shape(plan))
        else:
            raise ProtocolError("a frame that this hop does not take now")

    def _may_extend(self, endpoint: Endpoint) -> bool:
        """False when this hop is the last one for good: a shape or a stream was asked for."""
        settled = self.extending or endpoint.agreed or bool(endpoint.mux.stream_count)
        return not settled and self.extends < MAX_EXTENDS

    def forward_to(self, link: Link) -> None:
        """The next hop answered on `link`: from now on cells are passed on."""
        self.next_link = link
        link.runs[self.next_id] = self._run_from_next
        self.prev_link.runs[self.prev_id] = partial(self._run_from_prev, link)
        self._end_endpoint()
        self.flush()

    def _end_endpoint(self) -> None:
        if self.endpoint is not None:
            self.core.counters.cells_served += cells_served(self.endpoint)
            self.endpoint.close()
            self.endpoint = None
        if self.scope is not None:
            self.scope.cancel()

    # -- streams -------------------------------------------------------------------------------

    def _on_stream(self, stream: CircuitStream, request: bytes) -> None:
        handler = self.core.handlers.get(request[0]) if request else None
        if handler is None or self.extending:
            stream.end(EndReason.REFUSED)
            return
        self.core.spawn(_serve_stream, handler, stream, request)

    # -- the end -------------------------------------------------------------------------------

    def destroy(
        self, reason: DestroyReason, *, tell_prev: bool = True, tell_next: bool = True
    ) -> None:
        """End the circuit here: keys erased, both neighbours told."""
        if self.core.circuits.pop(id(self), None) is None:
            return
        self.prev_link.drop_route(self.prev_id)
        self.prev_link.drop_queue(self.prev_queue)
        if tell_prev:
            self.prev_link.send_destroy(self.prev_id, bytes([reason]))
        self._drop_next(reason if tell_next else None)
        if self.pending is not None:
            self.pending.put(Refusal(DestroyReason.CONNECT_FAILED))
        self._end_endpoint()
        self.layer.erase()

    def _drop_next(self, reason: DestroyReason | None) -> None:
        link = self.next_link
        if link is not None:
            link.drop_route(self.next_id)
            link.drop_queue(self.next_queue)
            if reason is not None:
                link.send_destroy(self.next_id, bytes([reason]))


def cells_served(endpoint: Endpoint) -> int:
    """Cells to and from this end, dummies included."""
    outward = endpoint.data_regions + endpoint.dummy_regions
    return outward + endpoint.data_regions_in + endpoint.dummy_regions_in


async def _serve_stream(handler: StreamHandler, stream: CircuitStream, request: bytes) -> None:
    try:
        await handler(stream, request)
    except Peer2PromptError:
        stream.end(EndReason.PROTOCOL)
    except Exception:
        stream.end(EndReason.INTERNAL)
        raise
    else:
        await stream.aclose()

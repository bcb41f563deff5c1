"""The relay side of circuits: create, pass on, extend, end. The hot path of the network.

A circuit has one life here: *terminal* (its last hop so far: forward cells are for us) until it is
extended, then *forwarding*. Everything that happens per cell is synchronous; what must wait
(dialling the next relay, serving a stream) runs in the core's nursery. Accounting is by counts
without identities.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import trio

from engine.circuit.endpoint import Endpoint
from engine.circuit.mux import CIRCUIT_WINDOW, Control
from engine.circuit.stream import CircuitStream
from engine.crypto.hop import CREATE_BYTES, CreateRequest, HopKeys, server_hop
from engine.crypto.layers import RelayLayer
from engine.crypto.replay import HandshakeReplayCache
from engine.errors import (
    CircuitClosed,
    HandshakeError,
    LayerError,
    Peer2PromptError,
    ProtocolError,
)
from engine.link.connection import CellBuffer, CellQueue, Link, take_buffer, take_buffers
from engine.link.manager import LinkManager
from engine.wire.cells import HEADER, Command, DestroyReason
from engine.wire.create import create_body, created_body, parse_created_body, parse_extend
from engine.wire.frames import MAX_FRAME_DATA, EndReason, FrameType, encode_shape, parse_shape

EXTEND_TIMEOUT_S = 15.0
MAX_CIRCUITS = 20_000  # per relay; a circuit costs some 10 KiB
MAX_CIRCUITS_PER_LINK = 4_096
IDLE_TIMEOUT_S = 3_600.0  # a circuit without a cell for this long is destroyed
SWEEP_EVERY_S = 60.0
MEMORY_CHECK_S = 1.0
# One circuit window and what the frames around it may add; more is a peer that ignores windows.
MAX_QUEUED_CELLS = CIRCUIT_WINDOW // MAX_FRAME_DATA * 2
MAX_TOTAL_QUEUED = 65_536  # cells over all circuits, 128 MiB: then the oldest queued data goes

_RELAY = Command.RELAY  # members of an enum class are slow to look up
_HEAD = slice(0, HEADER.size)

StreamHandler = Callable[[CircuitStream, bytes], Awaitable[None]]
AddressPolicy = Callable[[bytes, str, int], bool]
"""Takes (node_id, host, port) of an EXTEND; False refuses it."""


@dataclass
class RelayCounters:
    """What a relay tells of itself: counts only."""

    circuits_created: int = 0
    circuits_refused: int = 0
    cells_forward: int = 0
    cells_backward: int = 0
    cells_rejected: int = 0


class RelayCircuit:
    """One circuit at one hop."""

    __slots__ = (
        "core",
        "endpoint",
        "extending",
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
        self.pending: _Created | None = None
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
                self.pending.put(None)
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

    def flush(self) -> None:
        """Push queued cells to the socket."""
        self.prev_link.flush()

    @property
    def has_room(self) -> bool:
        """True while the link takes more cells without a wait."""
        return self.prev_link.has_room

    async def wait_room(self) -> None:
        """Wait while the link to the client's side has more than its share queued."""
        link = self.prev_link
        while not link.closed and not link.has_room:
            await link.room.park()
        await trio.lowlevel.checkpoint()

    # -- control frames ------------------------------------------------------------------------

    def _on_control(self, event: Control) -> None:
        frame = event.frame
        endpoint = self.endpoint
        if endpoint is None:
            return
        if frame.type == FrameType.EXTEND and not self._settled(endpoint):
            self.extending = True
            self.core.spawn(self._extend, bytes(frame.data))
        elif frame.type == FrameType.SHAPE and not self.extending:
            plan = parse_shape(frame.data)
            endpoint.set_plan(plan, agreed=True)
            endpoint.mux.control(FrameType.SHAPE, encode_shape(plan))
        else:
            raise ProtocolError("a frame that this hop does not take now")

    def _settled(self, endpoint: Endpoint) -> bool:
        """True when this hop is the last one for good: a shape or a stream has been asked for."""
        return self.extending or endpoint.agreed or bool(endpoint.mux.stream_count)

    async def _extend(self, data: bytes) -> None:
        reason = DestroyReason.TIMEOUT
        with trio.move_on_after(EXTEND_TIMEOUT_S):
            try:
                await self._extend_to(data)
                return
            except _Refused as refusal:
                reason = refusal.reason
            except ProtocolError:
                reason = DestroyReason.PROTOCOL
            except CircuitClosed:
                reason = DestroyReason.CONNECT_FAILED
        if self.endpoint is not None:
            self.endpoint.mux.control(FrameType.TRUNCATED, bytes([reason]))
            self.endpoint.kick()

    async def _extend_to(self, data: bytes) -> None:
        extend = parse_extend(data)
        node_id = CreateRequest.parse(extend.payload).node_id
        if not self.core.may_extend(self, node_id, extend.host, extend.port):
            raise _Refused(DestroyReason.ADDRESS)
        link = await self.core.links.get(node_id, extend.host, extend.port)
        if self.prev_link.closed or self.endpoint is None:
            raise CircuitClosed("The circuit closed.")
        created = await self._create_on(link, extend.payload)
        endpoint = self.endpoint
        if endpoint is None:
            raise CircuitClosed("The circuit closed.")
        endpoint.mux.control(FrameType.EXTENDED, created)
        while (region := endpoint.mux.next_region()) is not None:
            self.send(region)
        self.next_link = link
        link.runs[self.next_id] = self._run_from_next
        self.prev_link.runs[self.prev_id] = partial(self._run_from_prev, link)
        self._end_endpoint()
        self.flush()

    async def _create_on(self, link: Link, payload: bytes) -> bytes:
        """CREATE at the next hop; its CREATED payload. Leaves no route behind when it fails."""
        pending = self.pending = _Created()
        next_id = self.next_id = link.new_circ_id(self.from_next)
        self.next_header = HEADER.pack(next_id, _RELAY)
        cell = take_buffer()
        HEADER.pack_into(cell.data, 0, next_id, Command.CREATE)
        cell.body[:] = create_body(payload)
        link.enqueue(self.next_queue, cell)
        link.flush()
        created: bytes | None = None
        try:
            created = await pending.get()
        finally:
            self.pending = None
            if created is None or self.endpoint is None:
                link.drop_route(next_id)
                self._send_destroy(link, CellQueue(), next_id, DestroyReason.FINISHED)
                link.flush()
        if created is None or self.endpoint is None:
            raise CircuitClosed("The next relay refused.")
        return created

    def _end_endpoint(self) -> None:
        if self.endpoint is not None:
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
            self._send_destroy(self.prev_link, self.prev_queue, self.prev_id, reason)
        self._drop_next(reason if tell_next else None)
        if self.pending is not None:
            self.pending.put(None)
        self._end_endpoint()
        self.layer.erase()

    def _drop_next(self, reason: DestroyReason | None) -> None:
        link = self.next_link
        if link is not None:
            link.drop_route(self.next_id)
            link.drop_queue(self.next_queue)
            if reason is not None:
                self._send_destroy(link, self.next_queue, self.next_id, reason)

    @staticmethod
    def _send_destroy(link: Link, queue: CellQueue, circ_id: int, reason: DestroyReason) -> None:
        cell = CellBuffer()
        HEADER.pack_into(cell.data, 0, circ_id, Command.DESTROY)
        cell.body[0] = reason
        link.enqueue(queue, cell)


class RelayCore:
    """Every circuit that passes through, or ends at, this node."""

    def __init__(
        self,
        node_id: bytes,
        onion_keys: Callable[[], Mapping[bytes, bytes]],
        *,
        handlers: Mapping[int, StreamHandler],
        address_ok: AddressPolicy,
        on_fault: Callable[[str], None],
    ) -> None:
        self.links: LinkManager
        self.handlers = handlers
        self.circuits: dict[int, RelayCircuit] = {}
        self.counters = RelayCounters()
        self.draining = False
        self._node_id = node_id
        self._onion_keys = onion_keys
        self._address_ok = address_ok
        self._on_fault = on_fault
        self.replays = HandshakeReplayCache()
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the circuits' tasks until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                task_status.started()
                swept_at = trio.current_time()
                while True:
                    await trio.sleep(MEMORY_CHECK_S)
                    self.relieve_memory()
                    if trio.current_time() - swept_at >= SWEEP_EVERY_S:
                        swept_at = trio.current_time()
                        self._sweep()
        finally:
            self._nursery = None
            for circuit in list(self.circuits.values()):
                circuit.destroy(DestroyReason.HIBERNATING)

    def spawn(self, function: Callable[..., Awaitable[None]], *args: object) -> None:
        """Run a circuit's task; a fault in it is reported by kind and ends only itself."""
        if self._nursery is not None:
            self._nursery.start_soon(self._guarded, function, *args)

    async def _guarded(self, function: Callable[..., Awaitable[None]], *args: object) -> None:
        try:
            await function(*args)
        except Peer2PromptError:
            return
        except Exception as error:
            # The one boundary between a circuit and the node: a bug in one must not end the other.
            self._on_fault(type(error).__name__)

    def on_create(self, link: Link, circ_id: int, body: memoryview) -> None:
        """A neighbour asks for a new circuit."""
        if (
            self.draining
            or len(self.circuits) >= MAX_CIRCUITS
            or len(link.routes) >= MAX_CIRCUITS_PER_LINK
        ):
            self._refuse(link, circ_id, DestroyReason.RESOURCE)
            return
        try:
            created, keys = server_hop(
                bytes(body[:CREATE_BYTES]), self._node_id, self._onion_keys(), self.replays
            )
        except (HandshakeError, ProtocolError):
            self._refuse(link, circ_id, DestroyReason.PROTOCOL)
            return
        circuit = RelayCircuit(self, link, circ_id, keys)
        self.circuits[id(circuit)] = circuit
        link.routes[circ_id] = circuit.from_prev
        self.counters.circuits_created += 1
        cell = take_buffer()
        HEADER.pack_into(cell.data, 0, circ_id, Command.CREATED)
        cell.body[:] = created_body(created)
        link.enqueue(circuit.prev_queue, cell)

    def _refuse(self, link: Link, circ_id: int, reason: DestroyReason) -> None:
        self.counters.circuits_refused += 1
        RelayCircuit._send_destroy(link, CellQueue(), circ_id, reason)

    def may_extend(self, circuit: RelayCircuit, node_id: bytes, host: str, port: int) -> bool:
        """Refuse loops (to ourselves, back where the circuit came from) and bad addresses."""
        if node_id in (self._node_id, circuit.prev_link.peer_node_id):
            return False
        return self._address_ok(node_id, host, port)

    def _sweep(self) -> None:
        now = trio.current_time()
        for circuit in list(self.circuits.values()):
            if circuit.used:
                circuit.used = False
                circuit.idle_since = now
            elif now - circuit.idle_since > IDLE_TIMEOUT_S:
                circuit.destroy(DestroyReason.TIMEOUT)

    def relieve_memory(self) -> None:
        """Under memory pressure destroy the circuits with the oldest queued data first."""
        queued = sum(link.queued for link in self.links.links)
        if queued <= MAX_TOTAL_QUEUED:
            return
        for circuit in sorted(self.circuits.values(), key=_oldest_queued):
            queued -= len(circuit.prev_queue.cells) + len(circuit.next_queue.cells)
            circuit.destroy(DestroyReason.RESOURCE)
            if queued <= MAX_TOTAL_QUEUED:
                return


class _Refused(Exception):
    """An EXTEND that this relay will not make."""

    def __init__(self, reason: DestroyReason) -> None:
        super().__init__(reason.name)
        self.reason = reason


class _Created:
    """The slot for the next hop's CREATED."""

    def __init__(self) -> None:
        self._event = trio.Event()
        self._value: bytes | None = None

    def put(self, value: bytes | None) -> None:
        if not self._event.is_set():
            self._value = value
            self._event.set()

    async def get(self) -> bytes | None:
        await self._event.wait()
        return self._value


def _oldest_queued(circuit: RelayCircuit) -> float:
    times = [q.since for q in (circuit.prev_queue, circuit.next_queue) if q.cells]
    return min(times, default=float("inf"))


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

"""The client side of a circuit: telescoping through the hops, sealing, opening, streams.

Owns the keys of every hop and erases them on close. The path is chosen elsewhere
(engine.directory.paths); this module follows it or fails, and never shortens it.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import trio

from engine.circuit.effort import solve_in_thread
from engine.circuit.endpoint import Endpoint
from engine.circuit.mux_events import Control
from engine.circuit.path import Hop
from engine.circuit.shaping import ShapeClass, ShapePlan
from engine.circuit.stream import CircuitStream
from engine.circuit.traffic import Cells
from engine.crypto.hop import ClientHop, ClientHopState
from engine.crypto.layers import ClientLayers
from engine.errors import CircuitClosed, LayerError, ProtocolError
from engine.link.connection import Link
from engine.link.manager import LinkManager
from engine.link.queues import CellBuffer, CellQueue, take_buffer
from engine.wire.cells import HEADER, Command, DestroyReason
from engine.wire.create import create_body, encode_extend, parse_created_body
from engine.wire.frames import FrameType, encode_shape, parse_shape
from engine.wire.refusal import Refusal, parse_destroy, parse_truncated

BUILD_TIMEOUT_S = 20.0  # for the hops behind the guard, unless the caller knows better
CLOSE_S = 60.0  # a circuit that is to close may send what it has queued for so long at least
GUARD_TIMEOUT_S = 15.0  # to connect to the guard and shake hands with it
MAX_WORKS = 2  # proofs of work that one hop may ask for
MAX_WORK_BITS = 22  # two seconds of one core; who asks for more is passed over
WORK_TIMEOUT_S = 60.0  # thirty times what the bound takes on average
_RELAY = Command.RELAY  # members of an enum class are slow to look up
_HEAD = slice(0, HEADER.size)


class CircuitState(enum.Enum):
    """Where a circuit is in its life."""

    BUILDING = "building"
    OPEN = "open"
    CLOSED = "closed"


class Fault(enum.Enum):
    """Where a circuit that could not be built, or was cut, must have failed."""

    NONE = "none"
    GUARD = "guard"  # the guard was not reached, or did not answer for itself
    BEHIND = "behind"  # anywhere on the path; the guard could have caused it
    BEYOND = "beyond"  # a hop behind the guard said so, under its own key


class _Reply:
    """A slot for the one handshake answer a circuit waits for: CREATED, or why there is none."""

    def __init__(self) -> None:
        self._event = trio.Event()
        self._value: bytes | Refusal | Exception | None = None

    def put(self, value: bytes | Refusal | Exception) -> None:
        if self._value is None:
            self._value = value
            self._event.set()

    async def get(self) -> bytes | Refusal:
        await self._event.wait()
        if isinstance(self._value, bytes | Refusal):
            return self._value
        raise self._value or CircuitClosed("The circuit closed.")


class ClientCircuit:
    """A circuit of this client. Build it, open streams on it, close it."""

    def __init__(
        self, path: tuple[Hop, ...], suite: int, purpose: str, plan: ShapePlan, *, why: str = ""
    ) -> None:
        self.path = path
        self.purpose = purpose
        self.why = why  # how the path was chosen, a sentence for the user without addresses
        self.plan = plan
        self.state = CircuitState.BUILDING
        self.reason = ""
        self.tampered = False
        self.created_at = trio.current_time()
        self.cells_up = 0
        self.cells_down = 0
        self.rtt_s: float | None = None
        self.hops_built = 0
        self.hop_times_s: list[float] = []
        self.fault = Fault.NONE
        self.timed_out = False
        self.streams_opened = 0
        self.used_at: float | None = None  # when the first stream was opened
        self.endpoint = Endpoint(self, initiator=True, on_control=self._on_control)
        self.closed_event = trio.Event()
        self._suite = suite
        self._layers = ClientLayers()
        self._queue = CellQueue()
        self._link: Link | None = None
        self._circ_id = 0
        self._header = b""
        self._reply: _Reply | None = None
        self._shape_asked = False
        self._building = trio.CancelScope()
        self._answered = False  # the last hop so far has spoken about the next one

    # -- building ------------------------------------------------------------------------------

    async def build(self, links: LinkManager, timeout_s: float = BUILD_TIMEOUT_S) -> None:
        """Telescope through the path, the hops behind the guard in `timeout_s`.

        Raises CircuitClosed naming the role that failed; `fault` then says who can have caused it.
        """
        try:
            with trio.fail_after(GUARD_TIMEOUT_S) as self._building:
                await self._timed_hop(links, self.path[0])
            with trio.fail_after(timeout_s) as self._building:
                for hop in self.path[1:]:
                    await self._timed_hop(links, hop)
        except (trio.TooSlowError, ProtocolError, CircuitClosed) as error:
            self.timed_out = isinstance(error, trio.TooSlowError) and self.hops_built > 0
            self.fault = self._fault()
            self.close(f"hop {self.hops_built + 1} failed")
            role = self.path[self.hops_built].role
            raise CircuitClosed(f"No circuit: the {role} did not answer as it should.") from error
        except BaseException:
            self.close("building was cancelled")
            raise
        self._open()

    async def _timed_hop(self, links: LinkManager, hop: Hop) -> None:
        started = trio.current_time()
        worked_s = await self._add_hop(links, hop)
        self.rtt_s = trio.current_time() - started - worked_s
        self.hop_times_s.append(self.rtt_s)

    def _fault(self) -> Fault:
        if self.hops_built == 0:
            return Fault.GUARD
        # An answer of hop two or later came under that hop's key: the guard let it through.
        return Fault.BEYOND if self._answered and self.hops_built > 1 else Fault.BEHIND

    def _open(self) -> None:
        endpoint = self.endpoint
        endpoint.circuit_tag = self._tag
        endpoint.peer_node_id = self.path[-1].node_id
        if self.plan.shape_class is not ShapeClass.BULK:
            endpoint.set_plan(self.plan, agreed=False)
        self.state = CircuitState.OPEN
        if self.plan.shape_class is ShapeClass.ALWAYS_ON:
            self.go()

    def go(self) -> None:
        """Start a shaped run, with or without a stream."""
        self._ask_for_shape()
        self.endpoint.go()

    def _ask_for_shape(self) -> None:
        """SHAPE leaves in the same cell as the first stream's BEGIN."""
        if self.endpoint.shaped and not self._shape_asked:
            self._shape_asked = True
            self.endpoint.mux.control(FrameType.SHAPE, encode_shape(self.plan))

    async def _add_hop(self, links: LinkManager, hop: Hop) -> float:
        """Shake hands with the next hop; returns the seconds spent on work that it asked for."""
        state, payload = ClientHop.start(self._suite, hop.node_id, hop.onion_key)
        worked_s = 0.0
        for _ in range(MAX_WORKS + 1):
            answer = await self._ask_hop(links, hop, payload)
            if isinstance(answer, bytes):
                self._layers.add_hop(keys := state.finish(answer))
                self.hops_built += 1
                self._tag = keys.circuit_tag
                return worked_s
            began = trio.current_time()
            payload = await self._work_for(answer, state)
            worked_s += trio.current_time() - began
        raise CircuitClosed("A relay asked for work again and again.")

    async def _work_for(self, refusal: Refusal, state: ClientHopState) -> bytes:
        """The CREATE payload with the work that was asked for; other refusals are final.

        The time it takes is not the relays', so the deadline moves by as much.
        """
        if refusal.reason is not DestroyReason.WORK_NEEDED:
            name = refusal.reason.name.lower().replace("_", " ")
            raise CircuitClosed(f"A relay refused to go on ({name}).")
        if refusal.bits > MAX_WORK_BITS:
            raise CircuitClosed(
                f"A relay asked for {refusal.bits} bits of work; this client does at most "
                f"{MAX_WORK_BITS}."
            )
        began, deadline = trio.current_time(), self._building.deadline
        self._building.deadline = began + WORK_TIMEOUT_S
        nonce = await solve_in_thread(state.work_challenge(refusal.seed), refusal.bits)
        self._building.deadline = deadline + (trio.current_time() - began)
        return state.create_payload(refusal.seed, nonce)

    async def _ask_hop(self, links: LinkManager, hop: Hop, payload: bytes) -> bytes | Refusal:
        self._check_building()  # it may have ended while work was done
        self._reply = _Reply()
        self._answered = False
        # Not the layers: a circuit that has ended has none, and only the guard is ever dialled.
        if self.hops_built:
            self.endpoint.mux.control(FrameType.EXTEND, encode_extend(hop.host, hop.port, payload))
            while (region := self.endpoint.mux.next_region()) is not None:
                self.send(region)
        else:
            link = await links.get(hop.node_id, hop.host, hop.port)
            self._check_building()
            self._create(link, payload)
        self.flush()
        answer = await self._reply.get()
        self._reply = None
        self._check_building()  # its end may have come with the answer
        return answer

    def _check_building(self) -> None:
        """Raise CircuitClosed when the circuit has ended: it must not be built any further."""
        if self.state is not CircuitState.BUILDING:
            raise CircuitClosed("The circuit closed while it was being built.")

    def _create(self, link: Link, payload: bytes) -> None:
        self._link = link
        self._circ_id = link.new_circ_id(self._on_cell)
        link.runs[self._circ_id] = self._on_run
        self._header = HEADER.pack(self._circ_id, _RELAY)
        self._send_cell(Command.CREATE, create_body(payload))

    # -- the outlet of the endpoint ------------------------------------------------------------

    def send(self, region: bytes) -> None:
        """Seal one region for the last hop and queue the cell."""
        cell = take_buffer()
        cell.data[_HEAD] = self._header
        self._layers.seal_into(region, cell.body)
        self._enqueue(cell)

    def _send_cell(self, command: Command, body: bytes) -> None:
        cell = CellBuffer()
        HEADER.pack_into(cell.data, 0, self._circ_id, command)
        cell.body[: len(body)] = body
        self._enqueue(cell)

    def _enqueue(self, cell: CellBuffer) -> None:
        if self._link is not None:
            self._link.enqueue(self._queue, cell)
            self.cells_up += 1

    def flush(self) -> None:
        """Push queued cells to the socket."""
        if self._link is not None:
            self._link.flush()

    @property
    def has_room(self) -> bool:
        """True while the link takes more cells without a wait."""
        return self._link is not None and self._link.has_room

    async def wait_room(self) -> None:
        """Wait while the guard's link has more than its share queued."""
        link = self._link
        while link is not None and not link.closed and not link.has_room:
            await link.room.park()
        await trio.lowlevel.checkpoint()

    # -- what arrives --------------------------------------------------------------------------

    def _on_run(self, bodies: Sequence[memoryview]) -> None:
        """RELAY cells that came one after the other."""
        self.cells_down += len(bodies)
        try:
            self.endpoint.deliver_run(self._layers.open_run(bodies))
        except LayerError:
            self.tampered = True
            self._cut()
            self.close("a relay on the path tampered with a cell")
        except ProtocolError:
            self.close("the far end broke the protocol")

    def _on_cell(self, command: int, body: memoryview) -> None:
        if command is _RELAY:
            self._on_run((body,))
        elif command == Command.CREATED and self._reply is not None and not self._layers.hops:
            self._reply.put(parse_created_body(body))
        elif command == Command.DESTROY:
            self._destroyed(parse_destroy(body))
        else:
            self.close("the guard broke the protocol")

    def _destroyed(self, refusal: Refusal) -> None:
        if self._reply is not None and not self._layers.hops and self._link is not None:
            self._link.drop_route(self._circ_id)
            self._reply.put(refusal)
        else:
            self._lost(refusal.reason)

    def _lost(self, reason: DestroyReason) -> None:
        name = reason.name.lower().replace("_", " ")
        self._cut()
        self.close(f"closed by the network ({name})", tell=False)

    def _cut(self) -> None:
        """Something on the path ended the circuit; in use, that is for the guard's account."""
        if self.tampered or (self.state is CircuitState.OPEN and self.endpoint.mux.stream_count):
            self.fault = Fault.BEHIND

    def _on_control(self, event: Control) -> None:
        frame = event.frame
        if frame.type == FrameType.EXTENDED and self._reply is not None:
            self._answered = True
            self._reply.put(bytes(frame.data))
        elif frame.type == FrameType.TRUNCATED and self._reply is not None:
            self._answered = True
            self._reply.put(parse_truncated(frame.data))
        elif frame.type == FrameType.SHAPE and self._agrees(parse_shape(frame.data)):
            self.endpoint.agreed = True
        else:
            raise ProtocolError("a frame came that nobody asked for")

    def _agrees(self, plan: ShapePlan) -> bool:
        """Whether this is the one answer to our SHAPE, unchanged."""
        return self._shape_asked and not self.endpoint.agreed and plan == self.plan

    # -- counts --------------------------------------------------------------------------------

    @property
    def shape_class(self) -> ShapeClass:
        """The class of this circuit's traffic."""
        return self.plan.shape_class

    @property
    def cells(self) -> Cells:
        """Every cell so far, those of the build included."""
        endpoint = self.endpoint
        return Cells(
            self.cells_up, self.cells_down, endpoint.dummy_regions, endpoint.dummy_regions_in
        )

    # -- life ----------------------------------------------------------------------------------

    @property
    def short_path(self) -> list[dict[str, str]]:
        """The hops as role and short id, for the user's own eyes."""
        return [{"role": hop.role, "id": hop.short_id} for hop in self.path]

    def open_stream(self, request: bytes) -> CircuitStream:
        """Open a stream to the last hop. Raises CircuitClosed when the circuit is gone."""
        if self.state is not CircuitState.OPEN:
            raise CircuitClosed("The circuit is closed.")
        self._ask_for_shape()
        self.streams_opened += 1
        if self.used_at is None:
            self.used_at = trio.current_time()
        return self.endpoint.open_stream(request)

    @property
    def dead_link(self) -> Link | None:
        """The link to the guard when it closed or fell silent: all circuits on it go at once."""
        link = self._link
        return link if link is not None and (link.closed or self.endpoint.silent) else None

    async def run(self) -> None:
        """Let cells leave until the circuit closes; closes it when cancelled."""
        try:
            await self.endpoint.run_pump()
            if self.endpoint.silent:
                self._cut()
                self.close("nothing came from the far end for too long")
        finally:
            self.close("the circuit was no longer needed")

    async def aclose(self, reason: str = "finished") -> None:
        """Close after the shaped run has reached its bucket end, however long the ladder."""
        with trio.move_on_after(max(CLOSE_S, self.plan.longest_s)):
            await self.endpoint.wait_quiet()
        self.close(reason)

    def close(self, reason: str, *, tell: bool = True) -> None:
        """Close at once: keys erased, streams cut, the guard told unless the link told us."""
        if self.state is CircuitState.CLOSED:
            return
        self.state = CircuitState.CLOSED
        self.reason = reason
        link = self._link
        if link is not None and not link.closed:
            link.drop_queue(self._queue)
            if tell:
                self._send_cell(Command.DESTROY, bytes([DestroyReason.FINISHED]))
                link.flush()
            link.drop_route(self._circ_id)
        self._layers.erase()
        if self._reply is not None:
            self._reply.put(CircuitClosed("The circuit closed while it was being built."))
        self.endpoint.close()
        self.closed_event.set()

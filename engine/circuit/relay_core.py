"""Every circuit that passes through, or ends at, this node: admission, policy, upkeep, the end.

Owns the circuits' tasks. Decides over CREATE in the order of what a check costs: room, key, work,
replay, handshake. Accounting is by counts without identities.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import trio

from engine.circuit.addresses import AddressPolicy
from engine.circuit.admission import Admission
from engine.circuit.creates import CreateQueue
from engine.circuit.memory import MemoryWatch
from engine.circuit.relay import RelayCircuit, StreamHandler, cells_served
from engine.crypto.hop import CREATE_BYTES, CreateRequest, answer_create
from engine.crypto.replay import HandshakeReplayCache
from engine.errors import HandshakeError, Peer2PromptError, ProtocolError
from engine.limits import Limits
from engine.link.connection import Link
from engine.link.manager import LinkManager
from engine.link.pace import Pace
from engine.link.queues import take_buffer
from engine.wire.cells import HEADER, RECORD_BYTES, Command, DestroyReason
from engine.wire.create import created_body
from engine.wire.refusal import Refusal

MAX_CIRCUITS_PER_LINK = 4_096
MAX_EXTENDING = 64  # circuits of one neighbour that wait for their next hop
MAX_EXTENDING_RELAY = 512
IDLE_TIMEOUT_S = 3_600.0  # a circuit without a cell for this long is destroyed
SWEEP_EVERY_S = 60.0
UPKEEP_EVERY_S = 1.0
QUIET_S = 1.0  # without a cell for so long a circuit may be ended
FAREWELL_S = 1.0  # for DESTROYs to leave
LAG_S = 0.1  # a loop that is later than this is overloaded


@dataclass
class RelayCounters:
    """What a relay tells of itself: counts only."""

    circuits_created: int = 0
    circuits_refused: int = 0
    work_asked: int = 0
    out_of_memory: int = 0
    cells_forward: int = 0
    cells_backward: int = 0
    cells_rejected: int = 0
    cells_served: int = 0  # of circuits that ended here and are closed


class RelayCore:
    """All circuits of a serving node."""

    def __init__(
        self,
        node_id: bytes,
        onion_keys: Callable[[], Mapping[bytes, bytes]],
        *,
        handlers: Mapping[int, StreamHandler],
        address_ok: AddressPolicy,
        on_fault: Callable[[Exception], None],
        limits: Limits | None = None,
        is_relay: Callable[[bytes], bool] = lambda _node_id: False,
        replays: HandshakeReplayCache | None = None,
    ) -> None:
        self.links: LinkManager
        self.handlers = handlers
        self.circuits: dict[int, RelayCircuit] = {}
        self.counters = RelayCounters()
        self.draining = False
        self.limits = limits or Limits()
        self.replays = replays or HandshakeReplayCache()
        rate = self.limits.exit_rate
        self.exit_pace = Pace(rate, self.limits.burst_s) if rate else None
        self.memory = MemoryWatch(self.limits.memory_bytes)
        self._node_id = node_id
        self._onion_keys = onion_keys
        self._address_ok = address_ok
        self._on_fault = on_fault
        self._is_relay = is_relay
        self._extending: Counter[bytes] = Counter()
        self._admission = Admission(self.limits, trio.current_time())
        self._queue = CreateQueue(
            self._answer,
            cpu_share=self.limits.create_cpu_percent / 100,
            flush=lambda: self.links.flush(),
        )
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Own the circuits' tasks until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._queue.run)
                if self.exit_pace is not None:
                    nursery.start_soon(self.exit_pace.run)
                task_status.started()
                await self._keep_up()
        finally:
            self._nursery = None
            for circuit in list(self.circuits.values()):
                circuit.destroy(DestroyReason.HIBERNATING)

    async def _keep_up(self) -> None:
        swept_at = due = trio.current_time()
        while True:
            due = max(due + UPKEEP_EVERY_S, trio.current_time())
            await trio.sleep_until(due)
            now = trio.current_time()
            if now - due > LAG_S or self._queue.pressed:
                self._admission.press(now)
            if self.memory.due(now):
                self.relieve_memory()
            if now - swept_at >= SWEEP_EVERY_S:
                swept_at = now
                self._sweep(now)

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
            self._on_fault(error)

    # -- new circuits --------------------------------------------------------------------------

    def on_create(self, link: Link, circ_id: int, body: memoryview) -> None:
        """A neighbour asks for a new circuit."""
        refusal = self._judge(link, circ_id, body)
        if refusal is not None:
            self._refuse(link, circ_id, refusal)

    def _judge(self, link: Link, circ_id: int, body: memoryview) -> Refusal | None:
        """Why this CREATE is refused; None when it has been answered or waits for its turn."""
        if self.draining:
            return Refusal(DestroyReason.HIBERNATING)
        if len(self.circuits) >= self.limits.circuits or len(link.routes) >= MAX_CIRCUITS_PER_LINK:
            return Refusal(DestroyReason.RESOURCE)
        try:
            request = CreateRequest.parse(bytes(body[:CREATE_BYTES]))
        except HandshakeError:
            return Refusal(DestroyReason.PROTOCOL)
        if request.node_id != self._node_id:
            return Refusal(DestroyReason.IDENTITY)
        if request.onion_public not in self._onion_keys():
            return Refusal(DestroyReason.KEY_EXPIRED)
        now = trio.current_time()
        neighbour = link.peer_node_id
        refusal = self._admission.admit(neighbour, request, now, relay=self._is_relay(neighbour))
        if refusal is None and not self._queue.put(link, circ_id, request):
            self._admission.press(now)
            return Refusal(DestroyReason.RESOURCE)
        return refusal

    def _answer(self, link: Link, circ_id: int, request: CreateRequest) -> None:
        try:
            created, keys = answer_create(request, self._node_id, self._onion_keys(), self.replays)
        except (HandshakeError, ProtocolError):
            self._refuse(link, circ_id, Refusal(DestroyReason.PROTOCOL))
            return
        circuit = RelayCircuit(self, link, circ_id, keys)
        self.circuits[id(circuit)] = circuit
        link.routes[circ_id] = circuit.from_prev
        self.counters.circuits_created += 1
        cell = take_buffer()
        HEADER.pack_into(cell.data, 0, circ_id, Command.CREATED)
        cell.body[:] = created_body(created)
        link.enqueue(circuit.prev_queue, cell)

    def _refuse(self, link: Link, circ_id: int, refusal: Refusal) -> None:
        if refusal.reason is DestroyReason.WORK_NEEDED:
            self.counters.work_asked += 1
        else:
            self.counters.circuits_refused += 1
        link.send_destroy(circ_id, refusal.encode())

    # -- extending -----------------------------------------------------------------------------

    def may_extend(self, circuit: RelayCircuit, node_id: bytes, host: str, port: int) -> bool:
        """Refuse loops (to ourselves, back where the circuit came from) and bad addresses."""
        if node_id in (self._node_id, circuit.prev_link.peer_node_id):
            return False
        return self._address_ok(node_id, host, port)

    def extend_begins(self, circuit: RelayCircuit) -> bool:
        """Count a circuit that waits for its next hop; False when its neighbour has too many."""
        neighbour = circuit.prev_link.peer_node_id
        most = MAX_EXTENDING_RELAY if self._is_relay(neighbour) else MAX_EXTENDING
        if self.draining or self._extending[neighbour] >= most:
            return False
        self._extending[neighbour] += 1
        return True

    def extend_ends(self, circuit: RelayCircuit) -> None:
        """The circuit has its next hop, or will not have one."""
        neighbour = circuit.prev_link.peer_node_id
        self._extending[neighbour] -= 1
        if not self._extending[neighbour]:
            del self._extending[neighbour]

    # -- what it tells -------------------------------------------------------------------------

    @property
    def relayed_bytes(self) -> int:
        """Passed on for others since the start."""
        return (self.counters.cells_forward + self.counters.cells_backward) * RECORD_BYTES

    @property
    def served_bytes(self) -> int:
        """Sent and received as the last hop since the start."""
        ends = (circuit.endpoint for circuit in self.circuits.values())
        alive = sum(cells_served(end) for end in ends if end is not None)
        return (self.counters.cells_served + alive) * RECORD_BYTES

    @property
    def work_bits(self) -> int:
        """The work that every new circuit must bring now; 0 when there is no overload."""
        return self._admission.overload_bits(trio.current_time())

    @property
    def creates_waiting(self) -> int:
        """New circuits that wait for their handshake."""
        return self._queue.waiting

    # -- shutting down -------------------------------------------------------------------------

    async def drain(self) -> None:
        """Take no new circuits, let what is under way come to an end, then end every circuit.

        A shaped run ends at its bucket end; a circuit that is only passed through counts as quiet
        when nothing has come for a while. Cancel it when its time is over, and call `finish`.
        """
        self.draining = True
        for circuit in self.circuits.values():
            circuit.used = False
        quiet_since = trio.current_time()
        while self.circuits and trio.current_time() - quiet_since < QUIET_S:
            await trio.sleep(QUIET_S / 4)
            if any(circuit.busy() for circuit in self.circuits.values()):
                quiet_since = trio.current_time()
        await self.finish()

    async def finish(self) -> None:
        """End every circuit now: neighbours are told, keys erased."""
        self.draining = True
        for circuit in list(self.circuits.values()):
            circuit.destroy(DestroyReason.HIBERNATING)
        self.links.flush()
        with trio.move_on_after(FAREWELL_S):
            while any(link.queued or link.behind for link in self.links.links):
                await trio.sleep(FAREWELL_S / 20)

    # -- upkeep --------------------------------------------------------------------------------

    def _sweep(self, now: float) -> None:
        self._admission.sweep(now)
        for circuit in list(self.circuits.values()):
            if circuit.used:
                circuit.used = False
                circuit.idle_since = now
            elif now - circuit.idle_since > IDLE_TIMEOUT_S:
                circuit.destroy(DestroyReason.TIMEOUT)
        self.links.flush()

    def relieve_memory(self) -> None:
        """Under memory pressure end the circuits (and links) with the oldest queued data first."""
        holders: list[RelayCircuit | Link] = [*self.circuits.values(), *self.links.links]
        for holder in self.memory.look(holders, trio.current_time()):
            self.counters.out_of_memory += 1
            if isinstance(holder, Link):
                holder.close()
            else:
                holder.destroy(DestroyReason.RESOURCE)
        self.links.flush()

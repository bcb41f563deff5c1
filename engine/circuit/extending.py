"""A circuit's next hop at a relay: dial it, ask it for a circuit, tell the client how it went.

The only part of the relay side that waits for another node. Every wait is under one deadline, and
whatever fails leaves no route behind. Where may be dialled is the core's policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from engine.crypto.hop import CreateRequest
from engine.errors import CircuitClosed, ProtocolError
from engine.link.connection import Link
from engine.link.queues import take_buffer
from engine.wire.cells import HEADER, Command, DestroyReason
from engine.wire.create import create_body, parse_extend
from engine.wire.frames import FrameType
from engine.wire.refusal import Refusal

if TYPE_CHECKING:
    from engine.circuit.relay import RelayCircuit

EXTEND_TIMEOUT_S = 15.0
MAX_EXTENDS = 3  # the first, and two that bring the work asked for


class Pending:
    """The slot for the next hop's answer to CREATE: its CREATED, or why there is none."""

    def __init__(self) -> None:
        self._event = trio.Event()
        self._value: bytes | Refusal = Refusal(DestroyReason.CONNECT_FAILED)

    def put(self, value: bytes | Refusal) -> None:
        """The answer; only the first counts."""
        if not self._event.is_set():
            self._value = value
            self._event.set()

    async def get(self) -> bytes | Refusal:
        """Wait for the answer."""
        await self._event.wait()
        return self._value


async def extend(circuit: RelayCircuit, data: bytes) -> None:
    """Serve an EXTEND: afterwards the circuit passes cells on, or the client has TRUNCATED."""
    core = circuit.core
    refusal = Refusal(DestroyReason.RESOURCE)
    if core.extend_begins(circuit):
        try:
            refused = await _extend_in_time(circuit, data)
        finally:
            core.extend_ends(circuit)
        if refused is None:
            return
        refusal = refused
    if circuit.endpoint is not None:
        # Work may be done and brought: only then is another EXTEND taken.
        circuit.extending = refusal.reason is not DestroyReason.WORK_NEEDED
        circuit.endpoint.mux.control(FrameType.TRUNCATED, refusal.encode())
        circuit.endpoint.kick()


async def _extend_in_time(circuit: RelayCircuit, data: bytes) -> Refusal | None:
    with trio.move_on_after(EXTEND_TIMEOUT_S):
        try:
            return await _extend_to(circuit, data)
        except ProtocolError:
            return Refusal(DestroyReason.PROTOCOL)
        except CircuitClosed:
            return Refusal(DestroyReason.CONNECT_FAILED)
    return Refusal(DestroyReason.TIMEOUT)


async def _extend_to(circuit: RelayCircuit, data: bytes) -> Refusal | None:
    request = parse_extend(data)
    node_id = CreateRequest.parse(request.payload).node_id
    core = circuit.core
    if not core.may_extend(circuit, node_id, request.host, request.port):
        return Refusal(DestroyReason.ADDRESS)
    link = await core.links.get(node_id, request.host, request.port)
    if circuit.prev_link.closed or circuit.endpoint is None:
        raise CircuitClosed("The circuit closed.")
    answer = await _create_on(circuit, link, request.payload)
    endpoint = circuit.endpoint
    if endpoint is None:
        raise CircuitClosed("The circuit closed.")
    if isinstance(answer, Refusal):
        return answer
    endpoint.mux.control(FrameType.EXTENDED, answer)
    while (region := endpoint.mux.next_region()) is not None:
        circuit.send(region)
    circuit.forward_to(link)
    return None


async def _create_on(circuit: RelayCircuit, link: Link, payload: bytes) -> bytes | Refusal:
    """CREATE at the next hop; its answer. Leaves no route behind when there is no CREATED."""
    pending = circuit.pending = Pending()
    next_id = circuit.next_id = link.new_circ_id(circuit.from_next)
    circuit.next_header = HEADER.pack(next_id, Command.RELAY)
    cell = take_buffer()
    HEADER.pack_into(cell.data, 0, next_id, Command.CREATE)
    cell.body[:] = create_body(payload)
    link.enqueue(circuit.next_queue, cell)
    link.flush()
    answer: bytes | Refusal = Refusal(DestroyReason.TIMEOUT)
    try:
        answer = await pending.get()
    finally:
        circuit.pending = None
        if isinstance(answer, Refusal) or circuit.endpoint is None:
            link.drop_route(next_id)
            link.drop_queue(circuit.next_queue)
            link.send_destroy(next_id, Refusal(DestroyReason.FINISHED).encode())
            link.flush()
    return answer

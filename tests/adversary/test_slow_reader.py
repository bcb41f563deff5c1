"""Readers that never read: many streams, many circuits, both ends; memory stays flat."""

from __future__ import annotations

import pytest
import trio

from engine.circuit.client import CircuitState, ClientCircuit
from engine.circuit.mux import CIRCUIT_WINDOW, STREAM_WINDOW
from engine.circuit.relay import MAX_QUEUED_CELLS
from engine.circuit.shaping import ShapeClass, ShapePlan
from engine.circuit.stream import SEND_BUFFER, CircuitStream
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.network import LocalNetwork, local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
STREAMS = 16
LOOKS = 5  # in a row at which nothing had moved


async def firehose(stream: CircuitStream, _request: bytes) -> None:
    """An exit that sends without end."""
    stream.accept()
    while True:
        await stream.send_all(bytes(65_536))


async def echo(stream: CircuitStream, _request: bytes) -> None:
    stream.accept()
    while data := await stream.receive_some():
        await stream.send_all(data)


def held(network: LocalNetwork) -> int:
    """Bytes that all relays and the exit keep for all circuits."""
    return sum(
        waiting
        for node in network.nodes
        for circuit in node.core.circuits.values()
        for _name, _gone, waiting in circuit.holdings()
    )


async def settled(network: LocalNetwork, circuit: ClientCircuit) -> int:
    """What is held once nothing moves any more."""
    before, looks = -1, 0
    with trio.fail_after(60):
        while looks < LOOKS:
            looks = looks + 1 if circuit.cells_down == before else 0
            before = circuit.cells_down
            await trio.sleep(0.1)
    return held(network)


async def test_streams_that_are_never_read_stop_their_writers_and_nobody_else() -> None:
    """Pass: a client opens 16 streams to an exit that sends without end and reads none of them.
    The exit stops at the circuit's window, what it and the relays hold does not grow with time and
    is below what the windows allow, and a second circuit through the same nodes answers at once."""
    handlers = {Purpose.SESSION: firehose, Purpose.TCP: echo}
    async with local_network(4, handlers) as network:
        circuit = await network.circuit()
        streams = [circuit.open_stream(SESSION) for _ in range(STREAMS)]
        for stream in streams:
            await stream.wait_connected()
        first = await settled(network, circuit)
        await trio.sleep(0.5)
        assert held(network) == first
        assert first <= STREAMS * (SEND_BUFFER + 65_536) + CIRCUIT_WINDOW
        unread = sum(len(chunk) for stream in streams for chunk in stream._chunks)
        assert unread <= STREAMS * STREAM_WINDOW
        other = await network.circuit()
        live = other.open_stream(encode_begin(Begin(Purpose.TCP, "mint.example", 443)))
        with trio.fail_after(60):
            await live.send_all(b"alive")
            assert await live.receive_some() == b"alive"


async def test_a_client_that_does_not_take_its_shaped_cells_loses_the_circuit() -> None:
    """Pass: the tick goes on sending cells to a client whose link takes none; the exit's circuit
    is ended at the bound, not at the end of its memory."""
    async with local_network(1, {Purpose.SESSION: firehose}) as network:
        plan = ShapePlan(ShapeClass.ALWAYS_ON, 10, (64,))
        circuit = await network.circuit(0, plan=plan)
        circuit.open_stream(SESSION)
        core = network.nodes[0].core
        with trio.fail_after(60):
            (relayed,) = core.circuits.values()
            relayed.prev_link._unsent = memoryview(b"x")
            for _ in range(2 * MAX_QUEUED_CELLS):
                if not core.circuits:
                    break
                relayed.send(b"")
                relayed.flush()
        assert not core.circuits
        assert len(relayed.prev_queue.cells) == 0
        assert relayed.prev_link.queued <= MAX_QUEUED_CELLS


async def test_data_in_single_bytes_costs_no_more_memory_than_its_length() -> None:
    """Pass: a writer that sends one byte to a frame is held in pieces of at least half a KiB:
    forty bytes of objects to each byte would make the windows forty times their size."""
    async with local_network(1, {Purpose.SESSION: echo}) as network:
        circuit = await network.circuit(0)
        stream = circuit.open_stream(SESSION)
        await stream.wait_connected()
        for _ in range(20_000):
            stream.on_data(b"x")
        assert len(stream._chunks) < 20_000 // 512
        assert b"".join(stream._chunks) == b"x" * 20_000
        assert circuit.state is CircuitState.OPEN

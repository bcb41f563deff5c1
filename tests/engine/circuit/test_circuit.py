"""Circuits over real links: build, carry, tear down, and what happens when something breaks."""

from __future__ import annotations

import os

import pytest
import trio
import trio.testing

from engine.circuit.client import CircuitState
from engine.circuit.shaping import ShapeClass, ShapePlan
from engine.circuit.stream import CircuitStream
from engine.crypto.suite import Suite, default_suite
from engine.errors import CircuitClosed
from engine.identity import Identity
from engine.link.manager import LinkManager
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.network import local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))


async def round_trip(stream: CircuitStream, data: bytes) -> bytes:
    """Send and read back through an echo."""
    got = bytearray()

    async def read() -> None:
        while part := await stream.receive_some():
            got.extend(part)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await stream.send_all(data)
        await stream.send_eof()
    return bytes(got)


@pytest.mark.parametrize("suite", list(Suite))
async def test_four_hops_carry_bytes_both_ways(suite: Suite) -> None:
    async with local_network() as network:
        circuit = await network.circuit(suite=suite)
        stream = circuit.open_stream(SESSION)
        data = os.urandom(3_000_000)  # more than two ratchet generations in each direction
        with trio.fail_after(60):
            assert await round_trip(stream, data) == data
        assert circuit.cells_up > 1_400
        assert all(not node.faults for node in network.nodes)


async def test_shorter_circuits_end_at_their_last_relay() -> None:
    async with local_network() as network:
        for places in [(0, 1), (0, 1, 2), (1, 3, 2)]:
            circuit = await network.circuit(*places)
            with trio.fail_after(60):
                assert await round_trip(circuit.open_stream(SESSION), b"hello") == b"hello"


async def test_streams_of_one_circuit_are_independent() -> None:
    async with local_network() as network:
        circuit = await network.circuit()
        silent = circuit.open_stream(SESSION)
        with trio.fail_after(60):
            await silent.wait_connected()
            for text in (b"one", b"two"):
                assert await round_trip(circuit.open_stream(SESSION), text) == text


async def test_an_unknown_purpose_is_refused() -> None:
    async with local_network() as network:
        circuit = await network.circuit()
        stream = circuit.open_stream(encode_begin(Begin(Purpose.TCP, "127.0.0.1", 9)))
        with trio.fail_after(60), pytest.raises(CircuitClosed, match="refused"):
            await stream.wait_connected()


async def test_a_dead_middle_cuts_the_stream_and_is_noticed() -> None:
    async with local_network() as network:
        circuit = await network.circuit()
        stream = circuit.open_stream(SESSION)
        with trio.fail_after(60):
            await stream.wait_connected()
            for link in network.nodes[1].links.links:
                link.close()
            with pytest.raises(CircuitClosed):
                await stream.receive_some()
        assert circuit.state is CircuitState.CLOSED


async def test_closing_a_circuit_clears_every_relay() -> None:
    async with local_network() as network:
        circuit = await network.circuit()
        assert [len(node.core.circuits) for node in network.nodes] == [1, 1, 1, 1]
        circuit.close("done")
        with trio.fail_after(60):
            while any(node.core.circuits for node in network.nodes):
                await trio.sleep(0.01)
        for node in network.nodes:
            assert all(not link.routes for link in node.links.links)


async def test_extending_to_itself_or_back_is_refused() -> None:
    async with local_network() as network:
        for places in [(0, 0), (0, 1, 0), (0, 1, 1)]:
            with pytest.raises(CircuitClosed):
                await network.circuit(*places)


async def test_a_relay_that_is_somebody_else_is_refused() -> None:
    async with local_network() as network:
        real, other = network.nodes[1], network.nodes[2]
        real.port, real.host = other.port, other.host
        with trio.fail_after(60), pytest.raises(CircuitClosed):
            await network.circuit()


async def test_a_relay_without_the_onion_key_is_refused() -> None:
    async with local_network() as network:
        network.nodes[2].keys = network.nodes[1].keys
        with trio.fail_after(60), pytest.raises(CircuitClosed):
            await network.circuit()


async def test_a_shaped_circuit_sends_one_cell_per_tick_until_the_bucket_end() -> None:
    async with local_network() as network:
        plan = ShapePlan(ShapeClass.TEXT, 10, (16, 64))
        circuit = await network.circuit(plan=plan)
        built = circuit.cells_up, circuit.cells_down
        stream = circuit.open_stream(SESSION)
        with trio.fail_after(60):
            assert await round_trip(stream, b"question") == b"question"
            await circuit.endpoint.wait_quiet()
            await trio.sleep(0.3)
        up, down = circuit.cells_up - built[0], circuit.cells_down - built[1]
        assert down in (16, 64)
        assert abs(up - down) <= 2  # the client follows the exit; a busy machine may miss a tick
        assert circuit.endpoint.dummy_regions > 0
        assert 0 < circuit.endpoint.data_regions_in < down


async def test_an_always_on_circuit_runs_from_its_opening_to_its_end() -> None:
    async with local_network() as network:
        circuit = await network.circuit(plan=ShapePlan(ShapeClass.ALWAYS_ON, 10, (16,)))
        with trio.fail_after(60):
            while circuit.endpoint.dummy_regions_in < 20:  # more than its first step, no stream
                await trio.sleep(0.01)
            assert circuit.endpoint.agreed
            assert circuit.endpoint.shaper.running
            assert await round_trip(circuit.open_stream(SESSION), b"hello") == b"hello"
            await circuit.aclose()
        assert circuit.reason == "finished"


async def test_a_reader_that_never_reads_keeps_memory_flat() -> None:
    async def firehose(stream: CircuitStream, _request: bytes) -> None:
        stream.accept()
        while True:
            await stream.send_all(bytes(65_536))

    async with local_network(handlers={Purpose.SESSION: firehose}) as network:
        circuit = await network.circuit()
        stream = circuit.open_stream(SESSION)
        with trio.fail_after(60):
            await stream.wait_connected()
            before = -1
            while circuit.cells_down != before:
                before = circuit.cells_down
                await trio.sleep(0.1)
        assert before < 400
        assert sum(link.queued for node in network.nodes for link in node.links.links) == 0


async def test_a_circuit_that_dies_behind_a_blocked_link_frees_what_it_had_queued() -> None:
    async with local_network() as network:
        circuit = await network.circuit()
        stream = circuit.open_stream(SESSION)
        with trio.fail_after(60):
            await stream.wait_connected()
            guard = network.nodes[0]
            (relayed,) = guard.core.circuits.values()
            onward = relayed.next_link
            assert onward is not None
            onward._unsent = memoryview(b"x")  # as if the next relay did not read
            await stream.send_all(bytes(200_000))
            while onward.queued < 100:
                await trio.sleep(0.01)
            circuit.close("done")
            while guard.core.circuits:
                await trio.sleep(0.01)
        assert onward.queued == 1  # the DESTROY


async def test_a_neighbour_that_sends_noise_loses_its_link_and_nothing_else() -> None:
    async with local_network() as network:
        circuit = await network.circuit()
        stranger = LinkManager(Identity.generate(), default_suite(), on_create=None)
        network.nursery.start_soon(stranger.run)
        await trio.testing.wait_all_tasks_blocked()
        guard = network.nodes[0]
        with trio.fail_after(60):
            link = await stranger.get(guard.identity.node_id, guard.host, guard.port)
            link._sock.send(os.urandom(2_048))
            while not link.closed:
                await trio.sleep(0.01)
            assert await round_trip(circuit.open_stream(SESSION), b"alive") == b"alive"

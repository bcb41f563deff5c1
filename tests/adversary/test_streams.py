"""What the far end of a circuit may not do inside it: frames out of place, windows, floods."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.mux import CIRCUIT_WINDOW, MAX_CONTROL_FRAMES, STREAM_WINDOW, Mux
from engine.circuit.relay import MAX_QUEUED_CELLS
from engine.circuit.shaping import BULK_PLAN
from engine.circuit.stream import CircuitStream
from engine.crypto.hop import CREATE_BYTES
from engine.crypto.suite import default_suite
from engine.errors import CircuitClosed, ProtocolError
from engine.wire.create import encode_extend
from engine.wire.frames import (
    FRAME_HEADER,
    MAX_FRAME_DATA,
    Begin,
    FrameType,
    Purpose,
    encode_begin,
    encode_shape,
)
from engine.wire.shape import ShapeClass, ShapePlan
from tests.helpers.adversaries import DOWN, LinkTap, MaliciousClient, MaliciousExit, exit_at
from tests.helpers.network import LocalNetwork, local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
ACK = struct.Struct(">Q16s")
PLAN = encode_shape(ShapePlan(ShapeClass.TEXT, 100, (8, 16)))


def frame(frame_type: int, stream_id: int, data: bytes = b"") -> bytes:
    """A frame without any check of ours."""
    return FRAME_HEADER.pack(frame_type, stream_id, len(data)) + data


def extend() -> bytes:
    return frame(FrameType.EXTEND, 0, encode_extend("127.0.0.1", 9, bytes(CREATE_BYTES)))


# Stream 1 is open when these are said.
FROM_A_CLIENT = {
    "a stream id used twice": frame(FrameType.BEGIN, 1, SESSION),
    "stream ids that fall": frame(FrameType.BEGIN, 9, SESSION) + frame(FrameType.BEGIN, 5, SESSION),
    "a stream on the circuit's own id": frame(FrameType.BEGIN, 0, SESSION),
    "data for a stream never opened": frame(FrameType.DATA, 40, b"x"),
    "the end of a stream never opened": frame(FrameType.END, 40, b"\0"),
    "data behind the end mark": (
        frame(FrameType.HALF_CLOSE, 1) + frame(FrameType.DATA, 1, b"more")
    ),
    "two end marks": frame(FrameType.HALF_CLOSE, 1) * 2,
    "an acknowledgement of nothing": frame(FrameType.ACK, 0, ACK.pack(1, bytes(16))),
    "a stream's acknowledgement of nothing": frame(FrameType.ACK, 1, ACK.pack(32_768, bytes(16))),
    "an extend under an open stream": extend(),
    "a shape behind the first stream": frame(FrameType.SHAPE, 0, PLAN),
    "a frame of the exit's (connected)": frame(FrameType.CONNECTED, 1),
    "a frame of the exit's (extended)": frame(FrameType.EXTENDED, 0, bytes(1_152)),
    "a frame of the exit's (truncated)": frame(FrameType.TRUNCATED, 0, b"\1"),
    "a frame that does not exist": frame(200, 0),
    "bytes behind the frames": frame(FrameType.DROP, 0) + b"\0covert",
}
FROM_AN_EXIT = {
    "a stream of the exit's": frame(FrameType.BEGIN, 2, SESSION),
    "a stream accepted twice": frame(FrameType.CONNECTED, 1),
    "data for a stream never opened": frame(FrameType.DATA, 40, b"x"),
    "data behind the end mark": (
        frame(FrameType.HALF_CLOSE, 1) + frame(FrameType.DATA, 1, b"more")
    ),
    "an end for no reason there is": frame(FrameType.END, 1, b"\xfe"),
    "an acknowledgement of nothing": frame(FrameType.ACK, 0, ACK.pack(CIRCUIT_WINDOW, bytes(16))),
    "an extended nobody asked for": frame(FrameType.EXTENDED, 0, bytes(1_152)),
    "a truncated nobody asked for": frame(FrameType.TRUNCATED, 0, b"\1"),
    "a shape nobody asked for": frame(FrameType.SHAPE, 0, PLAN),
    "an extend": extend(),
    "a frame that does not exist": frame(200, 0),
    "bytes behind the frames": frame(FrameType.DROP, 0) + b"\0covert",
}


async def idle(stream: CircuitStream, _request: bytes) -> None:
    """Accept, and read nothing."""
    stream.accept()
    await trio.sleep_forever()


async def zeros(stream: CircuitStream, _request: bytes) -> None:
    """As many bytes as anybody can take, all of them known beforehand."""
    stream.accept()
    while True:
        await stream.send_all(bytes(65_536))


async def open_circuit(network: LocalNetwork) -> tuple[ClientCircuit, CircuitStream]:
    circuit = await network.circuit()
    stream = circuit.open_stream(SESSION)
    with trio.fail_after(60):
        await stream.wait_connected()
    return circuit, stream


async def gone(network: LocalNetwork, circuit: ClientCircuit) -> None:
    """The circuit must end at the client and at every hop."""
    with trio.fail_after(60):
        await circuit.closed_event.wait()
        while any(node.core.circuits for node in network.nodes):
            await trio.sleep(0.01)


@pytest.mark.parametrize("what", FROM_A_CLIENT)
async def test_a_client_that_breaks_the_rules_loses_its_circuit(what: str) -> None:
    """Adversary: a client that seals frames out of place. Pass: the exit ends that circuit at
    every hop, reports no fault of its own, and serves the next circuit."""
    async with local_network(2, {Purpose.SESSION: idle}) as network:
        circuit, _stream = await open_circuit(network)
        MaliciousClient.say(circuit, FROM_A_CLIENT[what])
        await gone(network, circuit)
        assert not any(node.faults for node in network.nodes)
        await open_circuit(network)


@pytest.mark.parametrize("what", FROM_AN_EXIT)
async def test_an_exit_that_breaks_the_rules_loses_its_circuit(what: str) -> None:
    """Adversary: an exit that seals frames out of place. Pass: the client closes the circuit, tells
    its stream that it was cut, and uses the next one."""
    kinds = {1: MaliciousExit}
    async with local_network(2, {Purpose.SESSION: idle}, kinds=kinds) as network:
        circuit, stream = await open_circuit(network)
        exit_at(network).say(FROM_AN_EXIT[what])
        await gone(network, circuit)
        with pytest.raises(CircuitClosed):
            await stream.receive_some()
        await open_circuit(network)


# -- windows -------------------------------------------------------------------------------------


async def test_a_client_that_ignores_the_stream_window_is_cut_off() -> None:
    """Adversary: a client that sends more than a window on one stream. Pass: the exit ends the
    circuit; it held one window at most."""
    async with local_network(2, {Purpose.SESSION: idle}) as network:
        circuit, _stream = await open_circuit(network)
        region = frame(FrameType.DATA, 1, bytes(MAX_FRAME_DATA))
        for _ in range(STREAM_WINDOW // MAX_FRAME_DATA + 2):
            MaliciousClient.say(circuit, region)
        await gone(network, circuit)


async def test_many_streams_do_not_multiply_what_an_exit_holds() -> None:
    """Adversary: a client that fills 64 streams which the exit's application does not read. Pass:
    the exit stops acknowledging, an honest sender stops, and what lies unread stays below two
    circuit windows; whoever goes on sending is cut off."""
    async with local_network(2, {Purpose.SESSION: idle}) as network:
        circuit, _stream = await open_circuit(network)
        streams = [circuit.open_stream(SESSION) for _ in range(60)]
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(stream.send_all, bytes(STREAM_WINDOW // 2))
            sent = -1
            while circuit.cells_up != sent:
                sent = circuit.cells_up
                await trio.sleep(0.05)
            nursery.cancel_scope.cancel()
        (at_exit,) = network.nodes[1].core.circuits.values()
        assert at_exit.endpoint is not None
        held = sum(sum(map(len, s._chunks)) for s in at_exit.endpoint._streams.values())
        assert CIRCUIT_WINDOW <= held <= 2 * CIRCUIT_WINDOW
        for _ in range(CIRCUIT_WINDOW // MAX_FRAME_DATA + 2):
            MaliciousClient.say(circuit, frame(FrameType.DATA, 9, bytes(MAX_FRAME_DATA)))
        await gone(network, circuit)


async def test_early_data_for_a_refused_stream_is_not_kept() -> None:
    """Adversary: a client that pours data into streams that the exit refuses. Pass: the exit holds
    nothing of it, and the circuit goes on."""
    async with local_network(2, {Purpose.SESSION: zeros}) as network:
        circuit = await network.circuit()
        refused = encode_begin(Begin(Purpose.TCP, "127.0.0.1", 9))
        for _ in range(20):
            stream = circuit.open_stream(refused)
            with trio.fail_after(60), suppress(CircuitClosed):
                await stream.send_all(bytes(200_000))
                await stream.wait_connected()
                raise AssertionError("the stream was taken")
        stream = circuit.open_stream(SESSION)
        with trio.fail_after(60):
            await stream.receive_some()
        (at_exit,) = network.nodes[1].core.circuits.values()
        assert at_exit.endpoint is not None
        assert at_exit.endpoint.mux._unread == 0


async def test_answers_that_nobody_reads_are_bounded() -> None:
    """Adversary: a client that opens streams beyond the limit and never reads the refusals. Pass:
    the exit gives up the circuit while the refusals that wait are few."""
    exit_ = Mux(initiator=False)
    per_region = 300

    def flood() -> None:
        for first in range(1, 60_000, per_region):
            ids = range(first, first + per_region)
            exit_.receive_region(b"".join(frame(FrameType.BEGIN, n, SESSION) for n in ids))

    with pytest.raises(ProtocolError, match="does not read"):
        flood()
    assert len(exit_._control) <= MAX_CONTROL_FRAMES + per_region
    await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("cheat", ["exit ignores windows", "client acknowledges blindly"])
async def test_a_path_that_is_not_read_does_not_fill_up(cheat: str) -> None:
    """Adversary: a client that stops reading its link and either works with an exit that ignores
    windows, or acknowledges for the circuit what it never read (those totals can be guessed).
    Pass: the guard holds at most MAX_QUEUED_CELLS of the circuit and then ends it."""
    kinds = {2: MaliciousExit}
    async with local_network(3, {Purpose.SESSION: zeros}, kinds=kinds) as network:
        tap, guard, exit_ = LinkTap(), network.nodes[0], exit_at(network)
        exit_.keeps = False
        await network.nursery.start(tap.run, guard)
        path = tap.before(network.path())
        circuit = ClientCircuit(path, default_suite(), "test", BULK_PLAN)
        await circuit.build(network.client_links)
        network.nursery.start_soon(circuit.run)
        for _ in range(60):
            circuit.open_stream(SESSION)
        tap.paused.add(DOWN)
        (at_guard,) = guard.core.circuits.values()
        most = acknowledged = 0
        with trio.fail_after(60):
            while guard.core.circuits:
                most = max(most, len(at_guard.prev_queue.cells))
                if cheat == "exit ignores windows":
                    if exit_.core.circuits:
                        for _ in range(64):
                            exit_.say(frame(FrameType.DATA, 1, bytes(MAX_FRAME_DATA)))
                elif exit_.core.circuits and exit_.circuit.endpoint is not None:
                    sent = exit_.circuit.endpoint.mux._out_total
                    if sent > acknowledged:
                        acknowledged = sent
                        ack = ACK.pack(sent, bytes(16))
                        MaliciousClient.say(circuit, frame(FrameType.ACK, 0, ack))
                await trio.sleep(0.002)
        assert most <= MAX_QUEUED_CELLS + 1

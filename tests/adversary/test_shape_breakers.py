"""Ends that break the agreed shape, and a guard that delays: what the other direction shows."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.shaping import BULK_PLAN, ShapeClass, ShapePlan
from engine.circuit.stream import CircuitStream
from engine.crypto.suite import default_suite
from engine.errors import CircuitClosed
from engine.wire.frames import Begin, FrameType, Purpose, encode_begin, pack_frame
from tests.helpers.adversaries import (
    DOWN,
    UP,
    LinkTap,
    MaliciousExit,
    MaliciousRelay,
    SeenCell,
    exit_at,
    relay_at,
)
from tests.helpers.network import local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
TICK_MS = 20
PLAN = ShapePlan(ShapeClass.TEXT, TICK_MS, (24, 48, 96))
ANSWER = bytes(30_000)


async def answer(stream: CircuitStream, _request: bytes) -> None:
    stream.accept()
    stream.set_busy(True)
    await stream.receive_some()
    await stream.send_all(ANSWER)
    stream.set_busy(False)
    await stream.send_eof()


class Stopwatch:
    """Notes at the guard when the client's cells arrive."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def hook(self, cell: SeenCell) -> Iterable[SeenCell]:
        if cell.layered and cell.forward:
            self.times.append(trio.current_time())
        return (cell,)

    def most_within(self, seconds: float) -> int:
        """The largest number of cells in any stretch of this length."""
        return max(sum(start <= at < start + seconds for at in self.times) for start in self.times)


async def test_an_exit_that_bursts_cannot_make_the_client_burst() -> None:
    """Adversary: an exit that sends bursts of cells between the ticks and asks for runs again and
    again, so that its guard friend sees the client answer. Pass: the client's cells keep to the
    tick: at most one more than the ticks in any half second, whatever comes down."""
    kinds = {0: MaliciousRelay, 2: MaliciousExit}
    async with local_network(3, {Purpose.SESSION: answer}, kinds=kinds) as network:
        watch = Stopwatch()
        exit_ = exit_at(network)
        circuit = await network.circuit(plan=PLAN)
        relay_at(network, 0).arriving = watch.hook
        stream = circuit.open_stream(SESSION)
        await stream.send_all(b"question")
        with trio.move_on_after(1.2):
            while exit_.core.circuits:
                for _ in range(40):
                    exit_.say(pack_frame(FrameType.DROP, 0))
                await trio.sleep(0.07)
        assert len(watch.times) > 10
        assert watch.most_within(0.5) <= 0.5 / (TICK_MS / 1_000) + 2


async def test_an_exit_that_sends_before_the_shape_is_agreed_is_left() -> None:
    """Adversary: an exit that ignores SHAPE and answers at once. Pass: the client closes the
    circuit before it takes a byte, and says so."""
    async with local_network(2, {Purpose.SESSION: answer}, kinds={1: MaliciousExit}) as network:
        circuit = await network.circuit(plan=PLAN)
        exit_ = exit_at(network)
        stream = circuit.open_stream(SESSION)
        exit_.say(
            pack_frame(FrameType.CONNECTED, 1) + pack_frame(FrameType.DATA, 1, b"before the shape")
        )
        with trio.fail_after(60), pytest.raises(CircuitClosed):
            await stream.receive_some()


async def test_an_exit_that_agrees_to_another_shape_is_left() -> None:
    """Adversary: an exit that echoes a weaker shape. Pass: the client closes the circuit."""
    weaker = b"\x00" + bytes(2) + b"\x00"
    async with local_network(2, {Purpose.SESSION: answer}, kinds={1: MaliciousExit}) as network:
        circuit = await network.circuit(plan=PLAN)
        exit_at(network).say(pack_frame(FrameType.SHAPE, 0, weaker))
        with trio.fail_after(60):
            await circuit.closed_event.wait()


@pytest.mark.parametrize("direction", [UP, DOWN])
async def test_a_guard_that_delays_gets_the_same_cells_later(direction: str) -> None:
    """Adversary: a guard that holds back one direction of a link. Pass: the answer arrives whole,
    the client's round trip shows the delay, and nothing else changes: no cell more or less but
    what the clock adds while it waits."""
    async with local_network(3, {Purpose.SESSION: answer}) as network:
        tap = LinkTap()
        await network.nursery.start(tap.run, network.nodes[0])
        counts = []
        for delay_s in (0.0, 0.05):
            tap.delay_s[direction] = delay_s
            before = {way: len(tap.recorded[way]) for way in (UP, DOWN)}
            circuit = ClientCircuit(tap.before(network.path()), default_suite(), "test", BULK_PLAN)
            await circuit.build(network.client_links)
            network.nursery.start_soon(circuit.run)
            stream = circuit.open_stream(SESSION)
            got = b""
            with trio.fail_after(60):
                await stream.send_all(b"question")
                while part := await stream.receive_some():
                    got += part
            assert got == ANSWER
            counts.append(len(tap.recorded[UP]) - before[UP])
            assert circuit.rtt_s is not None
            assert circuit.rtt_s >= delay_s / 2  # less what handshakes took of it
            circuit.close("done")
            for link in network.client_links.links:
                link.close()
            await trio.sleep(0.1)
        assert abs(counts[1] - counts[0]) <= 2 * 2_048

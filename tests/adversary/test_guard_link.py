"""What a tap on the guard link learns: whole records only, and the same counts for any content."""

from __future__ import annotations

import pytest
import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.shaping import ShapeClass, ShapePlan
from engine.circuit.stream import CircuitStream
from engine.crypto.suite import default_suite
from engine.wire.cells import RECORD_BYTES
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.network import local_network
from tests.helpers.tap import Tap

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
PLAN = ShapePlan(ShapeClass.TEXT, 20, (32, 64))


async def answer(stream: CircuitStream, _request: bytes) -> None:
    """A question is two numbers: tokens in the answer, milliseconds between them."""
    stream.accept()
    stream.set_busy(True)
    question = await stream.receive_some()
    tokens, gap_ms = question[0], question[1]
    for _ in range(tokens):
        await trio.sleep(gap_ms / 1_000)
        await stream.send_all(b"token ")
    stream.set_busy(False)
    await stream.send_eof()


async def seen_on_the_wire(question: bytes) -> tuple[Tap, tuple[int, int]]:
    """Ask over a tapped circuit; the tap, and the records (up, down) of the question alone."""
    async with local_network(handlers={Purpose.SESSION: answer}) as network:
        tap = Tap()
        guard = network.nodes[0]
        await network.nursery.start(tap.run, guard.host, guard.port)
        path = tap.in_front_of(network.path())
        circuit = ClientCircuit(path, default_suite(), "test", PLAN)
        await circuit.build(network.client_links)
        network.nursery.start_soon(circuit.run)
        built = tap.counts()
        stream = circuit.open_stream(SESSION)
        stream.set_busy(True)
        await stream.send_all(question)
        with trio.fail_after(60):
            while await stream.receive_some():
                pass
            stream.set_busy(False)
            await circuit.endpoint.wait_quiet()
            exit_circuit = next(iter(network.nodes[-1].core.circuits.values()))
            assert exit_circuit.endpoint is not None
            await exit_circuit.endpoint.wait_quiet()
            await trio.testing.wait_all_tasks_blocked(0.05)
        up, down = tap.counts()
        return tap, ((up - built[0]) // RECORD_BYTES, (down - built[1]) // RECORD_BYTES)


async def test_only_whole_records_cross_the_wire() -> None:
    tap, _ = await seen_on_the_wire(bytes([5, 1]))
    for total in tap.counts():
        assert total % RECORD_BYTES == 0


@pytest.mark.parametrize("question", [bytes([1, 0]), bytes([60, 0]), bytes([10, 5]), bytes([0, 0])])
async def test_answers_of_any_length_and_rhythm_look_the_same(question: bytes) -> None:
    _, counts = await seen_on_the_wire(question)
    up, down = counts
    assert down == 32
    assert abs(up - down) <= 4  # follows the exit's run; a busy machine may miss ticks


async def test_a_longer_answer_ends_on_the_next_step_of_the_ladder() -> None:
    _, (_up, down) = await seen_on_the_wire(bytes([80, 10]))
    assert down % 64 == 0  # a busy machine may need a further step of 64 for it

"""Exhausting a relay's memory: readers that stop, and their innocent neighbours."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
import trio

from engine.circuit.client import CircuitState
from engine.circuit.memory import RELIEVED, MemoryWatch
from engine.circuit.relay import RelayCircuit
from engine.circuit.relay_core import RelayCore
from engine.circuit.stream import CircuitStream
from engine.errors import CircuitClosed
from engine.link.queues import CELL_COST, take_buffer
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.network import local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
BUDGET_CELLS = 400


async def firehose(stream: CircuitStream, _request: bytes) -> None:
    """An exit that sends without end."""
    stream.accept()
    while True:
        await stream.send_all(bytes(16_384))


async def hoard(stream: CircuitStream, _request: bytes) -> None:
    """An exit whose application never reads."""
    stream.accept()
    await trio.sleep_forever()


def stuff(relayed: RelayCircuit, cells: int) -> None:
    """Cells that wait for the client's side, as when it does not read."""
    for _ in range(cells):
        cell = take_buffer()
        cell.data[:8] = bytes(8)  # padding: the client ignores it
        relayed.prev_link.enqueue(relayed.prev_queue, cell)


async def test_the_circuits_of_readers_that_stopped_die_and_the_victims_lives() -> None:
    """Pass: three circuits stop reading one after the other and keep cells queued, one by one
    second after second; a busy circuit that came first has a long queue that moves. When the
    budget is passed, the circuits that stopped go, the longest stopped first, and only as many as
    it takes; the busy one, and one that is idle, stay open."""
    async with local_network(3) as network:
        core = network.nodes[0].core
        core.memory = MemoryWatch(BUDGET_CELLS * CELL_COST)
        busy, idle, *stopped = [await network.circuit() for _ in range(5)]
        ends = list(core.circuits.values())
        now = trio.current_time()
        link = ends[0].prev_link
        link._unsent = memoryview(b"x")  # the client's link takes nothing for a while
        for second in range(12):
            if second % 4 == 0 and second:
                stuff(ends[1 + second // 4], 110)
            stuff(ends[0], 90 - len(ends[0].prev_queue.cells))
            core.memory.look([*core.circuits.values()], now + second)
            for _ in range(60):  # the busy circuit's cells leave
                ends[0].prev_queue.cells.popleft()
            ends[0].prev_queue.taken += 60
            link.queued -= 60
        stuff(ends[4], 110)
        stuff(ends[0], 60)
        doomed = core.memory.look([*core.circuits.values()], now + 12)
        assert doomed == [ends[2]]
        core.memory._ages.looks.clear()
        assert busy.state is idle.state is CircuitState.OPEN
        assert len(stopped) == 3


async def test_a_relay_over_its_budget_ends_circuits_until_it_is_under() -> None:
    """Pass: over real links, the guard's queued cells are over the budget once and under nine
    tenths of it after one look of the policy; the client is told; circuits without queues stay."""
    async with local_network(3) as network:
        core = network.nodes[0].core
        circuits = [await network.circuit() for _ in range(6)]
        ends = list(core.circuits.values())
        core.memory = MemoryWatch(BUDGET_CELLS * CELL_COST)
        link = ends[0].prev_link
        link._unsent = memoryview(b"x")
        for number, relayed in enumerate(ends[:4]):
            stuff(relayed, 150 + number)
        core.relieve_memory()
        queued = sum(len(c.prev_queue.cells) for c in core.circuits.values())
        assert queued <= RELIEVED * BUDGET_CELLS
        assert set(ends) - set(core.circuits.values()) == {ends[2], ends[3]}
        link._unsent = memoryview(b"")
        link.flush()
        with trio.fail_after(60):
            await circuits[3].closed_event.wait()
            await circuits[2].closed_event.wait()
        assert circuits[5].state is CircuitState.OPEN
        assert core.counters.out_of_memory == 2


async def test_unread_streams_at_an_exit_count_and_their_circuit_goes() -> None:
    """Pass: a client fills streams that the exit's application does not read, within the budget;
    later it fills more. It dies when the budget is passed; a circuit next to it whose stream is
    read all the while lives, and what is held is within the budget after."""
    handlers = {Purpose.SESSION: hoard, Purpose.TCP: firehose}
    async with local_network(2, handlers) as network:
        core = network.nodes[1].core
        core.memory = MemoryWatch(1_500_000)
        attacker, victim = await network.circuit(), await network.circuit()
        reading = victim.open_stream(encode_begin(Begin(Purpose.TCP, "mint.example", 443)))
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_push, attacker.open_stream(SESSION))
                await _read_until(reading, core, lambda: core.memory.used > 500_000)
                nursery.start_soon(_push, attacker.open_stream(SESSION))
                nursery.start_soon(_push, attacker.open_stream(SESSION))
                await _read_until(reading, core, lambda: attacker.state is CircuitState.CLOSED)
                nursery.cancel_scope.cancel()
            core.relieve_memory()
        assert core.memory.used <= core.memory.budget
        assert victim.state is CircuitState.OPEN
        assert await reading.receive_some()


async def _read_until(stream: CircuitStream, core: RelayCore, over: Callable[[], bool]) -> None:
    while not over():
        assert await stream.receive_some()
        core.relieve_memory()


async def _push(stream: CircuitStream) -> None:
    with suppress(CircuitClosed):
        while True:
            await stream.send_all(bytes(8_192))

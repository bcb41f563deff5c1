"""The cap on what links write: its rate, turns between links, and who goes first within one."""

from __future__ import annotations

import statistics
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from engine.circuit.stream import CircuitStream
from engine.limits import Limits
from engine.link.pace import Pace
from engine.link.queues import FRESH_CELLS, CellBuffer, CellQueue
from engine.wire.cells import RECORD_BYTES
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.network import AMPLE, LocalNetwork, LocalNode, local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
BULK = encode_begin(Begin(Purpose.TCP, "mint.example", 443))


class FakeLink:
    """A link with cells to send, that notes when they left."""

    def __init__(self, pace: Pace, cells: int, batch: int = 4) -> None:
        self.pace, self.cells, self.batch = pace, cells, batch
        self.sent: list[tuple[float, int]] = []

    def flush(self) -> None:
        if self.pace.open:
            count = min(self.batch, self.cells)
            self.cells -= count
            self.pace.spend(count * RECORD_BYTES)
            self.sent.append((trio.current_time(), count))
        if self.cells:
            self.pace.wait(self)

    def total(self) -> int:
        return sum(count for _when, count in self.sent)


async def test_the_rate_is_kept_in_the_long_run(autojump_clock: MockClock) -> None:
    assert autojump_clock.rate == 0
    pace = Pace(10 * RECORD_BYTES, burst_s=1)
    link = FakeLink(pace, 10_000)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pace.run)
        link.flush()
        await trio.sleep(20)
        nursery.cancel_scope.cancel()
    assert 200 <= link.total() <= 10 * 20 + 10 + link.batch


async def test_links_take_turns(autojump_clock: MockClock) -> None:
    assert autojump_clock.rate == 0
    pace = Pace(10 * RECORD_BYTES, burst_s=1)
    greedy, modest = FakeLink(pace, 10_000, batch=8), FakeLink(pace, 10_000, batch=8)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pace.run)
        greedy.flush()
        modest.flush()
        await trio.sleep(60)
        nursery.cancel_scope.cancel()
    assert abs(greedy.total() - modest.total()) <= 16


async def test_sources_wait_while_it_is_closed_and_go_on(autojump_clock: MockClock) -> None:
    assert autojump_clock.rate == 0
    pace = Pace(RECORD_BYTES, burst_s=1)
    pace.spend(4 * RECORD_BYTES)
    assert not pace.open
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pace.run)
        await pace.wait_open()
        assert 3 <= trio.current_time() - began <= 3.1
        nursery.cancel_scope.cancel()


async def firehose(stream: CircuitStream, _request: bytes) -> None:
    stream.accept()
    while True:
        await stream.send_all(bytes(65_536))


async def echo(stream: CircuitStream, _request: bytes) -> None:
    stream.accept()
    while data := await stream.receive_some():
        await stream.send_all(data)


@asynccontextmanager
async def capped(*, relay_rate: int = 0, exit_rate: int = 0) -> AsyncIterator[LocalNetwork]:
    """A network whose guard has a relay's cap and whose last node an exit's."""
    guard = replace(AMPLE, relay_rate=relay_rate)
    last = replace(AMPLE, exit_rate=exit_rate)
    kinds = {0: _limited(guard), 2: _limited(last)}
    async with local_network(3, {Purpose.SESSION: echo, Purpose.TCP: firehose}, kinds=kinds) as net:
        yield net


def _limited(limits: Limits) -> Callable[..., LocalNode]:
    return partial(LocalNode, limits=limits)


async def _drain(stream: CircuitStream, counts: list[int]) -> None:
    while data := await stream.receive_some():
        counts.append(len(data))


async def test_a_capped_relay_shares_fairly_and_lets_quiet_circuits_through() -> None:
    """Six circuits pull as fast as they can through a guard that may write 1.2 MB/s; a seventh asks
    a byte every now and then. The six get equal shares of the cap, and the seventh is answered in
    a small part of the time that one round of all queues would take."""
    rate = 1_200_000
    async with capped(relay_rate=rate) as network:
        bulk = [await network.circuit() for _ in range(6)]
        quiet = await network.circuit()
        stream = quiet.open_stream(SESSION)
        counts: list[list[int]] = [[] for _ in bulk]
        async with trio.open_nursery() as nursery:
            for circuit, got in zip(bulk, counts, strict=True):
                nursery.start_soon(_drain, circuit.open_stream(BULK), got)
            await trio.sleep(1.5)
            for got in counts:
                got.clear()
            began, waits = trio.current_time(), []
            while trio.current_time() - began < 2:
                asked = trio.current_time()
                await stream.send_all(b"?")
                await stream.receive_some()
                waits.append(trio.current_time() - asked)
                await trio.sleep(0.05)
            elapsed = trio.current_time() - began
            totals = [sum(got) for got in counts]
            nursery.cancel_scope.cancel()
        assert sum(totals) <= rate * (elapsed + 0.5)
        assert min(totals) > 0.6 * max(totals)
        backlog_s = 6 * 500 * RECORD_BYTES / rate  # what waits in the guard's queues, at least
        assert statistics.median(waits) < backlog_s / 10


async def test_a_capped_exit_keeps_its_rate_and_other_relays_do_not_notice() -> None:
    rate = 400_000
    async with capped(exit_rate=rate) as network:
        circuit = await network.circuit()
        got: list[int] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drain, circuit.open_stream(BULK), got)
            await trio.sleep(1.5)
            got.clear()
            began = trio.current_time()
            await trio.sleep(1.5)
            elapsed = trio.current_time() - began
            nursery.cancel_scope.cancel()
        assert 0 < sum(got) <= rate * (elapsed + 0.7)


async def test_a_queue_that_was_dropped_while_it_waited_first_is_no_trouble() -> None:
    async with local_network(2) as network:
        await network.circuit()
        (link,) = network.client_links.links
        full, dropped = CellQueue(), CellQueue()
        link._unsent = memoryview(b"x")
        for queue in (full, dropped):
            for _ in range(3):
                link.enqueue(queue, CellBuffer())
        link.drop_queue(dropped)
        link._unsent = memoryview(b"")
        link.flush()
        assert link.queued == 0
        assert not dropped.ready
        assert not full.ready


async def test_where_a_link_is_behind_who_seldom_sends_goes_first_with_half_of_the_batch() -> None:
    """A hundred busy circuits wait; forty quiet ones come later with a cell each: half of the next
    batch is theirs, the rest of them takes turns with the busy ones, and nothing is lost."""
    async with local_network(2) as network:
        await network.circuit()
        (link,) = network.client_links.links
        link._unsent = memoryview(b"x")
        busy = [CellQueue() for _ in range(100)]
        for queue in busy:
            for _ in range(3):
                link.enqueue(queue, CellBuffer())
        turns = link._turns
        while turns._fresh:  # they have had a turn: they wait like everybody
            turns._ready.append(turns._fresh.popleft())
        quiet = [CellQueue() for _ in range(40)]
        for queue in quiet:
            link.enqueue(queue, CellBuffer())
        first = turns.next_batch()
        assert sum(not queue.cells for queue in quiet) == len(first) // 2 == FRESH_CELLS
        link.queued -= len(first)
        while batch := turns.next_batch():
            link.queued -= len(batch)
        assert link.queued == 0
        assert not any(queue.cells or queue.ready for queue in [*busy, *quiet])
        link._unsent = memoryview(b"")

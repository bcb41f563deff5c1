"""One link over a socket pair: order, turns, a peer that does not read, a peer that cheats."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from engine.crypto.link_cipher import LinkCipher
from engine.crypto.suite import Suite
from engine.errors import LinkError, ProtocolError
from engine.link.connection import Link
from engine.link.queues import BATCH_RECORDS, CellBuffer, CellQueue, take_buffer
from engine.wire.cells import BODY_BYTES, HEADER, RECORD_BYTES, Command, DestroyReason, build_cell
from engine.wire.link import LinkKeys

pytestmark = pytest.mark.trio
CIRC = 0x8000_0001
OTHER = 0x8000_0002


def make_link(sock: socket.socket, send: bytes, recv: bytes, *, initiator: bool) -> Link:
    sock.setblocking(False)
    suite = Suite.AES_256_GCM
    keys = LinkKeys(LinkCipher(suite, send), LinkCipher(suite, recv), b"", b"", suite, b"")
    return Link(sock, keys, initiator=initiator, dirty=set())


class Pair:
    """Ours and the peer's end; `heard` is what the peer's routes were called with."""

    def __init__(self) -> None:
        near, far = socket.socketpair()
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768)
        one, two = os.urandom(32), os.urandom(32)
        self.link = make_link(near, one, two, initiator=True)
        self.peer = make_link(far, two, one, initiator=False)
        self.heard: list[tuple[int, int, bytes]] = []
        for circ_id in (CIRC, OTHER):
            self.peer.routes[circ_id] = self._route(circ_id)

    def _route(self, circ_id: int) -> Callable[[int, memoryview], None]:
        def hear(command: int, body: memoryview) -> None:
            self.heard.append((circ_id, command, bytes(body)))

        return hear

    def queue(self, queue: CellQueue, circ_id: int, number: int) -> None:
        cell = take_buffer()
        HEADER.pack_into(cell.data, 0, circ_id, Command.RELAY)
        cell.body[:] = number.to_bytes(BODY_BYTES, "big")
        self.link.enqueue(queue, cell)

    def numbers(self, circ_id: int) -> list[int]:
        return [
            int.from_bytes(body, "big")
            for heard, command, body in self.heard
            if heard == circ_id and command == Command.RELAY
        ]

    async def wait_heard(self, count: int) -> None:
        with trio.fail_after(60):
            while len(self.heard) < count:
                await trio.sleep(0.005)


@asynccontextmanager
async def pair(*, reading: bool = True) -> AsyncIterator[tuple[Pair, trio.Nursery]]:
    made = Pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.link.run, lambda: None)
        if reading:
            nursery.start_soon(made.peer.run, lambda: None)
        yield made, nursery
        nursery.cancel_scope.cancel()
    made.peer.close()


async def test_a_peer_that_reads_late_gets_everything_in_order() -> None:
    async with pair(reading=False) as (made, nursery):
        queue = CellQueue()
        for number in range(1_000):
            made.queue(queue, CIRC, number)
        made.link.flush()
        await trio.sleep(0.05)
        assert 900 < made.link.queued < 1_000  # the rest waits here, not in the kernel
        assert not made.link.has_room
        nursery.start_soon(made.peer.run, lambda: None)
        await made.wait_heard(1_000)
        assert made.numbers(CIRC) == list(range(1_000))
        assert made.link.queued == 0
        assert made.link.has_room


async def test_whoever_waits_for_room_is_woken_when_a_blocked_link_drains() -> None:
    async with pair(reading=False) as (made, nursery):
        queue = CellQueue()
        for number in range(500):
            made.queue(queue, CIRC, number)
        made.link.flush()
        woken = trio.Event()

        async def wait() -> None:
            while not made.link.has_room:
                await made.link.room.park()
            woken.set()

        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert not woken.is_set()
        nursery.start_soon(made.peer.run, lambda: None)
        with trio.fail_after(60):
            await woken.wait()


async def test_a_quiet_circuit_does_not_wait_behind_a_busy_one() -> None:
    async with pair(reading=False) as (made, nursery):
        busy, quiet = CellQueue(), CellQueue()
        for number in range(800):
            made.queue(busy, CIRC, number)
        made.link.flush()
        await trio.testing.wait_all_tasks_blocked()
        before = made.link.records_out
        made.queue(quiet, OTHER, 7)
        nursery.start_soon(made.peer.run, lambda: None)
        await made.wait_heard(801)
        place = [heard for heard, _, _ in made.heard].index(OTHER)
        assert before <= place <= before + 1
        assert made.numbers(CIRC) == list(range(800))


async def test_two_busy_circuits_take_turns() -> None:
    async with pair() as (made, _):
        one, two = CellQueue(), CellQueue()
        for number in range(100):
            made.queue(one, CIRC, number)
        for number in range(100):
            made.queue(two, OTHER, number)
        made.link.flush()
        await made.wait_heard(200)
        order = [heard for heard, _, _ in made.heard]
        assert abs(order[:BATCH_RECORDS].count(CIRC) - order[:BATCH_RECORDS].count(OTHER)) <= 1
        assert made.numbers(CIRC) == made.numbers(OTHER) == list(range(100))


async def test_a_circuit_torn_down_leaves_only_its_destroy() -> None:
    async with pair(reading=False) as (made, nursery):
        dead, alive = CellQueue(), CellQueue()
        for number in range(300):
            made.queue(dead, CIRC, number)
        made.link.flush()
        await trio.testing.wait_all_tasks_blocked()
        sent = made.link.records_out
        for number in range(5):
            made.queue(alive, OTHER, number)
        made.link.drop_queue(dead)
        assert made.link.queued == 5
        cell = CellBuffer()
        HEADER.pack_into(cell.data, 0, CIRC, Command.DESTROY)
        cell.body[0] = DestroyReason.REQUESTED
        made.link.enqueue(dead, cell)
        nursery.start_soon(made.peer.run, lambda: None)
        await made.wait_heard(sent + 6)
        assert made.numbers(OTHER) == list(range(5))
        circuit = [(command, body) for heard, command, body in made.heard if heard == CIRC]
        assert len(circuit) == sent + 1
        # A buffer that was used before would tell the neighbour what it carried then.
        assert circuit[-1] == (
            Command.DESTROY,
            bytes([DestroyReason.REQUESTED]) + bytes(BODY_BYTES - 1),
        )


@pytest.mark.parametrize("piece", [1_000, RECORD_BYTES - 1, RECORD_BYTES + 1, 50_001])
async def test_records_cut_anywhere_are_put_together(piece: int) -> None:
    made = Pair()
    far = made.link._sock
    cipher = made.link._send
    stream = bytearray()
    for number in range(100):
        record = memoryview(bytearray(RECORD_BYTES))
        body = number.to_bytes(BODY_BYTES, "big")
        cipher.seal_into(build_cell(CIRC, Command.RELAY, body), record)
        stream += record
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.peer.run, lambda: None)
        left = memoryview(bytes(stream))
        while left:
            try:
                left = left[far.send(left[:piece]) :]
            except BlockingIOError:
                await trio.sleep(0.001)
            await trio.lowlevel.checkpoint()
        await made.wait_heard(100)
        nursery.cancel_scope.cancel()
    made.link.close()
    assert made.numbers(CIRC) == list(range(100))


async def test_an_altered_record_ends_the_link_and_its_circuits() -> None:
    made = Pair()
    record = memoryview(bytearray(RECORD_BYTES))
    made.link._send.seal_into(build_cell(CIRC, Command.RELAY, b"x"), record)
    record[100] ^= 1
    made.link._sock.send(record)
    with pytest.raises(LinkError):
        await made.peer.run(lambda: None)
    assert made.peer.closed
    assert {(circ_id, command) for circ_id, command, _ in made.heard} == {
        (CIRC, Command.DESTROY),
        (OTHER, Command.DESTROY),
    }
    made.link.close()


@pytest.mark.parametrize(
    ("circ_id", "word"),
    [(CIRC, 9 << 24), (CIRC, (Command.RELAY << 24) | 1), (0, Command.RELAY << 24), (CIRC, 0)],
)
async def test_a_malformed_header_ends_the_link(circ_id: int, word: int) -> None:
    made = Pair()
    cell = circ_id.to_bytes(4, "big") + word.to_bytes(4, "big") + bytes(BODY_BYTES)
    record = memoryview(bytearray(RECORD_BYTES))
    made.link._send.seal_into(cell, record)
    made.link._sock.send(record)
    with pytest.raises(ProtocolError):
        await made.peer.run(lambda: None)
    assert made.peer.closed
    made.link.close()


async def test_cells_for_no_circuit_and_padding_are_ignored() -> None:
    async with pair() as (made, _):
        queue = CellQueue()
        made.queue(queue, CIRC + 50, 1)
        padding = CellBuffer()
        HEADER.pack_into(padding.data, 0, 0, Command.PADDING)
        made.link.enqueue(queue, padding)
        made.queue(queue, CIRC, 2)
        made.link.flush()
        await made.wait_heard(1)
        assert made.heard == [(CIRC, Command.RELAY, (2).to_bytes(BODY_BYTES, "big"))]
        assert made.peer.records_in == 3


async def test_closing_a_link_that_is_blocked_or_busy_ends_it_quietly() -> None:
    made = Pair()
    queue = CellQueue()
    for number in range(500):
        made.queue(queue, CIRC, number)
    made.link.flush()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(made.link.run, lambda: None)
        nursery.start_soon(made.peer.run, made.peer.close)  # closes while it handles a batch
        await trio.testing.wait_all_tasks_blocked()
        made.link.close()
    assert made.link.queued == 0


async def test_cells_that_follow_each_other_on_a_circuit_are_handed_on_as_runs() -> None:
    """In order, not across another circuit's cell, and only while the circuit is routed."""
    async with pair(reading=False) as (made, nursery):
        runs: list[list[int]] = []

        def take(bodies: Sequence[memoryview]) -> None:
            runs.append([int.from_bytes(body, "big") for body in bodies])
            if len(runs) == 2:
                made.peer.drop_route(CIRC)

        made.peer.runs[CIRC] = take
        for first in (0, 4, 8):
            for number in range(first, first + 4):
                made.queue(CellQueue(), CIRC, number)
            made.queue(CellQueue(), OTHER, first)
            made.link.flush()
        nursery.start_soon(made.peer.run, lambda: None)
        await made.wait_heard(3)
        assert runs == [[0, 1, 2, 3], [4, 5, 6, 7]]
        assert made.numbers(OTHER) == [0, 4, 8]
        assert made.numbers(CIRC) == []

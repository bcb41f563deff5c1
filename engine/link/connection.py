"""One authenticated link to a neighbour: records in, cells out, and nothing else.

Owns its socket. Every write is a whole number of equal records; every read is handled in batches
in shared buffers, because at 2 KiB a system call and a task switch cost more than the cryptography.
Which cell leaves next is the business of `engine.link.queues`; what a cell means is not known here.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import trio

from engine.errors import LinkError, ProtocolError
from engine.link.queues import BATCH_RECORDS, CellBuffer, CellQueue, Holding, Turns, give_back
from engine.link.readiness import serve_readable, stop_serving
from engine.wire.cells import (
    BODY_BYTES,
    CELL_BYTES,
    HEADER,
    INITIATOR_BIT,
    LINK_CIRC_ID,
    RECORD_BYTES,
    Command,
    DestroyReason,
    parse_header,
)

if TYPE_CHECKING:
    from engine.link.pace import Pace
    from engine.wire.link import LinkKeys

BATCH_BYTES = BATCH_RECORDS * RECORD_BYTES
ROUNDS_PER_TURN = 8  # batches handled before other links and tasks get a turn
QUEUE_LOW_CELLS = 64  # a source of cells goes on when its link has fewer queued
STALL_S = 120.0  # a neighbour that takes nothing for so long, with cells waiting, is gone
ID_ATTEMPTS = 64  # a link uses some thousand ids of two thousand million
MAX_DESTROYS_QUEUED = 4_096  # more is a neighbour that asks, and does not read the answers


def _views(count: int, size: int) -> tuple[memoryview, tuple[memoryview, ...]]:
    """A buffer of `count` times `size` bytes, and its parts."""
    whole = memoryview(bytearray(count * size))
    return whole, tuple(whole[at : at + size] for at in range(0, count * size, size))


# Handling of a batch never awaits, so one buffer of each kind serves all links of the process.
# Cutting a view costs as much as a third of an AES call, so all views are cut once.
_RECV, _RECORDS = _views(BATCH_RECORDS, RECORD_BYTES)
_SEAL, _SLOTS = _views(BATCH_RECORDS, RECORD_BYTES)
_PLAIN, _CELLS = _views(BATCH_RECORDS, CELL_BYTES)
_BODIES = tuple(cell[HEADER.size :] for cell in _CELLS)
_RELAY = Command.RELAY  # members of an enum class are slow to look up
_RELAY_WORD = _RELAY << 24  # the command and three zero bytes
# The headers of a batch, each as one number: [n] reads n of them.
_HEADS = tuple(struct.Struct(f">{f'Q{BODY_BYTES}x' * n}") for n in range(BATCH_RECORDS + 1))

Route = Callable[[int, memoryview], None]
"""Takes (command, body); the body is only valid during the call."""

RunRoute = Callable[[Sequence[memoryview]], None]
"""Takes the bodies of RELAY cells that came one after the other; valid during the call alone."""


class Link:
    """An open link. `routes` maps circuit ids to whoever handles their cells; `runs`, for circuits
    that take several RELAY cells at once, to who handles those. `drop_route` ends both."""

    def __init__(
        self,
        sock: socket.socket,
        keys: LinkKeys,
        *,
        initiator: bool,
        dirty: set[Link],
        on_create: Callable[[Link, int, memoryview], None] | None = None,
        on_padding: Callable[[Link], None] | None = None,
        on_link_cell: Mapping[Command, Callable[[Link, memoryview], None]] | None = None,
        pace: Pace | None = None,
        peer_host: str = "",
    ) -> None:
        self.peer_node_id = keys.peer_node_id
        self.peer_host = peer_host  # literal; empty when it cannot be told
        self.initiator = initiator
        self.routes: dict[int, Route] = {}
        self.runs: dict[int, RunRoute] = {}
        self.closed = False
        self.queued = 0
        self.records_in = 0
        self.records_out = 0
        self.padding_in = 0
        self.padding_out = 0
        self.room = trio.lowlevel.ParkingLot()
        self._sock = sock
        self._send = keys.send
        self._recv = keys.recv
        self._dirty = dirty
        self._on_create = on_create
        self._on_padding = on_padding
        self._padding = CellQueue()
        # Not a copy, and not replaced when it is empty: services may come after the link.
        self._on_link_cell = {} if on_link_cell is None else on_link_cell
        self._pace = pace
        self._turns = Turns()
        self._destroys = CellQueue()
        self._unsent = memoryview(b"")
        self._partial = b""  # the beginning of a record whose rest has not come
        self._after_batch: Callable[[], None] = self.flush
        self._writer = trio.lowlevel.ParkingLot()
        self._seen = (0, 0)  # records in and out at the last look
        self._moved_at = trio.current_time()

    # -- circuits on this link -----------------------------------------------------------------

    def new_circ_id(self, route: Route) -> int:
        """Reserve a circuit id of ours (the top bit tells whose it is) and route it."""
        top = INITIATOR_BIT if self.initiator else 0
        for _ in range(ID_ATTEMPTS):
            # At random: counted up, an id would tell how many circuits the link has carried.
            low = int.from_bytes(os.urandom(4)) & (INITIATOR_BIT - 1)
            circ_id = top | low
            if low and circ_id not in self.routes:
                self.routes[circ_id] = route
                return circ_id
        raise LinkError("this link carries no more circuits")

    def drop_route(self, circ_id: int) -> None:
        """Nobody handles the cells of this circuit any more; the id is free."""
        self.routes.pop(circ_id, None)
        self.runs.pop(circ_id, None)

    def peer_may_choose(self, circ_id: int) -> bool:
        """True when `circ_id` lies in the half of the ids that belongs to the peer."""
        return circ_id != LINK_CIRC_ID and bool(circ_id & INITIATOR_BIT) != self.initiator

    # -- sending -------------------------------------------------------------------------------

    def enqueue(self, queue: CellQueue, cell: CellBuffer) -> None:
        """Queue a whole cell, header included; `flush` sends it. The buffer is given away."""
        if self.closed:
            return
        if not queue.cells:
            self._wait_turn(queue)
        queue.cells.append(cell)
        self.queued += 1

    def enqueue_run(self, queue: CellQueue, run: list[CellBuffer]) -> None:
        """`enqueue` for several cells of one circuit."""
        if self.closed:
            return
        if not queue.cells:
            self._wait_turn(queue)
        queue.cells.extend(run)
        self.queued += len(run)

    def _wait_turn(self, queue: CellQueue) -> None:
        """The queue's first cell comes: it takes part in the turns from now on."""
        if not queue.ready:
            self._turns.join(queue, behind=bool(self._unsent) or self._pace is not None)
            self._dirty.add(self)

    def pad(self) -> None:
        """Send a PADDING cell, unless cells wait to be sent anyway."""
        if self.closed or self.queued or self._unsent:
            return
        self.padding_out += 1
        self.enqueue(self._padding, CellBuffer())  # circuit 0, command 0, zeros
        self.flush()

    def send_destroy(self, circ_id: int, refusal: bytes) -> None:
        """Queue a DESTROY with `refusal` at the head of its body.

        They share a queue of the link's own, because their circuits are gone.
        """
        cell = CellBuffer()
        HEADER.pack_into(cell.data, 0, circ_id, Command.DESTROY)
        cell.body[: len(refusal)] = refusal
        self.enqueue(self._destroys, cell)
        if len(self._destroys.cells) > MAX_DESTROYS_QUEUED:
            self.close()

    def holdings(self) -> Iterable[Holding]:
        """The cells of the link's own that wait; those of circuits are the circuits'."""
        return (self._destroys.holding("destroys"),)

    @property
    def behind(self) -> bool:
        """True while sealed records wait for the socket."""
        return bool(self._unsent) and not self.closed

    @property
    def has_room(self) -> bool:
        """True while a source of cells may queue more."""
        return self.queued < QUEUE_LOW_CELLS and not self.closed

    def drop_queue(self, queue: CellQueue) -> None:
        """Forget the cells of a circuit that died."""
        if not self.closed:
            self.queued -= len(queue.cells)
        queue.cells.clear()

    def flush(self) -> None:
        """Send as much as the socket takes, without waiting; the writer task sends the rest."""
        if self._unsent or self.closed:
            return
        if self._pace is not None:
            self._flush_paced(self._pace)
            return
        while self.queued and (count := self._seal_batch()):
            if not self._send_now(_SEAL[: count * RECORD_BYTES]):
                return
        if self.queued < QUEUE_LOW_CELLS and self.room:
            self.room.unpark_all()

    def _flush_paced(self, pace: Pace) -> None:
        """`flush` under a cap: a batch at a time, in turns with the other links."""
        if self.queued and pace.open and (count := self._seal_batch()):
            pace.spend(count * RECORD_BYTES)
            if not self._send_now(_SEAL[: count * RECORD_BYTES]):
                return
        if self.queued:
            pace.wait(self)
        if self.queued < QUEUE_LOW_CELLS and self.room:
            self.room.unpark_all()

    def _seal_batch(self) -> int:
        """Seal the next batch, one cell of each waiting circuit in turn; returns its records."""
        batch = self._turns.next_batch()
        count = len(batch)
        if count:
            if count == 1:  # a cell on an idle link: the least that must be done
                self._send.seal_into(batch[0].data, _SLOTS[0])
            else:
                self._send.seal_batch([cell.data for cell in batch], _SLOTS)
            give_back(batch)
            self.queued -= count
            self.records_out += count
        return count

    def _send_now(self, data: memoryview) -> bool:
        """Send without waiting; what is left is copied aside and the writer task woken."""
        sent = 0
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return False
        if sent == len(data):
            return True
        self._unsent = memoryview(bytes(data[sent:]))
        self._writer.unpark_all()
        return False

    async def _write_loop(self) -> None:
        while not self.closed:
            if not self._unsent:
                await self._writer.park()
                continue
            try:
                await trio.lowlevel.wait_writable(self._sock)
            except trio.ClosedResourceError:
                return
            data, self._unsent = self._unsent, memoryview(b"")
            if self._send_now(data):
                self.flush()

    # -- receiving -----------------------------------------------------------------------------

    async def run(self, after_batch: Callable[[], None]) -> None:
        """Serve the link until it breaks or `close` is called.

        `after_batch` is called when a batch of records has been handled, to flush every link that
        the handlers put cells on. Raises ProtocolError when the peer broke the protocol.
        """
        self._after_batch = after_batch
        broken: ProtocolError | None = None
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write_loop)
                try:
                    await serve_readable(self._sock, self._read)
                except ProtocolError as error:
                    broken = error  # raised below: out of a nursery it would come as a group
                nursery.cancel_scope.cancel()
        finally:
            self.close()
        if broken is not None:
            raise broken

    def _read(self) -> bool:
        """Read and handle what the socket holds, a few batches at most; False when it is over."""
        for _ in range(ROUNDS_PER_TURN):
            partial = self._partial
            have = len(partial)
            if have:
                _RECV[:have] = partial
            try:
                got = self._sock.recv_into(_RECV[have:] if have else _RECV)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if got == 0:
                return False
            self._partial = self._handle(have + got)
            self._after_batch()
            if self.closed:
                return False
            if have + got < BATCH_BYTES:
                return True  # the socket is empty: asking it again would be a call for nothing
        return True

    def _handle(self, available: int) -> bytes:
        """Open and dispatch every whole record in the shared buffer; returns what is left over."""
        count, left = divmod(available, RECORD_BYTES)
        if count == 1:
            self._recv.open_into(_RECORDS[0], _CELLS[0])
        else:
            self._recv.open_batch(_RECORDS[:count], _CELLS)
        self.records_in += count
        heads = _HEADS[count].unpack_from(_PLAIN)
        at = 0
        while at < count:
            at = self._dispatch(heads, at)
            if self.closed:
                return b""
        return bytes(_RECV[available - left : available]) if left else b""

    def _dispatch(self, heads: tuple[int, ...], at: int) -> int:
        """Hand on cell `at` of the batch, with those that follow on the same circuit if it takes
        runs; returns the index of the first cell that was not handed on."""
        head = heads[at]
        circ_id = head >> 32
        route = self.routes.get(circ_id)
        end = at + 1
        if head & 0xFFFF_FFFF != _RELAY_WORD or route is None:
            self._handle_other(_CELLS[at], _BODIES[at], route)
            return end
        count = len(heads)
        if end < count and heads[end] == head and (take_run := self.runs.get(circ_id)) is not None:
            while end < count and heads[end] == head:
                end += 1
            take_run(_BODIES[at:end])
            return end
        route(_RELAY, _BODIES[at])
        return end

    def _handle_other(self, cell: memoryview, body: memoryview, route: Route | None) -> None:
        """Any cell that is not a circuit's traffic; the strict parser decides what it is."""
        circ_id, command = parse_header(cell)
        if route is not None:
            route(command, body)
        elif command is Command.CREATE and self._on_create is not None:
            if not self.peer_may_choose(circ_id):
                raise ProtocolError("a neighbour chose a circuit id that is not its own")
            self._on_create(self, circ_id, body)
        elif command is Command.PADDING:
            self.padding_in += 1
            if self.padding_in == 1 and self._on_padding is not None:
                self._on_padding(self)
        elif (handler := self._on_link_cell.get(command)) is not None:
            handler(self, body)
        # Cells of the link that nobody here serves, and cells of a circuit that has just
        # been destroyed (they may still be on the way) are ignored.

    # -- the end -------------------------------------------------------------------------------

    def looks_dead(self, now: float, *, idle_s: float) -> bool:
        """True for a link on which nothing moved for too long: with cells waiting to be sent, or
        with no circuit on it. Asked now and then; padding counts as moving."""
        seen = (self.records_in, self.records_out)
        stuck = bool(self._unsent)
        if seen[1] != self._seen[1] or (seen != self._seen and not stuck):
            self._seen, self._moved_at = seen, now
        if stuck:
            return now - self._moved_at > STALL_S
        return not self.routes and now - self._moved_at > idle_s

    def close(self) -> None:
        """Close the socket and tell every circuit on the link that it is gone."""
        if self.closed:
            return
        self.closed = True
        stop_serving(self._sock)
        with contextlib.suppress(OSError):
            self._sock.close()
        self._writer.unpark_all()
        self.room.unpark_all()
        self._turns.clear()
        self.queued = 0
        body = memoryview(bytes([DestroyReason.CONNECT_FAILED]))
        for route in list(self.routes.values()):
            route(Command.DESTROY, body)
        self.routes.clear()
        self.runs.clear()
        self._send.erase()
        self._recv.erase()

"""One authenticated link to a neighbour: records in, cells out, and nothing else.

Owns its socket. Every write is a whole number of equal records; every read is handled in batches
in shared buffers, because at 2 KiB a system call and a task switch cost more than the cryptography.
Cells wait per circuit and leave round-robin, so one busy circuit cannot starve another. This module
knows nothing of what a cell means.
"""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import trio

from engine.errors import LinkError, ProtocolError
from engine.wire.cells import (
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
    from engine.wire.link import LinkKeys

BATCH_RECORDS = 32  # 64 KiB per system call: beyond that batches stop paying
ROUNDS_PER_CHECKPOINT = 8  # batches handled before other tasks get a turn
QUEUE_LOW_CELLS = 64  # a source of cells goes on when its link has fewer queued

# Handling of a batch never awaits, so one buffer of each kind serves all links of the process.
_RECV = memoryview(bytearray((BATCH_RECORDS + 1) * RECORD_BYTES))
_SEAL = memoryview(bytearray(BATCH_RECORDS * RECORD_BYTES))
_CELL = memoryview(bytearray(CELL_BYTES))
_BODY = _CELL[HEADER.size :]

Route = Callable[[int, memoryview], None]
"""Takes (command, body); the body is only valid during the call."""


class CellQueue:
    """Cells of one circuit waiting on one link."""

    __slots__ = ("cells", "ready", "since")

    def __init__(self) -> None:
        self.cells: deque[bytearray] = deque()
        self.ready = False
        self.since = 0.0  # when the oldest cell came, for the out-of-memory policy


class Link:
    """An open link. `routes` maps circuit ids to whoever handles their cells."""

    def __init__(
        self,
        sock: socket.socket,
        keys: LinkKeys,
        *,
        initiator: bool,
        dirty: set[Link],
        on_create: Callable[[Link, int, memoryview], None] | None = None,
    ) -> None:
        self.peer_node_id = keys.peer_node_id
        self.initiator = initiator
        self.routes: dict[int, Route] = {}
        self.closed = False
        self.queued = 0
        self.records_in = 0
        self.records_out = 0
        self.room = trio.lowlevel.ParkingLot()
        self._sock = sock
        self._send = keys.send
        self._recv = keys.recv
        self._dirty = dirty
        self._on_create = on_create
        self._ready: deque[CellQueue] = deque()
        self._unsent = memoryview(b"")
        self._writer = trio.lowlevel.ParkingLot()
        self._next_circ = 0

    # -- circuits on this link -----------------------------------------------------------------

    def new_circ_id(self, route: Route) -> int:
        """Reserve a circuit id of ours (the top bit tells whose it is) and route it."""
        top = INITIATOR_BIT if self.initiator else 0
        for _ in range(INITIATOR_BIT - 1):
            self._next_circ = self._next_circ % (INITIATOR_BIT - 1) + 1
            circ_id = top | self._next_circ
            if circ_id not in self.routes:
                self.routes[circ_id] = route
                return circ_id
        raise LinkError("this link carries no more circuits")

    def peer_may_choose(self, circ_id: int) -> bool:
        """True when `circ_id` lies in the half of the ids that belongs to the peer."""
        return circ_id != LINK_CIRC_ID and bool(circ_id & INITIATOR_BIT) != self.initiator

    # -- sending -------------------------------------------------------------------------------

    def enqueue(self, queue: CellQueue, cell: bytearray) -> None:
        """Queue a whole cell (CELL_BYTES, header included); `flush` sends it."""
        if self.closed:
            return
        if not queue.cells:
            queue.since = trio.current_time()
        queue.cells.append(cell)
        self.queued += 1
        if not queue.ready:
            queue.ready = True
            self._ready.append(queue)
            self._dirty.add(self)

    @property
    def has_room(self) -> bool:
        """True while a source of cells may queue more."""
        return self.queued < QUEUE_LOW_CELLS

    def drop_queue(self, queue: CellQueue) -> None:
        """Forget the cells of a circuit that died."""
        self.queued -= len(queue.cells)
        queue.cells.clear()

    def flush(self) -> None:
        """Send as much as the socket takes, without waiting; the writer task sends the rest."""
        if self._unsent or self.closed:
            return
        while count := self._seal_batch():
            if not self._send_now(_SEAL[: count * RECORD_BYTES]):
                return
        if self.queued < QUEUE_LOW_CELLS and self.room:
            self.room.unpark_all()

    def _seal_batch(self) -> int:
        count = 0
        ready, seal = self._ready, self._send.seal_into
        while ready and count < BATCH_RECORDS:
            queue = ready.popleft()
            cells = queue.cells
            if not cells:
                queue.ready = False
                continue
            offset = count * RECORD_BYTES
            seal(cells.popleft(), _SEAL[offset : offset + RECORD_BYTES])
            count += 1
            if cells:
                ready.append(queue)
            else:
                queue.ready = False
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
            await trio.lowlevel.wait_writable(self._sock)
            data, self._unsent = self._unsent, memoryview(b"")
            if self._send_now(data):
                self.flush()

    # -- receiving -----------------------------------------------------------------------------

    async def run(self, after_batch: Callable[[], None]) -> None:
        """Serve the link until it breaks or `close` is called.

        `after_batch` is called when a batch of records has been handled, to flush every link that
        the handlers put cells on. Raises LinkError on a record that does not verify.
        """
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write_loop)
                await self._read_loop(after_batch)
                nursery.cancel_scope.cancel()
        finally:
            self.close()

    async def _read_loop(self, after_batch: Callable[[], None]) -> None:
        sock = self._sock
        partial = b""
        rounds = 0
        while not self.closed:
            have = len(partial)
            _RECV[:have] = partial
            try:
                got = sock.recv_into(_RECV[have:])
            except BlockingIOError:
                rounds = 0
                try:
                    await trio.lowlevel.wait_readable(sock)
                except trio.ClosedResourceError:
                    return
                continue
            except OSError:
                return
            if got == 0:
                return
            partial = self._handle(have + got)
            after_batch()
            rounds += 1
            if rounds >= ROUNDS_PER_CHECKPOINT:
                rounds = 0
                await trio.lowlevel.checkpoint()

    def _handle(self, available: int) -> bytes:
        """Open and dispatch every whole record in the shared buffer; returns what is left over."""
        whole = available - available % RECORD_BYTES
        open_into, routes = self._recv.open_into, self.routes
        for offset in range(0, whole, RECORD_BYTES):
            open_into(_RECV[offset : offset + RECORD_BYTES], _CELL)
            circ_id, command = parse_header(_CELL)
            route = routes.get(circ_id)
            if route is not None:
                route(command, _BODY)
            else:
                self._handle_unrouted(circ_id, command)
            if self.closed:
                return b""
        self.records_in += whole // RECORD_BYTES
        return bytes(_RECV[whole:available])

    def _handle_unrouted(self, circ_id: int, command: int) -> None:
        if command == Command.CREATE and self._on_create is not None:
            if not self.peer_may_choose(circ_id):
                raise ProtocolError("a neighbour chose a circuit id that is not its own")
            self._on_create(self, circ_id, _BODY)
        # Padding is for the link alone, and cells of a circuit that has just been destroyed may
        # still be on the way: both are ignored.

    # -- the end -------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the socket and tell every circuit on the link that it is gone."""
        if self.closed:
            return
        self.closed = True
        trio.lowlevel.notify_closing(self._sock)
        with contextlib.suppress(OSError):
            self._sock.close()
        self._writer.unpark_all()
        self.room.unpark_all()
        self._ready.clear()
        self.queued = 0
        body = memoryview(bytes([DestroyReason.CONNECT_FAILED]))
        for route in list(self.routes.values()):
            route(Command.DESTROY, body)
        self.routes.clear()
        self._send.erase()
        self._recv.erase()

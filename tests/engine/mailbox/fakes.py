"""Links that keep what is put on them, for tests without sockets."""

from __future__ import annotations

from typing import cast

import trio

from engine.errors import CircuitClosed
from engine.link.connection import Link
from engine.link.manager import LinkManager
from engine.link.queues import CellBuffer, CellQueue
from engine.wire.cells import HEADER_BYTES, parse_header


class FakeLink:
    """Takes cells; `stuck` leaves them in their queue."""

    def __init__(self) -> None:
        self.closed = False
        self.stuck = False
        self.has_room = True
        self.room = trio.lowlevel.ParkingLot()
        self.bodies: list[tuple[float, bytes]] = []

    def enqueue(self, queue: CellQueue, cell: CellBuffer) -> None:
        assert parse_header(cell.data) == (0, 5)
        if self.stuck:
            queue.cells.append(cell)
        else:
            self.bodies.append((trio.current_time(), bytes(cell.data[HEADER_BYTES:])))

    def flush(self) -> None:
        """Nothing waits."""

    @property
    def link(self) -> Link:
        return cast("Link", self)


class FakeLinks:
    """Relays that can be dialled, and those that are."""

    def __init__(self) -> None:
        self.open: dict[bytes, FakeLink] = {}
        self.reachable: dict[bytes, FakeLink] = {}
        self.dial_s = 1.0
        self.dials = 0

    def find(self, node_id: bytes) -> FakeLink | None:
        return self.open.get(node_id)

    async def get(self, node_id: bytes, _host: str, _port: int) -> FakeLink:
        if node_id in self.open:
            return self.open[node_id]
        self.dials += 1
        await trio.sleep(self.dial_s)
        if node_id not in self.reachable:
            raise CircuitClosed("A relay could not be reached.")
        self.open[node_id] = self.reachable[node_id]
        return self.open[node_id]

    def flush(self) -> None:
        """Nothing waits."""

    @property
    def manager(self) -> LinkManager:
        return cast("LinkManager", self)

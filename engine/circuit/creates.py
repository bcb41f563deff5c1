"""The queue before the hop handshake: so much of it at a time that cells keep moving.

A CREATE that was admitted is answered at once while the handshakes of late have cost less than
their share of the processor; otherwise it waits, neighbours take turns, and a task answers a few
between two turns of the event loop. What a CREATE means is the core's business.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import trio

from engine.bucket import Bucket
from engine.crypto.hop import CreateRequest
from engine.link.connection import Link
from engine.wire.cells import Command

MAX_WAITING = 512  # over all neighbours: half a second at a quarter of a core
MAX_WAITING_PER_LINK = 64
PER_TURN = 2  # handshakes between two turns of the loop: a quarter of a millisecond
BURST_S = 0.005  # of processor time that handshakes may take at once


@dataclass(eq=False, slots=True)
class Waiting:
    """A CREATE that waits; a DESTROY in the meantime cancels it."""

    link: Link
    circ_id: int
    request: CreateRequest
    cancelled: bool = False

    def on_cell(self, command: int, _body: memoryview) -> None:
        """Whatever comes for this circuit id before it is a circuit ends it."""
        self.cancelled = True
        self.link.routes.pop(self.circ_id, None)
        if command != Command.DESTROY:
            self.link.close()  # nothing may be sent before CREATED


class CreateQueue:
    """Answers CREATEs within a share of the processor."""

    def __init__(
        self,
        answer: Callable[[Link, int, CreateRequest], None],
        *,
        cpu_share: float,
        flush: Callable[[], None],
        cpu_clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self.waiting = 0
        self._answer = answer
        self._flush = flush
        self._cpu_clock = cpu_clock
        self._budget = Bucket(cpu_share, BURST_S, trio.current_time())
        self._queues: dict[Link, deque[Waiting]] = {}
        self._wake = trio.lowlevel.ParkingLot()

    @property
    def pressed(self) -> bool:
        """True when half of the places are taken."""
        return self.waiting > MAX_WAITING // 2

    def put(self, link: Link, circ_id: int, request: CreateRequest) -> bool:
        """Answer now or later; False when there is no place in the queue."""
        if not self.waiting and self._budget.wait_s(trio.current_time()) == 0:
            self._run(link, circ_id, request)
            return True
        queue = self._queues.get(link, deque())
        if self.waiting >= MAX_WAITING or len(queue) >= MAX_WAITING_PER_LINK:
            return False
        entry = Waiting(link, circ_id, request)
        queue.append(entry)
        self._queues[link] = queue
        link.routes[circ_id] = entry.on_cell
        self.waiting += 1
        self._wake.unpark()
        return True

    async def run(self) -> None:
        """Answer what waits until cancelled."""
        while True:
            while not self.waiting:
                await self._wake.park()
            await trio.sleep(self._budget.wait_s(trio.current_time()))
            for _ in range(PER_TURN):
                entry = self._next()
                if entry is None:
                    break
                if not entry.cancelled and not entry.link.closed:
                    del entry.link.routes[entry.circ_id]
                    self._run(entry.link, entry.circ_id, entry.request)
            self._flush()

    def _run(self, link: Link, circ_id: int, request: CreateRequest) -> None:
        began = self._cpu_clock()
        self._answer(link, circ_id, request)
        self._budget.charge(trio.current_time(), self._cpu_clock() - began)

    def _next(self) -> Waiting | None:
        """The next CREATE: one of each neighbour in turn."""
        if not self.waiting:
            return None
        link, queue = next(iter(self._queues.items()))
        entry = queue.popleft()
        del self._queues[link]
        if queue:
            self._queues[link] = queue  # to the back of the row
        self.waiting -= 1
        return entry

"""Packets that arrive at a relay: found by their slot, layered, held a while, passed on or boxed.

Nothing is ever answered: an unknown, used or expired handle, a flood and a full queue all look the
same from outside, and are only counted. Knows nothing of who registered a slot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random, SystemRandom
from weakref import WeakKeyDictionary

import trio

from engine.crypto.packets import layer
from engine.errors import CircuitClosed, ProtocolError
from engine.link.connection import Link
from engine.mailbox.boxes import BoxTable
from engine.mailbox.hold import Held, HoldQueue
from engine.mailbox.outlet import PacketOutlet
from engine.mailbox.pace import ACCEPT_BURST, ACCEPT_RATE, TokenBucket
from engine.mailbox.slots import NextRelay, SlotTable, Used
from engine.wire.packet import packet_body, parse_packet_body

MAX_DIALS = 64  # next relays being dialled at once
MAX_WAITING = 1_024  # packets that wait for a relay to be dialled
SWEEP_EVERY_S = 30.0
RETRY_S, MAX_TRIES = 0.25, 40  # a slow link has ten seconds to take a packet


@dataclass
class PacketCounters:
    """What a relay tells of its packets: counts only."""

    passed: int = 0
    boxed: int = 0
    dropped_unknown: int = 0  # no such slot: never was, used or expired
    dropped_flood: int = 0  # more than the link may send
    dropped_full: int = 0  # no room to hold, dial or queue
    dropped_unreachable: int = 0

    @property
    def dropped(self) -> int:
        """Everything that did not go on."""
        flood = self.dropped_flood + self.dropped_full
        return self.dropped_unknown + flood + self.dropped_unreachable


class PacketPlane:
    """The packets of one relay."""

    def __init__(
        self,
        outlet: PacketOutlet,
        slots: SlotTable,
        boxes: BoxTable,
        *,
        hold_s: float,
        rng: Random | None = None,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        self.counters = PacketCounters()
        self.hold = HoldQueue(hold_s, rng or SystemRandom())
        self._outlet = outlet
        self._slots = slots
        self._boxes = boxes
        self._clock = clock
        self._buckets: WeakKeyDictionary[Link, TokenBucket] = WeakKeyDictionary()
        self._wake = trio.lowlevel.ParkingLot()
        self._dialling: dict[bytes, list[Held]] = {}
        self._waiting = 0
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Let held packets go when they are due, and erase what expired, until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._sweep)
                task_status.started()
                await self._release()
        finally:
            self._nursery = None

    # -- what arrives --------------------------------------------------------------------------

    def on_packet(self, link: Link, body: memoryview) -> None:
        """A PACKET cell came over `link`. Never waits, never raises, never answers."""
        now = self._clock()
        bucket = self._buckets.get(link)
        if bucket is None:
            bucket = self._buckets[link] = TokenBucket(ACCEPT_RATE, ACCEPT_BURST, now)
        if not bucket.take(now):
            self.counters.dropped_flood += 1
            return
        handle, payload = parse_packet_body(body)
        used = self._slots.use(handle, now)
        if used is None:
            self.counters.dropped_unknown += 1
            return
        self._take(used, handle, layer(used.key, payload), now)

    def _take(self, used: Used, handle: bytes, payload: bytes, now: float) -> None:
        if used.onward is None:
            if self._boxes.deposit(used.tag, used.place, handle, payload):
                self.counters.boxed += 1
            else:
                self.counters.dropped_unknown += 1
        elif self.hold.add(Held(used.onward, packet_body(used.next_handle, payload)), now):
            self._wake.unpark()
        else:
            self.counters.dropped_full += 1

    # -- what leaves ---------------------------------------------------------------------------

    async def _release(self) -> None:
        while True:
            due = self.hold.next_due()
            with trio.move_on_at(float("inf") if due is None else due):
                await self._wake.park()
            for held in self.hold.take(self._clock()):
                self._pass_on(held)
            self._outlet.links.flush()

    def _pass_on(self, held: Held) -> None:
        link = self._outlet.links.find(held.onward.node_id)
        if link is None:
            self._wait_for_link(held)
        else:
            self._put_on(link, held)

    def _put_on(self, link: Link, held: Held) -> None:
        if not held.paced and (wait_s := self._outlet.reserve(link)) > 0:
            self._put_back(replace(held, paced=True), wait_s)
        elif self._outlet.send(link, held.body):
            self.counters.passed += 1
        elif link.closed:
            self.counters.dropped_unreachable += 1
        elif held.tries < MAX_TRIES:
            self._put_back(replace(held, paced=True, tries=held.tries + 1), RETRY_S)
        else:
            self.counters.dropped_full += 1

    def _put_back(self, held: Held, wait_s: float) -> None:
        self.hold.put_back(held, self._clock() + wait_s)
        self._wake.unpark()

    def _wait_for_link(self, held: Held) -> None:
        """Let the packet wait while its relay is dialled, once for all that go there."""
        node_id = held.onward.node_id
        waiting = self._dialling.get(node_id)
        if self._waiting >= MAX_WAITING or (waiting is None and len(self._dialling) >= MAX_DIALS):
            self.counters.dropped_full += 1
            return
        self._waiting += 1
        if waiting is not None:
            waiting.append(held)
        elif self._nursery is not None:
            self._dialling[node_id] = [held]
            self._nursery.start_soon(self._dial, held.onward)

    async def _dial(self, onward: NextRelay) -> None:
        links = self._outlet.links
        try:
            link: Link | None = await links.get(onward.node_id, onward.host, onward.port)
        except (CircuitClosed, ProtocolError):
            link = None
        packets = self._dialling.pop(onward.node_id)
        self._waiting -= len(packets)
        if link is None:
            self.counters.dropped_unreachable += len(packets)
            return
        for held in packets:
            self._put_on(link, held)
        links.flush()

    async def _sweep(self) -> None:
        while True:
            await trio.sleep(SWEEP_EVERY_S)
            now = self._clock()
            self._slots.expire(now)
            self._boxes.expire(now)

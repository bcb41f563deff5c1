"""Puts PACKET cells on links, at a pace every neighbour accepts. Shared by a node's roles.

Packets of one link wait in one queue, which takes turns with the link's circuits.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import trio

from engine.link.connection import Link
from engine.link.manager import LinkManager
from engine.link.queues import CellQueue, take_buffer
from engine.mailbox.pace import SEND_BURST, SEND_RATE, TokenBucket
from engine.wire.cells import HEADER, LINK_CIRC_ID, Command

MAX_QUEUED = 256  # packets on one link; with the pace above it a link that stands still is dead
_HEADER = HEADER.pack(LINK_CIRC_ID, Command.PACKET)
_HEAD = slice(0, HEADER.size)


class _Lane:
    """One link's queue and bucket."""

    __slots__ = ("bucket", "queue")

    def __init__(self, now: float) -> None:
        self.queue = CellQueue()
        self.bucket = TokenBucket(SEND_RATE, SEND_BURST, now)


class PacketOutlet:
    """The way out for packets."""

    def __init__(self, links: LinkManager) -> None:
        self.links = links
        self._lanes: WeakKeyDictionary[Link, _Lane] = WeakKeyDictionary()

    def reserve(self, link: Link) -> float:
        """Claim the next moment at which a packet may leave on `link`: seconds from now."""
        return self._lane(link).bucket.reserve(trio.current_time())

    def send(self, link: Link, body: bytes) -> bool:
        """Queue a packet, without flushing; False when the link takes no more."""
        lane = self._lane(link)
        if link.closed or len(lane.queue.cells) >= MAX_QUEUED:
            return False
        cell = take_buffer()
        cell.data[_HEAD] = _HEADER
        cell.body[:] = body
        link.enqueue(lane.queue, cell)
        return True

    def _lane(self, link: Link) -> _Lane:
        lane = self._lanes.get(link)
        if lane is None:
            lane = self._lanes[link] = _Lane(trio.current_time())
        return lane

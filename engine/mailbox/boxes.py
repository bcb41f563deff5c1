"""Boxes at a relay: packets that wait for their owner, under a name that only the owner knows.

Sans-IO, `now` in seconds of any steady clock. A box reserves its whole size when it is made, so a
full relay refuses new boxes and never evicts one. In memory only. docs/protocol.md, "Boxes".
"""

from __future__ import annotations

from engine.crypto.packets import PACKET_BYTES
from engine.mailbox.deadlines import Deadlines
from engine.mailbox.slots import NoRoom, Taken
from engine.wire.mailbox import has
from engine.wire.packet import packet_body


class _Box:
    """Packets by the place of the slot they came through."""

    __slots__ = ("cells", "packets")

    def __init__(self, cells: int) -> None:
        self.cells = cells
        self.packets: dict[int, tuple[bytes, bytes]] = {}


class BoxTable:
    """Every box of a relay, bounded by the packets they may hold together."""

    def __init__(self, max_bytes: int) -> None:
        self._max_cells = max_bytes // PACKET_BYTES
        self._reserved = 0
        self._boxes: dict[bytes, _Box] = {}
        self._deadlines = Deadlines()

    def __len__(self) -> int:
        return len(self._boxes)

    @property
    def packets(self) -> int:
        """Packets held now."""
        return sum(len(box.packets) for box in self._boxes.values())

    @property
    def fill(self) -> float:
        """The share of the memory that is promised to boxes, from 0 to 1."""
        return self._reserved / self._max_cells if self._max_cells else 1.0

    def create(self, tag: bytes, cells: int, ttl_s: float, now: float) -> None:
        """Make a box for `cells` packets. Raises NoRoom or Taken."""
        self.expire(now)
        if self._reserved + cells > self._max_cells:
            raise NoRoom
        if tag in self._boxes:
            raise Taken
        self._boxes[tag] = _Box(cells)
        self._reserved += cells
        self._deadlines.set(tag, now + ttl_s)

    def deposit(self, tag: bytes, place: int, handle: bytes, payload: bytes) -> bool:
        """Put a packet in a box; False when the box is gone or the place is taken."""
        box = self._boxes.get(tag)
        if box is None or place >= box.cells or place in box.packets:
            return False
        box.packets[place] = (handle, payload)
        return True

    def read(self, tag: bytes, have: bytes, limit: int, now: float) -> list[bytes]:
        """Up to `limit` packet bodies that are not in `have`, lowest place first; none for a box
        that does not exist. Nothing is removed: the owner may lose the answer."""
        self.expire(now)
        box = self._boxes.get(tag)
        if box is None:
            return []
        places = [place for place in sorted(box.packets) if not has(have, place)]
        return [packet_body(*box.packets[place]) for place in places[:limit]]

    def discard(self, tag: bytes) -> None:
        """Erase a box and what is in it."""
        box = self._boxes.pop(tag, None)
        if box is not None:
            self._reserved -= box.cells
            self._deadlines.withdraw(tag)

    def expire(self, now: float) -> None:
        """Erase every box whose time is over."""
        for tag in self._deadlines.due(now):
            self.discard(tag)

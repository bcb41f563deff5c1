"""Padding of idle links: when a PADDING cell leaves, and on which links.

Collectors of flow records (NetFlow and its kin) close a flow after some ten seconds of silence, so
on a bare link the records tell when its user was active. A link that never rests that long is one
flow from opening to closing. A padded link sends a cell after 1.5 to 9.5 seconds of silence, the
range that Tor chose for the same purpose (padding-spec, section 2), drawn anew each time.

Who pads: a client on the links it dials, and whoever hears padding answers with its own on that
link, so nothing is negotiated and a guard need not know who is a client. Links between relays are
not padded unless the operator wants it: they carry many clients at once, so the record of their
flows says little of any one, and the cost would grow with the square of the network.

The hot path knows nothing of this: one task looks at the record counters of its links.
"""

from __future__ import annotations

import enum
import heapq
from random import Random, SystemRandom
from typing import Protocol

import trio

LOOK_S = (0.75, 4.75)
"""Seconds between two looks at a link. A cell leaves at the first look that finds nothing sent
since the one before, so silence lasts the sum of two draws at most: 1.5 to 9.5 s when idle. An idle
link costs a record for every two looks in each direction: 2,048 B in 5.5 s on average."""
GRAIN_S = 0.25  # looks that fall due within it are made together


class Padding(enum.Enum):
    """Whose padding a link manager's links carry."""

    OFF = "off"
    ANSWER = "answer"
    DIAL = "dial"


class PaddedLink(Protocol):
    """What the schedule needs of a link."""

    closed: bool
    records_out: int

    def pad(self) -> None:
        """Send a PADDING cell, unless cells wait."""


class IdlePadding:
    """The looks at every padded link. Sans-IO but for `run`."""

    def __init__(self, rng: Random | None = None, look_s: tuple[float, float] = LOOK_S) -> None:
        self._rng = rng or SystemRandom()
        self._look_s = look_s
        self._heap: list[tuple[float, int, int, PaddedLink]] = []
        self._added = 0
        self._wake = trio.lowlevel.ParkingLot()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, link: PaddedLink, now: float) -> None:
        """Pad `link` from now on."""
        self._added += 1
        self._push(link, now, self._added, link.records_out)
        self._wake.unpark_all()

    def look(self, now: float) -> None:
        """Make the looks that are due."""
        while self._heap and self._heap[0][0] <= now:
            _due, number, seen, link = heapq.heappop(self._heap)
            if link.closed:
                continue
            sent = link.records_out
            if sent == seen:
                link.pad()
            self._push(link, now, number, sent)

    def _push(self, link: PaddedLink, now: float, number: int, seen: int) -> None:
        due = now + self._rng.uniform(*self._look_s)
        heapq.heappush(self._heap, (due, number, seen, link))

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            if not self._heap:
                await self._wake.park()
            due = self._heap[0][0]
            await trio.sleep(max(GRAIN_S, due - trio.current_time()))
            self.look(trio.current_time())

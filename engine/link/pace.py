"""A cap on how fast links write, for all links of a role together.

Cells that may not leave yet stay in their circuits' queues, where they take turns (a circuit that
rarely sends, such as a shaped one, goes first). Links take turns too, a batch each. Without a cap
none of this exists.
"""

from __future__ import annotations

from typing import Protocol

import trio

from engine.bucket import Bucket

LEAST_S = 0.001  # less than this is no wait


class Paced(Protocol):
    """A link, as far as its pace goes."""

    def flush(self) -> None:
        """Send a batch, and come back through `Pace.wait` when more is queued."""


class Pace:
    """So many bytes a second, `burst_s` seconds' worth at once."""

    def __init__(self, rate: int, burst_s: float) -> None:
        self.room = trio.lowlevel.ParkingLot()  # sources of cells wait here
        self._bucket = Bucket(rate, rate * burst_s, trio.current_time())
        self._waiting: dict[Paced, None] = {}
        self._wake = trio.lowlevel.ParkingLot()

    @property
    def open(self) -> bool:
        """True while more may be sent now."""
        return self._bucket.wait_s(trio.current_time()) < LEAST_S

    def spend(self, count: int) -> None:
        """So many bytes leave now."""
        self._bucket.charge(trio.current_time(), count)

    def wait(self, link: Paced) -> None:
        """Have `link` flushed when it is its turn."""
        self._waiting.setdefault(link)
        self._wake.unpark()

    async def wait_open(self) -> None:
        """Return when more may be sent."""
        while not self.open:
            self._wake.unpark()
            await self.room.park()

    async def run(self) -> None:
        """Let the links that wait have their turns, until cancelled."""
        while True:
            if not self._waiting and not self.room:
                await self._wake.park()
            await trio.sleep(max(LEAST_S, self._bucket.wait_s(trio.current_time())))
            if self.open:
                self.room.unpark_all()
            for link in list(self._waiting):
                if not self.open:
                    break
                del self._waiting[link]
                link.flush()

"""Keeps ways back ready for the answers of one session: two pickups over different relays.

Prepared in the background once the session is open, renewed before they expire and after use. In a
network too small for two there is one, or none: then an answer survives a lost circuit only while
the client is there to ask for the rest.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import trio

from engine.errors import CircuitClosed, NoRoute
from engine.market.seams import Mailboxes, Pickup
from engine.market.signal import Signal

COPIES = 2
START_S = 1.0
"""Nothing is prepared before a new session has had this long for its first question."""
MARGIN_S = 900.0
"""A pickup with less life than this left is replaced."""
RETRY_S = (5.0, 30.0, 120.0, 600.0)
CHECK_S = 60.0
BYTES_PER_TOKEN = 5
"""Longer than a token is on average; a letter that is too long is cut, not lost."""
ROOM_BYTES = 2_048
"""For the bill, its receipt and the frames around the text."""
CELL_BYTES = 1_900
MAX_CELLS = 64


def cells_for(tokens: int) -> int:
    """Packets for the letter of an answer of at most so many tokens."""
    size = tokens * BYTES_PER_TOKEN + ROOM_BYTES
    return min(MAX_CELLS, -(-size // CELL_BYTES))


class PickupShelf:
    """The pickups of one session."""

    def __init__(
        self,
        boxes: Mailboxes,
        ghost: bytes,
        cells: int,
        *,
        now: Callable[[], float] = time.time,
        quiet: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
    ) -> None:
        self._quiet = quiet
        self._boxes = boxes
        self._ghost = ghost
        self._cells = cells
        self._now = now
        self._pickups: tuple[Pickup, ...] = ()
        self._worn: list[Pickup] = []
        self._failures = 0
        self._changed = Signal()

    def __repr__(self) -> str:
        return f"PickupShelf(ready={len(self._pickups)})"

    @property
    def pickups(self) -> tuple[Pickup, ...]:
        """What is ready now."""
        return self._pickups

    async def ready(self) -> tuple[Pickup, ...]:
        """One or two pickups; waits while there are none."""
        while not self._pickups:
            await self._changed.changed_since(self._changed.version)
        return self._pickups

    def wear_out(self) -> None:
        """The pickups may have been used: they are discarded and others prepared."""
        self._worn += self._pickups
        self._pickups = ()
        self._changed.notify()

    async def run(self) -> None:
        """Keep pickups ready until cancelled."""
        await trio.sleep(START_S)
        while True:
            await self._tidy()
            full = await self._fill()
            version = self._changed.version
            pause = CHECK_S if full else RETRY_S[min(self._failures, len(RETRY_S)) - 1]
            with trio.move_on_after(pause):
                await self._changed.changed_since(version)
                await self._quiet()  # replacing at an answer's end would show the guard that end

    async def clear(self) -> None:
        """The session is over: nothing of it stays at any relay."""
        self.wear_out()
        while self._worn:
            await self._discard(self._worn.pop())

    async def _tidy(self) -> None:
        if any(pickup.expires - self._now() < MARGIN_S for pickup in self._pickups):
            self._worn += self._pickups
            self._pickups = ()
        while self._worn:
            await self._discard(self._worn.pop())

    async def _discard(self, pickup: Pickup) -> None:
        try:
            await self._boxes.discard(pickup)
        except (NoRoute, CircuitClosed):
            return  # it expires by itself

    async def _fill(self) -> bool:
        """Prepare what is missing; false when something still is."""
        made = list(self._pickups)
        try:
            while len(made) < COPIES:
                made.append(await self._boxes.prepare(self._cells, self._ghost, made))
        except (NoRoute, CircuitClosed):
            self._failures += 1
            return False
        finally:
            self._pickups = tuple(made)
            self._changed.notify()
        self._failures = 0
        return True

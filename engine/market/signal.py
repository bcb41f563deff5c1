"""A wake-up for one or more waiting tasks that cannot be lost. Wraps trio; holds no state of ours.

`version` is read before looking at the state, and `changed_since` waits only when nothing happened
since: so there is no gap between looking and waiting.
"""

from __future__ import annotations

import trio


class Signal:
    """Tells tasks that something they look at has changed."""

    __slots__ = ("_lot", "version")

    def __init__(self) -> None:
        self._lot = trio.lowlevel.ParkingLot()
        self.version = 0

    def notify(self) -> None:
        self.version += 1
        self._lot.unpark_all()

    async def changed_since(self, version: int) -> None:
        """Return at once when `notify` was called since `version` was read, else at the next."""
        if self.version != version:
            await trio.lowlevel.checkpoint()
            return
        await self._lot.park()

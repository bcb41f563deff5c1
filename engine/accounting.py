"""Feeds the accounts from the roles of a node, and keeps the rounded totals in the store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import trio

from engine.accounts import Accounts
from engine.control.protocol.circuits import DayTraffic
from engine.enduring import unless_full
from wallet.store import Store

NOTE_EVERY_S = 60.0
SAVE_EVERY_S = 3_600.0
_PLACE = ("node", "totals")  # in the store


Totals = Callable[[], tuple[Mapping[str, int], int]]
"""Tells bytes by role and circuits made, since the start."""


class Accounting:
    """The accounts of a running node; without a store they live as long as it does."""

    def __init__(self, store: Store | None, saved: bytes | None, totals: Totals) -> None:
        self._accounts = Accounts(saved)
        self._store = store
        self._totals = totals

    @classmethod
    async def open(cls, store: Store | None, totals: Totals) -> Accounting:
        """Go on from what is in the store."""
        saved = await store.get_secret(*_PLACE) if store is not None else None
        return cls(store, saved, totals)

    def days(self) -> list[DayTraffic]:
        """The days so far, this one up to now."""
        self._note()
        return [DayTraffic(day.day, day.mib, day.circuits) for day in self._accounts.days()]

    async def run(self) -> None:
        """Count until cancelled."""
        while True:
            until = trio.current_time() + SAVE_EVERY_S
            while trio.current_time() < until:
                await trio.sleep(NOTE_EVERY_S)
                self._note()
            await self.keep()

    async def keep(self) -> None:
        """Save the totals now, where they are to be kept."""
        self._note()
        store = self._store
        if store is not None:
            await unless_full(lambda: store.put_secret(*_PLACE, self._accounts.dump()))

    def _note(self) -> None:
        day = time.strftime("%Y-%m-%d", time.gmtime())
        self._accounts.note(day, *self._totals())

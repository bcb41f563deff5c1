"""What hidden test questions may cost in a day, written down before it is spent.

Days are UTC. A process that dies between setting aside and settling has spent what it set aside.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol

KEY = "market.probes"
DAY_S = 86_400
MSAT = 1_000


class SettingsBook(Protocol):
    """Small texts by name, as the store keeps them."""

    async def get(self, key: str, default: str | None = None) -> str | None: ...
    async def set(self, key: str, value: str) -> None: ...


class ProbePurse:
    """One day's money for test questions, in msat."""

    def __init__(self, book: SettingsBook, sat_per_day: int, now: Callable[[], float]) -> None:
        self._book = book
        self._limit = sat_per_day * MSAT
        self._now = now
        self._day = 0
        self._spent = 0

    @property
    def limit_msat(self) -> int:
        return self._limit

    @property
    def spent_msat(self) -> int:
        """Spent or set aside today."""
        return self._spent if self._day == self._today() else 0

    async def load(self) -> None:
        """Take up what was spent before."""
        try:
            kept = json.loads(await self._book.get(KEY) or "{}")
            self._day, self._spent = int(kept["day"]), int(kept["spent_msat"])
        except (ValueError, KeyError, TypeError):
            self._day, self._spent = self._today(), 0

    async def set_aside(self, msat: int) -> bool:
        """Set so much aside; False when it is more than what is left of today."""
        spent = self.spent_msat
        if spent + msat > self._limit:
            return False
        await self._keep(spent + msat)
        return True

    async def settle(self, aside_msat: int, cost_msat: int) -> None:
        """It cost so much of what was set aside."""
        await self._keep(max(0, self.spent_msat - aside_msat) + cost_msat)

    async def _keep(self, spent: int) -> None:
        self._day, self._spent = self._today(), spent
        await self._book.set(KEY, json.dumps({"day": self._day, "spent_msat": spent}))

    def _today(self) -> int:
        return int(self._now() // DAY_S)

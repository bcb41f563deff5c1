"""Packets held back for a random time before they go on, so that their order and moment blur.

Sans-IO, `now` in seconds. Bounded: what does not fit is refused.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from random import Random

from engine.mailbox.slots import NextRelay

MAX_HELD = 4_096  # packets, 8 MiB


@dataclass(frozen=True, slots=True)
class Held:
    """A packet on its way: where to, its cell's body, whether its moment on the link is claimed,
    and how often the link had no room for it."""

    onward: NextRelay = field(repr=False)
    body: bytes = field(repr=False)
    paced: bool = False
    tries: int = 0


class HoldQueue:
    """Packets by the time they are due."""

    def __init__(self, mean_s: float, rng: Random, limit: int = MAX_HELD) -> None:
        self._mean_s = mean_s
        self._rng = rng
        self._limit = limit
        self._heap: list[tuple[float, int, Held]] = []
        self._serial = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, held: Held, now: float) -> bool:
        """Hold a packet for an exponential time; False when the queue is full."""
        if len(self._heap) >= self._limit:
            return False
        delay = self._rng.expovariate(1 / self._mean_s) if self._mean_s else 0.0
        self.put_back(held, now + delay)
        return True

    def put_back(self, held: Held, due: float) -> None:
        """Hold a packet that was taken out a moment ago until `due`."""
        self._serial += 1
        heapq.heappush(self._heap, (due, self._serial, held))

    def next_due(self) -> float | None:
        """When the next packet is due; None when none is held."""
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> list[Held]:
        """Every packet that is due."""
        due: list[Held] = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        return due

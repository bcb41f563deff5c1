"""A seeded world's time: things that happen later, in order. The same run every time. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Events:
    """What is to happen, and what time it is (unix seconds, virtual)."""

    def __init__(self, start: float) -> None:
        self.now = start
        self.happened = 0
        self._queue: list[tuple[float, int, Action]] = []
        self._count = 0

    def after(self, delay: float, action: Action) -> None:
        """Let something happen `delay` seconds from now; of two at one moment the first set."""
        self._count += 1
        heapq.heappush(self._queue, (self.now + delay, self._count, action))

    def run_until(self, moment: float) -> None:
        """Let everything happen that is due by then."""
        while self._queue and self._queue[0][0] <= moment:
            self.now, _, action = heapq.heappop(self._queue)
            self.happened += 1
            action()
        self.now = max(self.now, moment)

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        self.run_until(self.now + seconds)

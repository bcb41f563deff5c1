"""When things expire: a heap that forgets what was withdrawn, so that it cannot be made to grow.

Sans-IO, times in seconds of any steady clock.
"""

from __future__ import annotations

import heapq

SLACK = 64  # withdrawn entries that may stay in a small heap


class Deadlines:
    """Names by the time their life ends."""

    def __init__(self) -> None:
        self._at: dict[bytes, float] = {}
        self._heap: list[tuple[float, bytes]] = []

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, name: bytes, at: float) -> None:
        """`name` ends at `at`."""
        self._at[name] = at
        heapq.heappush(self._heap, (at, name))
        if len(self._heap) > 2 * len(self._at) + SLACK:
            self._heap = [(end, kept) for kept, end in self._at.items()]
            heapq.heapify(self._heap)

    def withdraw(self, name: bytes) -> None:
        """`name` is gone before its time."""
        self._at.pop(name, None)

    def due(self, now: float) -> list[bytes]:
        """The names whose time is over, each once."""
        names: list[bytes] = []
        while self._heap and self._heap[0][0] <= now:
            at, name = heapq.heappop(self._heap)
            if self._at.get(name) == at:
                del self._at[name]
                names.append(name)
        return names

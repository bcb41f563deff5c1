"""Unix time that does not jump: for keys that are forgotten by the clock.

A clock set a day ahead by mistake would make a relay erase keys that its adverts still name, one
set back would keep keys alive that should be dead. So time runs by the monotonic clock; where the
wall clock disagrees by little it is followed at once, by more only when it has kept to it for half
an hour. Pure: both clocks are handed in.
"""

from __future__ import annotations

import time
from collections.abc import Callable

FOLLOW_S = 60.0  # ordinary drift and NTP's corrections
HOLD_S = 1_800.0  # how long another time must stand before it is believed


def elapsed_clock() -> float:
    """Seconds since the machine started, sleep included where the system can tell."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class SteadyClock:
    """Unix seconds by a monotonic clock, led by the wall clock."""

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = elapsed_clock,
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._offset = wall() - elapsed()
        self._other: float | None = None  # another offset, and since when it is told
        self._other_since = 0.0

    def now(self) -> float:
        """Unix seconds. Call it more often than every HOLD_S, or a step is believed late."""
        elapsed = self._elapsed()
        offset = self._wall() - elapsed
        if abs(offset - self._offset) <= FOLLOW_S:
            self._offset, self._other = offset, None
        elif self._other is None or abs(offset - self._other) > FOLLOW_S:
            self._other, self._other_since = offset, elapsed
        elif elapsed - self._other_since >= HOLD_S:
            self._offset, self._other = offset, None
        return self._offset + elapsed

    @property
    def disagreement_s(self) -> float:
        """By how much the wall clock is ahead of what is believed; 0 when they agree."""
        return 0.0 if self._other is None else self._other - self._offset

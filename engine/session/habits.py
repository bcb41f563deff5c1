"""How long this user lets a session wait for its first question and for the next one.

In memory only, a few dozen spans; hidden test questions wait as long, so that their timing is not
another one than the user's. Pure.
"""

from __future__ import annotations

from collections import deque
from random import Random

KEPT = 64
ENOUGH = 5
"""Spans after which the user's own are drawn from instead of a guess."""
THINK_S = 40.0
"""Mean time to read an answer and write the next question, as long as nothing is known."""
AT_ONCE = 0.5
"""The share of sessions whose first question is asked as soon as they are open: the same."""
STRETCH = (0.8, 1.25)
LONGEST_S = 80.0
"""A session that rests longer is settled and left."""


class Habits:
    """The spans seen lately."""

    def __init__(self) -> None:
        self._firsts: deque[float] = deque(maxlen=KEPT)
        self._thinks: deque[float] = deque(maxlen=KEPT)

    def first(self, waited_s: float) -> None:
        """A session waited so long for its first question."""
        self._firsts.append(waited_s)

    def next(self, waited_s: float) -> None:
        """And so long for a further one."""
        self._thinks.append(waited_s)

    def draw_first(self, rng: Random) -> float:
        """Seconds to wait before the first question."""
        if len(self._firsts) >= ENOUGH:
            return rng.choice(self._firsts) * rng.uniform(*STRETCH)
        return 0.0 if rng.random() < AT_ONCE else rng.expovariate(1 / THINK_S)

    def draw_next(self, rng: Random) -> float:
        """Seconds to wait before a further one."""
        if len(self._thinks) >= ENOUGH:
            return min(LONGEST_S, rng.choice(self._thinks) * rng.uniform(*STRETCH))
        return min(LONGEST_S, rng.expovariate(1 / THINK_S))

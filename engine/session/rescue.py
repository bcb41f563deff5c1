"""How long a lost answer is followed, and in what rhythm: fresh circuits and mailboxes in turn.

Each round looks into the mailboxes and then tries the ghost again. It ends when the pickups expire
or, without any, when no ghost would keep the answer any more. No I/O but sleeping.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

from engine.session.lifeline import Lifeline

PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Between two rounds; the last one repeats."""
ROUNDS_WITHOUT_GHOST = 4
"""Rounds after the ghost said that it has not got the answer: its letter is there by then."""


class Patience:
    """The patience of one answer. `hurry` ends a pause at once."""

    def __init__(self, line: Lifeline, *, now: Callable[[], float] = time.time) -> None:
        self._line = line
        self._now = now
        self._began: float | None = None
        self._round = 0
        self._forgotten = 0
        self._hurry = trio.Event()
        self._over = False

    def __repr__(self) -> str:
        return f"Patience(round={self._round})"

    def hurry(self) -> None:
        """Something changed (the machine woke up): go on with the next round now."""
        self._hurry.set()

    def stop(self) -> None:
        """Nobody waits for the answer any more."""
        self._over = True
        self._hurry.set()

    def progress(self) -> None:
        """The ghost was reached: what went wrong before does not count."""
        self._began = None
        self._round = 0

    def lost(self) -> None:
        """The way to the ghost is gone: from here on the time counts."""
        if self._began is None:
            self._began = trio.current_time()

    async def pause(self, *, ghost_has_it: bool) -> bool:
        """Wait for the next round; false when there is none."""
        self.lost()
        if not ghost_has_it:
            self._forgotten += 1
        if self._ended():
            return False
        with trio.move_on_after(PAUSES_S[min(self._round, len(PAUSES_S) - 1)]):
            await self._hurry.wait()
        self._hurry = trio.Event()
        self._round += 1
        return not self._over

    def _ended(self) -> bool:
        tried_s = trio.current_time() - (self._began or 0.0)
        if self._over or tried_s > self._line.patience_s:
            return True
        if self._forgotten:
            return not self._line.can_fetch or self._forgotten > ROUNDS_WITHOUT_GHOST
        return self._line.can_fetch and self._line.expires <= self._now()

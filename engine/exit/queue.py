"""The line in front of a ghost's provider: so many answers at once, a bounded wait, fair turns.

Sessions take turns: one that asks again stands behind every other session that waits. A question
that finds the line full, or waits too long, is told after how many seconds to come back. trio.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable

import trio

FIRST_GUESS_S = 10.0
"""How long an answer takes, before any was seen."""
WEIGHT = 0.2
MOST_AFTER_S = 3_600


class Slot:
    """The right to one answer at the provider."""

    def __init__(self, free: Callable[[float], None]) -> None:
        self._free: Callable[[float], None] | None = free
        self._since = trio.current_time()

    def release(self) -> None:
        """Let the next one go; any number of times."""
        if self._free is not None:
            free, self._free = self._free, None
            free(trio.current_time() - self._since)


class _Ticket:
    def __init__(self) -> None:
        self.turn = trio.Event()


class AnswerQueue:
    """`limit` answers at once, at most `room` questions that wait, none longer than `wait_s`."""

    def __init__(self, limit: int, room: int, wait_s: float) -> None:
        self.limit = limit
        self.room = room
        self.wait_s = wait_s
        self.running = 0
        self._lanes: OrderedDict[bytes, deque[_Ticket]] = OrderedDict()
        self._answer_s = FIRST_GUESS_S
        self._closed = False

    def __repr__(self) -> str:
        return f"AnswerQueue(running={self.running}, waiting={self.waiting})"

    @property
    def waiting(self) -> int:
        return sum(map(len, self._lanes.values()))

    @property
    def load(self) -> float:
        """The share of the places that is taken, 1 when somebody waits."""
        return min(1.0, self.running / self.limit) if not self._lanes else 1.0

    @property
    def after_s(self) -> int:
        """A guess in how many seconds a place is free."""
        turns = (self.waiting + 1) / self.limit
        return max(1, min(MOST_AFTER_S, math.ceil(self._answer_s * turns)))

    async def enter(self, session: bytes) -> Slot | None:
        """A slot, or None when the line is full, takes too long or is closed."""
        await trio.lowlevel.checkpoint()
        if self._closed:
            return None
        if self.running < self.limit and not self._lanes:
            return self._take()
        if self.waiting >= self.room:
            return None
        ticket = _Ticket()
        self._lanes.setdefault(session, deque()).append(ticket)
        try:
            with trio.move_on_after(self.wait_s):
                await ticket.turn.wait()
        except trio.Cancelled:
            self._leave(session, ticket)
            raise
        if ticket.turn.is_set() and not self._closed:
            return Slot(self._free)
        self._leave(session, ticket)
        return None

    def close(self) -> None:
        """Nobody is let in any more; those who wait are sent away."""
        self._closed = True
        for lane in self._lanes.values():
            for ticket in lane:
                ticket.turn.set()
        self._lanes.clear()

    def _take(self) -> Slot:
        self.running += 1
        return Slot(self._free)

    def _free(self, took_s: float) -> None:
        self.running -= 1
        self._answer_s += WEIGHT * (took_s - self._answer_s)
        self._call_next()

    def _call_next(self) -> None:
        while self._lanes and self.running < self.limit:
            session, lane = self._lanes.popitem(last=False)
            ticket = lane.popleft()
            if lane:
                self._lanes[session] = lane
            self.running += 1
            ticket.turn.set()

    def _leave(self, session: bytes, ticket: _Ticket) -> None:
        """Out of the line; a turn that came at the same moment goes to the next."""
        lane = self._lanes.get(session)
        if lane is not None and ticket in lane:
            lane.remove(ticket)
            if not lane:
                del self._lanes[session]
        elif ticket.turn.is_set() and not self._closed:
            self.running -= 1
            self._call_next()

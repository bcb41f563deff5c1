"""One clock for all shaped circuits of a process: calls each when its cell is due.

A relay keeps the tick of thousands of circuits. A task that sleeps for each would be woken, and its
link's socket written, once per cell. Here the circuits' tasks wait in one heap: the first of them
sleeps for all, makes the calls that are due together, and lets their cells leave in one write per
link. When its own circuit ends another takes its place, so the clock has no task of its own and
needs no owner. It knows nothing of shapes; when a cell is due is the caller's to say.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

import outcome
import trio

GRAIN_S = 0.001
"""Calls that fall due within it are made together: a cell may leave that much late."""

Beat = Callable[[], float | None]
"""Sends what is due and returns when it wants to be called again (trio's clock), or None."""

_run_beats: trio.lowlevel.RunVar[Beats] = trio.lowlevel.RunVar("shaped circuits")


def beats() -> Beats:
    """The clock of this run of the event loop."""
    try:
        return _run_beats.get()
    except LookupError:
        made = Beats()
        _run_beats.set(made)
        return made


class _Waiter:
    """A task that waits while its circuit is called."""

    __slots__ = ("beat", "flush", "over", "task")

    def __init__(self, task: trio.lowlevel.Task, beat: Beat, flush: Callable[[], None]) -> None:
        self.task = task
        self.beat = beat
        self.flush = flush
        self.over: outcome.Outcome[None] | None = None


class Beats:
    """The heap of calls, and whose task sleeps for all."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, _Waiter]] = []
        self._numbers = count()
        self._driver: _Waiter | None = None
        self._sleep = trio.CancelScope()
        self._free_at = 0.0  # no calls before: a grain after the last ones

    async def keep(self, due: float, beat: Beat, flush: Callable[[], None]) -> None:
        """Call `beat` at `due` and again whenever it says, until it says None.

        `flush` is called after it, when every other call that is due has been made. Raises what
        `beat` raises.
        """
        waiter = _Waiter(trio.lowlevel.current_task(), beat, flush)
        self._push(due, waiter)
        try:
            if self._driver is not None:
                await self._wait(waiter)
            if waiter.over is None:
                await self._drive(waiter)
        finally:
            self._leave(waiter)
        if waiter.over is not None:
            waiter.over.unwrap()

    def _push(self, due: float, waiter: _Waiter) -> None:
        heapq.heappush(self._heap, (due, next(self._numbers), waiter))
        if due < self._sleep.deadline:
            self._sleep.deadline = max(due, self._free_at)

    async def _wait(self, waiter: _Waiter) -> None:
        """Until the circuit is over, or this task is to sleep for all."""

        def abort(_raise_cancel: object) -> trio.lowlevel.Abort:
            waiter.over = outcome.Value(None)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    def _leave(self, waiter: _Waiter) -> None:
        """The waiter's task goes on: hand the clock on if it kept it."""
        if waiter.over is None:  # cancelled while it kept the clock
            waiter.over = outcome.Value(None)
        if self._driver is not waiter:
            return
        self._driver = None
        heap = self._heap
        while heap and heap[0][2].over is not None:
            heapq.heappop(heap)
        if heap:
            self._driver = heap[0][2]
            trio.lowlevel.reschedule(self._driver.task)

    async def _drive(self, waiter: _Waiter) -> None:
        self._driver = waiter
        while waiter.over is None:
            due = max(self._heap[0][0], self._free_at)
            with trio.CancelScope(deadline=due) as self._sleep:
                await trio.sleep_forever()
            self._call_due()

    def _call_due(self) -> None:
        now = trio.current_time()
        self._free_at = now + GRAIN_S
        called: list[_Waiter] = []
        heap = self._heap
        while heap and heap[0][0] <= now:
            waiter = heapq.heappop(heap)[2]
            if waiter.over is None:
                self._call(waiter)
                called.append(waiter)
        for waiter in called:
            waiter.flush()

    def _call(self, waiter: _Waiter) -> None:
        due = outcome.capture(waiter.beat)
        if isinstance(due, outcome.Value) and due.value is not None:
            heapq.heappush(self._heap, (due.value, next(self._numbers), waiter))
            return
        waiter.over = due if isinstance(due, outcome.Error) else outcome.Value(None)
        if waiter is not self._driver:
            trio.lowlevel.reschedule(waiter.task)

"""Notices what no socket tells: that this machine slept, and that a busy circuit went silent."""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

WAKE_CHECK_S = 2.0
SLEPT_S = 10.0
"""A pause of all clocks this long counts as sleep; a busy machine is never that late."""
SILENT_S = 15.0
"""A shaped run sends a cell at every tick: a circuit without any for so long is dead."""


def clock_with_sleep() -> float:
    """Seconds that go on while the machine sleeps, from an arbitrary start."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.time() if boot is None else time.clock_gettime(boot)


async def watch_for_wake(
    on_wake: Callable[[], None], *, clock: Callable[[], float] = clock_with_sleep
) -> None:
    """Call `on_wake` each time the machine has slept; until cancelled."""
    while True:
        before, began = clock(), trio.current_time()
        await trio.sleep(WAKE_CHECK_S)
        awake = trio.current_time() - began
        if clock() - before - awake > SLEPT_S:
            on_wake()


class SilenceWatch:
    """Whether a circuit that should bring cells all the time brings none."""

    def __init__(self) -> None:
        self._seen: object = None
        self._since = trio.current_time()

    def __repr__(self) -> str:
        return "SilenceWatch()"

    def is_silent(self, mark: object, *, due: bool) -> bool:
        """`mark` changes with every cell (and circuit); `due` says that cells must be coming."""
        now = trio.current_time()
        if not due or mark != self._seen:
            self._seen, self._since = mark, now
        return due and now - self._since > SILENT_S

"""What Ctrl+C, SIGTERM and SIGHUP mean in each stage of a demo.

While threads wait, the first one raises `Stopped`. While an event loop runs, it cancels what runs
there: an exception raised in the middle of a loop's own work may come out wrapped in a group, or be
printed by the loop. Once the demo stops nothing interrupts it; asking again makes it faster.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from types import FrameType, TracebackType
from typing import TypeVar

import anyio

from tui.demo.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_T = TypeVar("_T")


class StopSignals:
    """The handlers of one demo, from the `with` on to its end."""

    def __init__(self) -> None:
        self._heard = 0
        self._act: Callable[[], object] | None = None
        self._before = {number: signal.getsignal(number) for number in SIGNALS}

    def __enter__(self) -> StopSignals:
        self._install()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _exc: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _install(self) -> None:
        for number in SIGNALS:
            signal.signal(number, self._handle)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._heard = number
        if self._act is None:
            raise Stopped(number)
        self._act()

    def run(self, function: Callable[..., Awaitable[_T]], *args: object) -> _T:
        """Run it in an event loop of its own. Raises Stopped when a signal ended it."""
        return anyio.run(self._to_the_end, function, *args)

    async def _to_the_end(self, function: Callable[..., Awaitable[_T]], *args: object) -> _T:
        loop = asyncio.get_running_loop()
        with anyio.CancelScope() as scope:
            self._act = lambda: loop.call_soon_threadsafe(scope.cancel)
            try:
                done = await function(*args)
            finally:
                self._act = None
            if not self._heard:
                return done
        raise Stopped(self._heard)

    def only_hurry(self, hurry: Callable[[], object]) -> None:
        """From now on a signal calls `hurry` and nothing more."""
        self._act = hurry
        self._install()  # a screen had handlers of its own

"""Virtual time for code that works in threads and on loopback sockets.

A clock that jumps while a thread still works would end waits that nothing in life would end, so the
work for threads is done on the spot: then nothing is under way when the clock jumps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from unittest import mock

import trio
from trio.testing import MockClock

T = TypeVar("T")


def virtual_clock() -> MockClock:
    """Jumps as soon as nothing can happen; loopback sockets need a moment to show what came."""
    return MockClock(autojump_threshold=0.001)


@contextlib.contextmanager
def threads_inline() -> Iterator[None]:
    """Work for threads is done on the spot."""

    async def run_sync(work: Callable[..., T], *args: Any, **_options: Any) -> T:
        await trio.lowlevel.checkpoint()
        return work(*args)

    with (
        mock.patch.object(trio.to_thread, "run_sync", run_sync),
        mock.patch.object(trio.from_thread, "check_cancelled", return_value=None),
    ):
        yield

"""A part of a node that can be ended by itself while the rest goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio


class Part:
    """One task in somebody's nursery, with a scope of its own."""

    def __init__(self) -> None:
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    @classmethod
    async def start(cls, nursery: trio.Nursery, run: Callable[..., Awaitable[Any]]) -> Part:
        """Start `run(task_status=...)` and wait until it has reported that it serves. Raises what
        it raises before."""
        part = cls()
        try:
            await nursery.start(part._run, run)
        except BaseExceptionGroup as group:
            raise _first(group) from group
        return part

    async def end(self) -> None:
        """Cancel it, and wait until nothing of it is left."""
        self._scope.cancel()
        with trio.CancelScope(shield=True):
            await self._ended.wait()

    async def _run(
        self, run: Callable[..., Awaitable[Any]], *, task_status: trio.TaskStatus[Any]
    ) -> None:
        try:
            with self._scope:
                await run(task_status=task_status)
        finally:
            self._ended.set()


def _first(error: BaseException) -> BaseException:
    """What went wrong first, in words for whoever asked for the part."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def wait_while(busy: Callable[[], object], *, poll_s: float = 0.1) -> None:
    """Wait until it is not so any more; the caller's deadline bounds it."""
    while busy():
        await trio.sleep(poll_s)

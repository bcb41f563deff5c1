"""One link to the node for a long-lived object: dialled when first needed, and again when it ended.

A call that was under way when the link ended fails, since what became of it is not known here; the
next one dials anew. A link belongs to the event loop it was dialled in, and is dialled again in the
next one when that loop is over, which is how it outlives `asyncio.run` and cells under
`%autoawait trio`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
import anyio.lowlevel

from engine.control.client import ControlClient, ControlClosed, ControlError, connect
from tui.notebook.errors import told

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, None]]
Spawn = Callable[[Work], object]
"""Starts a task and says who owns it: a task group, or the event loop itself."""

_tasks: Final[set[asyncio.Task[None]]] = set()


def spawn_detached(work: Work) -> None:
    """A task of the event loop's own, which ends it at the latest when it ends itself. A notebook
    has no block that lasts from one cell to another, so nothing nearer could own it."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        import trio

        trio.lowlevel.spawn_system_task(work)
        return
    task = loop.create_task(work())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


class Link:
    """The way to the node on `path`. Safe to use from many tasks of one event loop."""

    def __init__(self, path: Path, spawn: Spawn) -> None:
        self.path = path
        self._spawn = spawn
        self._line: _Line | None = None
        self._before_close: list[Callable[[], Awaitable[None]]] = []
        self.closed = False

    async def client(self) -> ControlClient:
        """The open connection, dialled now when there is none.

        Raises `NodeNotRunning`, or `ControlClosed` after `close`.
        """
        if self.closed:
            raise told(
                ControlClosed(
                    "This connection was closed.", hint="Connect again: peer2prompt.connect()."
                )
            )
        line = self._line
        if line is None or line.over:
            line = self._line = _Line(self.path)
            self._spawn(line.hold)
        elif not line.ours:
            raise told(
                ControlError(
                    "This connection belongs to another event loop, which is still running.",
                    kept="Nothing was sent.",
                    hint="Connect once more in this one.",
                )
            )
        return await line.client()

    async def call(self, method: str, /, **params: Any) -> Any:
        """Call a method of the control protocol; the result as plain values."""
        try:
            return await (await self.client()).call(method, **params)
        except ControlError as exc:
            failure = told(exc)
        raise failure

    async def call_as(self, shape: type[T], method: str, /, **params: Any) -> T:
        """The same, with the result in a shape."""
        try:
            return await (await self.client()).call_as(shape, method, **params)
        except ControlError as exc:
            failure = told(exc)
        raise failure

    def soon(self, work: Work) -> None:
        """Start a short task beside everything else; nothing happens on a link that is over."""
        if not self.closed and self._line is not None and not self._line.over and self._line.ours:
            self._spawn(work)

    def before_close(self, work: Callable[[], Awaitable[None]]) -> None:
        """Have this done before the link is given up, as long as it is not taken back."""
        self._before_close.append(work)

    def not_before_close(self, work: Callable[[], Awaitable[None]]) -> None:
        if work in self._before_close:
            self._before_close.remove(work)

    async def close(self) -> None:
        """Do what has to be done before, and hang up. Doing it twice does no harm."""
        line, self.closed = self._line, True
        if line is None or line.over or not line.ours:
            return
        with anyio.CancelScope(shield=True):
            for work in list(self._before_close):
                await work()
            await line.close()


class _Line:
    """One connection from its dialling to its end, held open in a task of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = anyio.lowlevel.current_token()
        self._scope = anyio.CancelScope()
        self._settled, self._ended = anyio.Event(), anyio.Event()
        self._client: ControlClient | None = None
        self._failure: ControlError | None = None

    @property
    def over(self) -> bool:
        gone = self._client is not None and self._client.closed
        return gone or self._ended.is_set()

    @property
    def ours(self) -> bool:
        """Whether it was dialled in the event loop that runs now."""
        try:
            return self._loop == anyio.lowlevel.current_token()
        except RuntimeError:  # no event loop at all
            return False

    async def hold(self) -> None:
        try:
            async with connect(self._path, client="notebook") as client:
                self._client = client
                self._settled.set()
                with self._scope:
                    await client.wait_closed()
        except ControlError as exc:
            self._failure = exc
        finally:
            self._settled.set()
            self._ended.set()

    async def client(self) -> ControlClient:
        await self._settled.wait()
        if self._client is None:
            raise told(self._failure or ControlClosed("The link to the node was given up."))
        return self._client

    async def close(self) -> None:
        self._scope.cancel()
        await self._ended.wait()

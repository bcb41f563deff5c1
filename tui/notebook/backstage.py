"""The magics' own event loop, in a thread: a magic is called inside a loop it may not wait for.

The notebook's thread stays free to be interrupted, and to show an answer while it comes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from tui.notebook.connecting import connect
from tui.notebook.peer import Peer

T = TypeVar("T")


class Backstage:
    """One connection to the user's node, made when it is first needed. For one calling thread."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None
        self._peer: Peer | None = None

    def run(self, work: Callable[[Peer], Awaitable[T]]) -> T:
        """Do the work and wait for it; an interrupt cancels it."""
        future = self.start(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def start(self, work: Callable[[Peer], Awaitable[T]]) -> Future[T]:
        """Start the work. Cancelling the future cancels it."""
        if self._portal is None:
            self._portal = self._stack.enter_context(start_blocking_portal(name="peer2prompt"))
        return self._portal.start_task_soon(self._with_peer, work)

    def close(self) -> None:
        """Call off what is under way, hang up, and end the thread."""
        portal, peer = self._portal, self._peer
        self._portal = self._peer = None
        if portal is not None and peer is not None:
            portal.call(peer.close)
        self._stack.close()

    async def _with_peer(self, work: Callable[[Peer], Awaitable[T]]) -> T:
        if self._peer is None:
            self._peer = await connect()
        return await work(self._peer)

"""The connections to the local API: how many there may be, and how long one may take to be told.

The server behind it waits for a reader for as long as it takes, even when it is to stop; so a
program that asks and does not read, or another user of this machine who opens connections and says
nothing, would hold tasks, memory and descriptors. Here each wait for a reader ends, and so does
each beyond the number. When all places are taken the stranger who came first makes room: who has
shown a key is never sent away for one who has not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import trio

from engine.control.listen import peer_uid

CALLER = "peer2prompt.caller"
"""Where a request's scope names the connection that it came over."""
MAX_CONNECTIONS = 512
"""Of the 1,024 descriptors that a process usually has: the circuits need theirs."""
READER_S = 30.0
"""For a reader to take what lies ready; then its connection is closed."""


class Caller(trio.abc.HalfCloseableStream):
    """One connection. Closes it when its reader takes nothing for too long."""

    def __init__(self, stream: trio.SocketStream, on_close: Callable[[Caller], None]) -> None:
        self.known = False
        """Whether it has brought a valid key."""
        self._stream = stream
        self._on_close = on_close

    @property
    def socket(self) -> trio.socket.SocketType:
        return self._stream.socket

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        with trio.move_on_after(READER_S) as waited:
            await self._stream.send_all(data)
        if waited.cancelled_caught:
            self.close_now()
            raise trio.BrokenResourceError

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        self._on_close(self)
        await self._stream.aclose()

    def close_now(self) -> None:
        """Whoever sends or waits on it is told that it is closed."""
        self._on_close(self)
        self._stream.socket.close()


class Doorway(trio.abc.Listener[Caller]):
    """A listener that holds so many connections at a time. One more takes the place of the oldest
    that has shown no key; where all have shown one, it is closed at once."""

    def __init__(self, listener: trio.SocketListener, most: int) -> None:
        self._listener = listener
        self._most = most
        self._open: dict[Caller, None] = {}

    def __len__(self) -> int:
        return len(self._open)

    async def accept(self) -> Caller:
        while True:
            stream = await self._listener.accept()
            if _is_this_user(stream) and self._has_room():
                caller = Caller(stream, self._left)
                self._open[caller] = None
                return caller
            stream.socket.close()

    async def aclose(self) -> None:
        await self._listener.aclose()

    def close_all(self) -> None:
        """Nobody is waited for any more."""
        for caller in tuple(self._open):
            caller.close_now()

    def _has_room(self) -> bool:
        if len(self._open) >= self._most:
            stranger = next((caller for caller in self._open if not caller.known), None)
            if stranger is None:
                return False
            stranger.close_now()
        return True

    def _left(self, caller: Caller) -> None:
        self._open.pop(caller, None)


def welcome(scope: Mapping[str, Any]) -> None:
    """A request came with a valid key: its connection may stay, however many others come."""
    caller = scope.get(CALLER)
    if isinstance(caller, Caller):
        caller.known = True


def _is_this_user(stream: trio.SocketStream) -> bool:
    """For a Unix socket, whose file says the same; anybody may come to a loopback port."""
    if stream.socket.family is not trio.socket.AF_UNIX:
        return True
    return peer_uid(stream) in (None, os.getuid())

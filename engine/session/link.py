"""The way to the ghost: the current stream, and how to get another when it is cut.

Frames messages, keeps writes whole, bounds every wait, counts losses. It knows nothing of
questions or money; `AskSession` gives it a handler for messages and one for new streams.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from engine.errors import (
    CircuitClosed,
    HandshakeError,
    LayerError,
    LinkError,
    NoRoute,
)
from engine.market.seams import ByteStream
from engine.wire import session as wire

OpenStream = Callable[[], Awaitable[ByteStream]]

LOST = (CircuitClosed, NoRoute, LinkError, LayerError, HandshakeError)
"""Failures of the way to the ghost: another circuit may do."""
MAX_LOSSES = 3
"""Streams lost in a row without any progress before we give up."""
OPEN_PATIENCE_S = 45.0
"""Ways to the ghost that were tried in vain for so long: no other is tried, its user is told."""
BACKOFF_S = 0.25
STALL_S = 180.0
"""Longer than a provider may think (its read timeout is 120 s); then the way counts as lost."""


class GhostLink:
    """One stream at a time to one ghost."""

    def __init__(
        self,
        open_stream: OpenStream,
        *,
        greet: Callable[[ByteStream], Awaitable[None]],
        handle: Callable[[wire.Message], Awaitable[None]],
        stall_s: float = STALL_S,
    ) -> None:
        self.stream: ByteStream | None = None
        self._open_stream = open_stream
        self._greet = greet
        self._handle = handle
        self._stall_s = stall_s
        self._reader = wire.MessageReader(from_client=False)
        self._sending = trio.Lock()
        self._losses = 0
        self.cuts = 0
        """Streams lost so far."""

    def __repr__(self) -> str:
        return f"GhostLink(up={self.stream is not None})"

    async def ensure(self) -> None:
        """Have a greeted stream; raises the last loss when that does not work out."""
        late = trio.current_time() + OPEN_PATIENCE_S
        while self.stream is None:
            try:
                await self._connect()
            except LOST as error:
                await self.lost(error, last=trio.current_time() >= late)

    async def _connect(self) -> None:
        stream = await self._open_stream()
        self._reader = wire.MessageReader(from_client=False)
        self.stream = stream
        try:
            await self._greet(stream)
        except BaseException:
            await self.drop()
            raise

    async def send(self, message: wire.Message) -> None:
        """Send one whole message; CircuitClosed when there is no stream or it does not take it."""
        data = wire.encode(message)
        async with self._sending:
            stream = self.stream
            if stream is None:
                raise CircuitClosed("There is no circuit to the ghost just now.")
            # Shielded: a message cut in half would ruin the stream for the next one.
            with trio.move_on_after(self._stall_s, shield=True) as patience:
                await stream.send_all(data)
            if patience.cancelled_caught:
                raise CircuitClosed("The circuit to the ghost has taken no data for too long.")

    async def read(self) -> None:
        """Wait for data and handle the messages in it; CircuitClosed when the stream ends.

        Cancelled it stops while it waits: of what has arrived every message is handled."""
        stream = self.stream
        if stream is None:
            raise CircuitClosed("There is no circuit to the ghost just now.")
        with trio.move_on_after(self._stall_s) as patience:
            data = await stream.receive_some()
        if patience.cancelled_caught:
            raise CircuitClosed("The ghost has been silent for too long.")
        if not data:
            raise CircuitClosed(
                "The ghost closed the session's stream.",
                hint="Ask again: a new session is opened, with another ghost where there is one.",
            )
        messages = self._reader.feed(data)
        with trio.CancelScope(shield=True):
            for message in messages:
                await self._handle(message)

    async def read_or_reconnect(self) -> None:
        """Like `read`, but a lost stream is replaced."""
        await self.ensure()
        try:
            await self.read()
        except LOST as error:
            await self.lost(error)

    def progress(self) -> None:
        """Something useful arrived: the losses so far no longer count."""
        self._losses = 0

    async def lost(self, error: Exception, *, last: bool = False) -> None:
        """The stream is gone: wait a little before the next, or give up with the error, at the
        latest when this was the `last` try."""
        await self.drop()
        self.cuts += 1
        self._losses += 1
        if last or self._losses > MAX_LOSSES:
            self._losses = 0
            raise error
        await trio.sleep(BACKOFF_S * 2 ** (self._losses - 1))

    async def drop(self) -> None:
        """Close the stream at once."""
        stream, self.stream = self.stream, None
        if stream is not None:
            with trio.move_on_after(1, shield=True):
                await stream.aclose()

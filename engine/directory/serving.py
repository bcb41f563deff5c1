"""Serving streams of one kind: at most so many at once, each fault answered with its reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from engine.circuit.stream import CircuitStream
from engine.errors import ProtocolError
from engine.wire.frames import EndReason


class StreamSeats:
    """A bound on the streams that are served at once."""

    def __init__(self, most: int) -> None:
        self._free = most

    async def serve(
        self, stream: CircuitStream, answer: Callable[[CircuitStream], Awaitable[None]]
    ) -> None:
        """Accept the stream and have it answered, or end it: RESOURCE when no seat is free,
        PROTOCOL and TIMEOUT for what `answer` raises as ProtocolError and TooSlowError."""
        if not self._free:
            stream.end(EndReason.RESOURCE)
            return
        self._free -= 1
        try:
            stream.accept()
            await answer(stream)
        except ProtocolError:
            stream.end(EndReason.PROTOCOL)
        except trio.TooSlowError:
            stream.end(EndReason.TIMEOUT)
        finally:
            self._free += 1

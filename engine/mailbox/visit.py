"""One stream of a client to a relay's mailbox service: the greeting, then requests and answers.

Waits are bounded: a relay that falls silent is as good as one that is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.stream import CircuitStream
from engine.errors import CircuitClosed
from engine.wire.frames import Begin, Purpose, encode_begin
from engine.wire.mailbox import GREETING_BYTES, Greeting

ANSWER_TIMEOUT_S = 20.0


class Visit:
    """A stream that has been greeted."""

    def __init__(self, stream: CircuitStream, greeting: Greeting) -> None:
        self.greeting = greeting
        self._stream = stream

    @classmethod
    async def begin(cls, circuit: ClientCircuit) -> Visit:
        """Open a stream on a circuit to the relay. Raises CircuitClosed or WireError."""
        stream = circuit.open_stream(encode_begin(Begin(Purpose.MAILBOX)))
        with _answering():
            return cls(stream, Greeting.decode(await _read(stream, GREETING_BYTES)))

    async def ask(self, request: bytes, size: int) -> bytes:
        """Send a request; its answer of `size` bytes. Raises CircuitClosed."""
        with _answering():
            await self._stream.send_all(request)
            return await _read(self._stream, size)


async def _read(stream: CircuitStream, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = await stream.receive_some(size - len(data))
        if not part:
            raise CircuitClosed("A mailbox relay ended its answer early.")
        data += part
    return bytes(data)


@contextmanager
def _answering() -> Iterator[None]:
    """A wait for a mailbox's words. Raises CircuitClosed when they do not come."""
    try:
        with trio.fail_after(ANSWER_TIMEOUT_S):
            yield
    except trio.TooSlowError as error:
        raise CircuitClosed("A mailbox relay did not answer in time.") from error

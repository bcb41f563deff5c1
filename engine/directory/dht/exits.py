"""Look-ups for clients: BEGIN purpose 5. A client never joins the DHT, it asks relays.

One key a stream; look-ups in all are limited, because one question here makes many there. Nothing
of what is asked is logged, and answers are remembered for half a minute only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from random import Random, SystemRandom

import trio

from engine.bucket import Bucket
from engine.circuit.stream import CircuitStream
from engine.directory.serving import StreamSeats
from engine.errors import CircuitClosed, ProtocolError
from engine.wire import lookup as wire
from engine.wire.frames import Begin, EndReason, Purpose, encode_begin
from engine.wire.messages import MessageReader

BEGIN = encode_begin(Begin(Purpose.LOOKUP))
PURPOSE = "lookup"
MAX_STREAMS = 64
LOOKUPS_PER_S = 10.0
LOOKUP_BURST = 40.0
QUESTION_TIMEOUT_S = 20.0
ANSWER_TIMEOUT_S = 20.0
REMEMBER_S = 30.0
REMEMBERED = 256

Find = Callable[[bytes], Awaitable[list[bytes]]]
"""The valid records under a key."""


class LookupService:
    """Serves look-up streams from `find`."""

    def __init__(self, find: Find, *, rng: Random | None = None) -> None:
        self.served = 0
        self._find = find
        self._rng = rng or SystemRandom()
        self._seats = StreamSeats(MAX_STREAMS)
        self._bucket = Bucket(LOOKUPS_PER_S, LOOKUP_BURST, trio.current_time())
        self._recent: OrderedDict[bytes, tuple[float, list[bytes]]] = OrderedDict()

    async def serve(self, stream: CircuitStream, _request: bytes) -> None:
        """Answer one question."""
        await self._seats.serve(stream, self._serve)

    async def _serve(self, stream: CircuitStream) -> None:
        with trio.fail_after(QUESTION_TIMEOUT_S):
            question = await _one(stream, wire.reader(serving=True))
        if not isinstance(question, wire.Find):
            raise ProtocolError("a look-up stream asked nothing")
        records = await self._records(question.key)
        if records is None:
            stream.end(EndReason.RESOURCE)
            return
        self.served += 1
        chosen = self._rng.sample(records, min(len(records), wire.MAX_FOUND))
        with trio.fail_after(ANSWER_TIMEOUT_S):
            await stream.send_all(wire.encode(wire.Found(tuple(chosen))))
            await stream.send_eof()

    async def _records(self, key: bytes) -> list[bytes] | None:
        """What lies under `key`; None when too much is asked of this relay."""
        now = trio.current_time()
        until, records = self._recent.get(key, (0.0, []))
        if until > now:
            return records
        if not self._bucket.take(now):
            return None
        records = await self._find(key)
        self._recent[key] = (now + REMEMBER_S, records)
        self._recent.move_to_end(key)
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        return records


async def ask(stream: CircuitStream, key: bytes) -> tuple[bytes, ...]:
    """The records that the relay behind `stream` finds under `key`: not verified.

    Raises CircuitClosed when it ends the stream or is silent, ProtocolError when it breaks rules.
    """
    with trio.move_on_after(ANSWER_TIMEOUT_S):
        await stream.send_all(wire.encode(wire.Find(key)))
        await stream.send_eof()
        answer = await _one(stream, wire.reader(serving=False))
        if isinstance(answer, wire.Found):
            return answer.records
    raise CircuitClosed("A relay did not answer a look-up.")


async def _one(stream: CircuitStream, reader: MessageReader[wire.Message]) -> wire.Message | None:
    """The one message of the other side; None when the stream ends without it."""
    found: list[wire.Message] = []
    while not found:
        data = await stream.receive_some()
        if not data:
            return None
        found = reader.feed(data)
    if len(found) > 1:
        raise ProtocolError("a look-up stream said more than one thing")
    return found[0]

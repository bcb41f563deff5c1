"""Comparing adverts with another node over a stream: the I/O around engine.directory.reconcile.

A relay talks to its peers over circuits of one hop, a client over whole circuits; the stream is the
same. Every wait is bounded. Nothing of what is asked is logged.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.path import Hop
from engine.circuit.stream import CircuitStream
from engine.directory.adverts import AdvertSet
from engine.directory.reconcile import Librarian, Reconciler, Report
from engine.directory.serving import StreamSeats
from engine.errors import CircuitClosed, ProtocolError
from engine.link.manager import LinkManager
from engine.wire import directory as wire
from engine.wire.frames import Begin, Purpose, encode_begin
from engine.wire.messages import MessageReader
from engine.wire.shape import BULK_PLAN

BEGIN = encode_begin(Begin(Purpose.DIRECTORY))
PURPOSE = "directory"
ANSWER_TIMEOUT_S = 20.0
IDLE_TIMEOUT_S = 30.0
MAX_STREAMS = 64  # served at once; each may verify adverts

Clock = Callable[[], float]


async def compare(
    stream: CircuitStream, adverts: AdvertSet, *, push: bool, clock: Clock = time.time
) -> Report:
    """Complete our set from the node behind `stream`, and with `push` its set from ours.

    Raises CircuitClosed when the stream ends early or the node is silent, ProtocolError when it
    does not keep to the protocol.
    """
    asking = Reconciler(adverts, int(clock()), push=push)
    reader = wire.reader(serving=False)
    while (request := asking.request) is not None:
        asking.answer(await _ask(stream, reader, request))
    await stream.send_eof()
    return asking.report


async def fetch_sheet(stream: CircuitStream) -> bytes:
    """The capability sheet of the node behind `stream`, not yet checked against its advert.

    Raises CircuitClosed or ProtocolError.
    """
    reply = await _ask(stream, wire.reader(serving=False), wire.AskSheet())
    await stream.send_eof()
    if not isinstance(reply, wire.Offer):
        raise ProtocolError("a directory answered something else than was asked")
    return reply.sheet


async def _ask(
    stream: CircuitStream, reader: MessageReader[wire.Message], request: wire.Request
) -> wire.Message:
    await stream.send_all(wire.encode(request))
    replies: list[wire.Message] = []
    with trio.move_on_after(ANSWER_TIMEOUT_S):
        while not replies:
            data = await stream.receive_some()
            if not data:
                raise CircuitClosed("A directory closed the stream.")
            replies = reader.feed(data)
    if not replies:
        raise CircuitClosed("A directory did not answer in time.")
    if len(replies) > 1:
        raise ProtocolError("a directory answered twice")
    return replies[0]


async def compare_directly(
    links: LinkManager,
    hop: Hop,
    adverts: AdvertSet,
    *,
    suite: int,
    push: bool,
    clock: Clock = time.time,
) -> Report:
    """Compare with a neighbour over a circuit of one hop. Raises CircuitClosed or ProtocolError."""
    circuit = ClientCircuit((hop,), suite, PURPOSE, BULK_PLAN)
    await circuit.build(links)
    outcome: Report | CircuitClosed | ProtocolError
    async with trio.open_nursery() as nursery:
        nursery.start_soon(circuit.run)
        try:
            outcome = await compare(circuit.open_stream(BEGIN), adverts, push=push, clock=clock)
            await circuit.aclose()
        except (CircuitClosed, ProtocolError) as error:
            outcome = error  # raised below: out of a nursery it would come as a group
        nursery.cancel_scope.cancel()
    if isinstance(outcome, Report):
        return outcome
    raise outcome


class DirectoryService:
    """Serves BEGIN purpose 4. `on_news` hears of adverts that were new to us."""

    def __init__(
        self,
        adverts: AdvertSet,
        *,
        on_news: Callable[[], None],
        sheet: bytes = b"",
        clock: Clock = time.time,
    ) -> None:
        self._sheet = sheet
        self._adverts = adverts
        self._on_news = on_news
        self._clock = clock
        self._seats = StreamSeats(MAX_STREAMS)

    def offer(self, sheet: bytes) -> None:
        """This is the node's sheet from now on."""
        self._sheet = sheet

    async def serve(self, stream: CircuitStream, _request: bytes) -> None:
        """Answer until the asking side has its end mark sent, is silent, or overdoes it."""
        await self._seats.serve(stream, self._converse)

    async def _converse(self, stream: CircuitStream) -> None:
        await self._answer(stream)
        await stream.send_eof()

    async def _answer(self, stream: CircuitStream) -> None:
        librarian, reader = Librarian(self._adverts, sheet=self._sheet), wire.reader(serving=True)
        while True:
            with trio.fail_after(IDLE_TIMEOUT_S):
                data = await stream.receive_some()
            if not data:
                return
            for request in reader.feed(data):
                reply = librarian.answer(request, int(self._clock()))
                if isinstance(reply, wire.Kept) and reply.kept:
                    self._on_news()
                with trio.fail_after(IDLE_TIMEOUT_S):
                    await stream.send_all(wire.encode(reply))

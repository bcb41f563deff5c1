"""The way to the ghost: what has arrived is handled, whoever stops listening meanwhile."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from engine.errors import CircuitClosed
from engine.market.seams import ByteStream
from engine.session.link import OPEN_PATIENCE_S, GhostLink
from engine.wire import session as wire
from tests.helpers.market_fakes import MemoryStream, stream_pair

pytestmark = pytest.mark.trio


async def test_messages_that_came_together_are_all_handled_though_the_reader_is_cancelled() -> None:
    """The last word and the word on a payment come in one piece; the answer is over with the
    first, and who waits for the second later would wait in vain."""
    client, ghost = stream_pair(bytes(32))
    handled: list[wire.Message] = []
    scope = trio.CancelScope()

    async def open_stream() -> MemoryStream:
        await trio.lowlevel.checkpoint()
        return client

    async def greet(_stream: ByteStream) -> None:
        await trio.lowlevel.checkpoint()

    async def handle(message: wire.Message) -> None:
        scope.cancel()
        await trio.lowlevel.checkpoint()
        handled.append(message)

    link = GhostLink(open_stream, greet=greet, handle=handle)
    await link.ensure()
    both = [wire.Paid(1, 1000, ()), wire.Paid(2, 2000, ())]
    await ghost.send_all(b"".join(map(wire.encode, both)))
    with scope:
        await link.read()
    assert handled == both


@pytest.mark.parametrize(("takes_s", "tries"), [(1.0, 4), (OPEN_PATIENCE_S - 1, 2)])
async def test_a_way_that_cannot_be_had_is_given_up_in_time(
    autojump_clock: MockClock, takes_s: float, tries: int
) -> None:
    """Four tries when they fail fast; none is begun after the patience has run out."""
    tried = 0

    async def open_stream() -> ByteStream:
        nonlocal tried
        tried += 1
        await trio.sleep(takes_s)
        raise CircuitClosed("No circuit could be built.")

    async def nobody(_what: object) -> None:
        raise AssertionError

    link = GhostLink(open_stream, greet=nobody, handle=nobody)
    with pytest.raises(CircuitClosed):
        await link.ensure()
    assert tried == tries
    assert autojump_clock.current_time() < 2 * OPEN_PATIENCE_S

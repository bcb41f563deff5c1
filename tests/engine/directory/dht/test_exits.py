"""Look-ups for clients: one question a stream, limited in all, remembered for a moment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import MockClock

from engine.directory.dht.exits import LOOKUP_BURST, REMEMBER_S, LookupService, ask
from engine.errors import CircuitClosed, ProtocolError
from engine.wire import lookup as wire
from engine.wire.frames import EndReason
from tests.helpers.market_fakes import stream_pair
from tests.helpers.records import KEY, record


def _finder(records: list[bytes], asked: list[bytes]) -> Callable[[bytes], Awaitable[list[bytes]]]:
    async def find(key: bytes) -> list[bytes]:
        asked.append(key)
        await trio.lowlevel.checkpoint()
        return records

    return find


async def _through(service: LookupService, key: bytes) -> tuple[bytes, ...] | None:
    """What the relay answers; None when it refuses."""
    client, relay = stream_pair(b"n" * 32)
    reasons: list[EndReason] = []

    def end(reason: EndReason) -> None:
        reasons.append(reason)
        client.cut()

    relay.accept = lambda: None  # type: ignore[attr-defined]
    relay.end = end  # type: ignore[attr-defined]
    found: tuple[bytes, ...] | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(service.serve, relay, b"")
        with contextlib.suppress(CircuitClosed):
            found = await ask(client, key)  # type: ignore[arg-type]
    assert reasons == ([] if found is not None else [EndReason.RESOURCE])
    return found


@pytest.mark.trio
async def test_a_question_is_answered_with_what_was_found() -> None:
    asked: list[bytes] = []
    raw = record()
    service = LookupService(_finder([raw], asked))
    assert await _through(service, KEY) == (raw,)
    assert asked == [KEY]
    assert service.served == 1


@pytest.mark.trio
async def test_an_answer_is_bounded_and_drawn_at_random() -> None:
    raws = [os.urandom(603) for _ in range(3 * wire.MAX_FOUND)]
    service = LookupService(_finder(raws, []))
    first, second = [await _through(service, KEY) for _ in range(2)]
    assert first is not None
    assert second is not None
    assert len(first) == len(second) == wire.MAX_FOUND
    assert set(first) != set(second)
    assert set(first) | set(second) <= set(raws)


@pytest.mark.trio
async def test_an_answer_is_remembered_for_a_moment(mock_clock: MockClock) -> None:
    asked: list[bytes] = []
    service = LookupService(_finder([], asked))
    for _ in range(3):
        await _through(service, KEY)
    assert len(asked) == 1
    mock_clock.jump(REMEMBER_S + 1)
    await _through(service, KEY)
    assert len(asked) == 2


@pytest.mark.trio
async def test_look_ups_in_all_are_limited(mock_clock: MockClock) -> None:
    """One cell here makes sixty questions there: who asks much gets a refusal."""
    service = LookupService(_finder([], []))
    answers = [await _through(service, os.urandom(32)) for _ in range(int(LOOKUP_BURST) + 5)]
    assert answers.count(None) == 5
    mock_clock.jump(1)
    assert await _through(service, os.urandom(32)) == ()


@pytest.mark.trio
async def test_a_relay_that_answers_twice_is_not_believed() -> None:
    client, relay = stream_pair(b"n" * 32)
    answer = wire.encode(wire.Found(()))
    await relay.send_all(answer + answer)
    with pytest.raises(ProtocolError):
        await ask(client, KEY)  # type: ignore[arg-type]


@pytest.mark.trio
async def test_a_silent_relay_is_given_up(autojump_clock: MockClock) -> None:
    client, _relay = stream_pair(b"n" * 32)
    with pytest.raises(CircuitClosed):
        await ask(client, KEY)  # type: ignore[arg-type]
    assert trio.current_time() < 60
    del autojump_clock

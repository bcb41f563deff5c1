# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""The line in front of the provider: bounds, fair turns, nothing leaks on any way out."""

from __future__ import annotations

import random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from engine.exit.queue import AnswerQueue, Slot

pytestmark = pytest.mark.trio


async def test_places_then_line_then_busy(autojump_clock: MockClock) -> None:
    queue = AnswerQueue(1, 1, 30)
    first = await queue.enter(b"a")
    assert isinstance(first, Slot)
    async with trio.open_nursery() as nursery:
        got: list[Slot | None] = []

        async def wait() -> None:
            got.append(await queue.enter(b"b"))

        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        assert queue.waiting == 1
        assert queue.load == 1.0
        assert await queue.enter(b"c") is None
        assert queue.after_s >= 1
        first.release()
    assert isinstance(got[0], Slot)
    got[0].release()
    got[0].release()
    assert (queue.running, queue.waiting) == (0, 0)


async def test_a_wait_ends(autojump_clock: MockClock) -> None:
    queue = AnswerQueue(1, 5, 30)
    slot = await queue.enter(b"a")
    assert slot is not None
    before = trio.current_time()
    assert await queue.enter(b"b") is None
    assert trio.current_time() - before == pytest.approx(30)
    slot.release()
    assert (queue.running, queue.waiting) == (0, 0)


async def test_sessions_take_turns(autojump_clock: MockClock) -> None:
    queue = AnswerQueue(1, 100, 1000)
    order: list[bytes] = []
    slot = await queue.enter(b"x")
    assert slot is not None

    async def ask(session: bytes) -> None:
        found = await queue.enter(session)
        assert found is not None
        order.append(session)
        await trio.sleep(1)
        found.release()

    async with trio.open_nursery() as nursery:
        for session in (b"greedy", b"greedy", b"greedy", b"one", b"two"):
            nursery.start_soon(ask, session)
            await wait_all_tasks_blocked()
        slot.release()
    assert order == [b"greedy", b"one", b"two", b"greedy", b"greedy"]


async def test_closing_sends_everybody_away(autojump_clock: MockClock) -> None:
    queue = AnswerQueue(1, 5, 1000)
    slot = await queue.enter(b"a")
    assert slot is not None
    got: list[Slot | None] = []

    async def wait() -> None:
        got.append(await queue.enter(b"b"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        queue.close()
    assert got == [None]
    assert await queue.enter(b"c") is None
    slot.release()
    assert queue.running == 0


async def test_a_turn_that_comes_with_the_cancelling_goes_to_the_next(
    autojump_clock: MockClock,
) -> None:
    queue = AnswerQueue(1, 5, 1000)
    slot = await queue.enter(b"a")
    assert slot is not None
    got: list[Slot | None] = []
    scope = trio.CancelScope()

    async def leaves() -> None:
        with scope:
            await queue.enter(b"b")

    async def stays() -> None:
        got.append(await queue.enter(b"c"))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leaves)
        await wait_all_tasks_blocked()
        nursery.start_soon(stays)
        await wait_all_tasks_blocked()
        scope.cancel()
        slot.release()
    assert isinstance(got[0], Slot)
    assert queue.running == 1


@pytest.mark.parametrize("seed", range(20))
async def test_no_place_is_lost_by_cancelling(seed: int, autojump_clock: MockClock) -> None:
    rng = random.Random(seed)
    queue = AnswerQueue(3, 10, 5)
    most = 0

    async def client(number: int) -> None:
        nonlocal most
        with trio.move_on_after(rng.uniform(0, 8)):
            slot = await queue.enter(b"%d" % (number % 7))
            if slot is None:
                return
            try:
                most = max(most, queue.running)
                await trio.sleep(rng.uniform(0, 4))
            finally:
                slot.release()

    async with trio.open_nursery() as nursery:
        for number in range(60):
            nursery.start_soon(client, number)
            await trio.sleep(rng.uniform(0, 0.5))
    assert (queue.running, queue.waiting) == (0, 0)
    assert most <= 3

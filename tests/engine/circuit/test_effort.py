"""Solving beside the loop: the right answer, a loop that goes on, a search that stops."""

from __future__ import annotations

import pytest
import trio

from engine.circuit.effort import solve_in_thread
from engine.crypto.work import check, solve

pytestmark = pytest.mark.trio


async def test_the_thread_finds_what_the_plain_search_finds() -> None:
    assert await solve_in_thread(b"challenge", 12) == solve(b"challenge", 12)


async def test_the_loop_goes_on_while_work_is_done() -> None:
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            await trio.sleep(0.001)
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tick)
        nonce = await solve_in_thread(b"the loop goes on", 17)
        nursery.cancel_scope.cancel()
    assert check(b"the loop goes on", nonce, 17)
    assert turns > 3


async def test_a_search_that_nobody_waits_for_ends() -> None:
    with trio.fail_after(60):
        with trio.move_on_after(0.05) as scope:
            await solve_in_thread(b"nobody waits", 24)
        assert scope.cancelled_caught
        assert await solve_in_thread(b"and the next one has its turn", 4)

# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""What no socket tells: sleep, and silence where cells are due."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from engine.session.watch import SILENT_S, SilenceWatch, clock_with_sleep, watch_for_wake

pytestmark = pytest.mark.trio


async def test_a_jump_of_the_clock_that_counts_sleep_is_a_wake(autojump_clock: MockClock) -> None:
    slept = 0.0
    woken: list[float] = []

    def clock() -> float:
        return 1000.0 + trio.current_time() + slept

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: watch_for_wake(lambda: woken.append(slept), clock=clock))
        await trio.sleep(100)
        assert not woken
        slept = 3600.0
        await trio.sleep(5)
        assert woken == [3600.0]
        await trio.sleep(100)
        assert len(woken) == 1
        nursery.cancel_scope.cancel()


async def test_the_clock_goes_on() -> None:
    await trio.lowlevel.checkpoint()
    assert clock_with_sleep() <= clock_with_sleep()


async def test_a_circuit_is_silent_only_while_cells_are_due(autojump_clock: MockClock) -> None:
    watch = SilenceWatch()
    assert not watch.is_silent(1, due=True)
    await trio.sleep(SILENT_S - 1)
    assert not watch.is_silent(1, due=True)
    await trio.sleep(2)
    assert watch.is_silent(1, due=True)
    assert not watch.is_silent(2, due=True)
    await trio.sleep(SILENT_S * 2)
    assert not watch.is_silent(2, due=False)
    await trio.sleep(1)
    assert not watch.is_silent(2, due=True)

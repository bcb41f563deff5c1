"""The clock of shaped circuits: in order, at the time, together, and never without a keeper."""

from __future__ import annotations

import random

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from engine.circuit.beats import GRAIN_S, Beats, beats

pytestmark = pytest.mark.trio


class Called:
    """A circuit that wants to be called a number of times."""

    def __init__(self, clock: Beats, log: list[str], name: str, period: float, times: int) -> None:
        self._clock, self._log, self._name = clock, log, name
        self._period, self._times = period, times
        self._due = 0.0
        self.lateness: list[float] = []

    async def run(self, first: float) -> None:
        self._due = first
        await self._clock.keep(first, self._beat, lambda: self._log.append("flush"))

    def _beat(self) -> float | None:
        self.lateness.append(trio.current_time() - self._due)
        self._log.append(self._name)
        self._times -= 1
        self._due += self._period
        return self._due if self._times else None


async def test_everyone_is_called_at_the_time_however_many_there_are(
    autojump_clock: MockClock,
) -> None:
    clock, log = Beats(), list[str]()
    rng = random.Random(7)
    circuits = [Called(clock, log, "call", rng.uniform(0.05, 0.2), 40) for _ in range(100)]
    async with trio.open_nursery() as nursery:
        for circuit in circuits:
            nursery.start_soon(circuit.run, autojump_clock.current_time() + rng.uniform(0, 0.2))
    late = [late for circuit in circuits for late in circuit.lateness]
    assert len(late) == 4_000
    assert min(late) >= 0
    assert max(late) <= GRAIN_S + 1e-9
    assert autojump_clock.current_time() < 12


async def test_what_is_due_together_is_flushed_after_all_calls(autojump_clock: MockClock) -> None:
    clock, log = Beats(), list[str]()
    due = autojump_clock.current_time() + 1
    async with trio.open_nursery() as nursery:
        for name in ("a", "b", "c"):
            nursery.start_soon(Called(clock, log, name, 1, 1).run, due)
    assert sorted(log[:3]) == ["a", "b", "c"]
    assert log[3:] == ["flush"] * 3


async def test_an_earlier_call_wakes_the_sleeper(autojump_clock: MockClock) -> None:
    clock, log = Beats(), list[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            Called(clock, log, "late", 1, 1).run, autojump_clock.current_time() + 1_000
        )
        await wait_all_tasks_blocked()
        early = Called(clock, log, "early", 1, 1)
        nursery.start_soon(early.run, autojump_clock.current_time() + 5)
    assert log == ["early", "flush", "late", "flush"]
    assert early.lateness == [pytest.approx(0)]


@pytest.mark.parametrize("first_leaves", ["cancelled", "over", "failed"])
async def test_the_clock_goes_on_when_its_keeper_leaves(
    first_leaves: str, autojump_clock: MockClock
) -> None:
    clock, log = Beats(), list[str]()
    scope = trio.CancelScope()

    async def keeper() -> None:
        def beat() -> float | None:
            if first_leaves == "failed":
                raise ValueError("broken")
            return None

        due = autojump_clock.current_time() + (1_000 if first_leaves == "cancelled" else 1)
        with scope:
            if first_leaves == "failed":
                with pytest.raises(ValueError, match="broken"):
                    await clock.keep(due, beat, lambda: None)
            else:
                await clock.keep(due, beat, lambda: None)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper)
        await wait_all_tasks_blocked()
        others = [Called(clock, log, "x", 1, 3) for _ in range(3)]
        for other in others:
            nursery.start_soon(other.run, autojump_clock.current_time() + 2)
        await wait_all_tasks_blocked()
        scope.cancel()
    assert log.count("x") == 9
    assert all(late <= GRAIN_S for other in others for late in other.lateness)


async def test_keepers_cancelled_all_at_once_leave_nothing(autojump_clock: MockClock) -> None:
    clock, log = Beats(), list[str]()
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(
                Called(clock, log, "x", 1, 50).run, autojump_clock.current_time() + 1
            )
        await trio.sleep(3.5)
        nursery.cancel_scope.cancel()
    called = log.count("x")
    await Called(clock, log, "after", 1, 2).run(autojump_clock.current_time() + 1)
    assert called == 60
    assert log[-4:] == ["after", "flush", "after", "flush"]


async def test_a_fault_in_one_circuit_ends_only_its_own_wait(autojump_clock: MockClock) -> None:
    clock, log = Beats(), list[str]()

    def broken() -> float | None:
        raise ValueError("broken")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(Called(clock, log, "x", 1, 3).run, autojump_clock.current_time() + 1)
        await wait_all_tasks_blocked()
        with pytest.raises(ValueError, match="broken"):
            await clock.keep(autojump_clock.current_time() + 1.5, broken, lambda: None)
    assert log.count("x") == 3


async def test_a_run_of_the_event_loop_has_one_clock() -> None:
    assert beats() is beats()

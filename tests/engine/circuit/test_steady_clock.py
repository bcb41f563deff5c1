"""Time that does not jump: steps are believed late, drift at once, sleep is time too."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.circuit.steady_clock import FOLLOW_S, HOLD_S, SteadyClock

START = 1_800_000_000.0
DAY = 86_400.0


@dataclass
class Clocks:
    """A wall clock that may be set, and a monotonic one that may not."""

    wall: float = START
    elapsed: float = 5_000.0

    def steady(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.elapsed)

    def pass_time(self, seconds: float) -> None:
        self.wall += seconds
        self.elapsed += seconds


def run(clocks: Clocks, clock: SteadyClock, seconds: float, step: float = 300.0) -> None:
    for _ in range(int(seconds / step)):
        clocks.pass_time(step)
        clock.now()


def test_it_follows_the_wall_clock() -> None:
    clocks = Clocks()
    clock = clocks.steady()
    run(clocks, clock, DAY)
    assert clock.now() == clocks.wall


def test_corrections_of_a_minute_are_followed_at_once() -> None:
    clocks = Clocks()
    clock = clocks.steady()
    clocks.wall += FOLLOW_S - 1
    assert clock.now() == clocks.wall


@pytest.mark.parametrize("step", [-30 * DAY, -7_200, 7_200, 365 * DAY])
def test_a_step_is_believed_when_it_has_stood_for_half_an_hour(step: float) -> None:
    clocks = Clocks()
    clock = clocks.steady()
    clock.now()
    clocks.wall += step
    assert clock.now() == START
    assert clock.disagreement_s == step
    run(clocks, clock, HOLD_S - 300)
    assert clock.now() == START + HOLD_S - 300
    run(clocks, clock, 600)
    assert clock.now() == clocks.wall
    assert clock.disagreement_s == 0


def test_a_step_that_is_taken_back_leaves_no_trace() -> None:
    clocks = Clocks()
    clock = clocks.steady()
    clocks.wall += 365 * DAY
    run(clocks, clock, 900)
    clocks.wall -= 365 * DAY
    run(clocks, clock, DAY)
    assert clock.now() == START + 900 + DAY


@given(st.lists(st.tuples(st.floats(0, 600), st.floats(-DAY, DAY)), max_size=40))
def test_within_the_hold_time_it_never_jumps(steps: list[tuple[float, float]]) -> None:
    """However the wall clock is thrown about, time moves by what passed and ordinary drift."""
    clocks = Clocks()
    clock = clocks.steady()
    before, passed = clock.now(), 0.0
    for seconds, jump in steps:
        if passed + seconds >= HOLD_S:
            break
        clocks.pass_time(seconds)
        clocks.wall += jump
        passed += seconds
        now = clock.now()
        assert abs(now - before - seconds) <= FOLLOW_S + 1e-3
        before = now

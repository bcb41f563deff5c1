"""The learned timeout of building: bounded, scaled by the path, forgotten when the net changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.circuit.build_times import ENOUGH, FACTOR, FIRST_S, LEAST_S, TOO_MANY, BuildTimes

HOPS = (0.1, 0.4, 0.6, 0.8)  # 0.2 s a link


def learned() -> BuildTimes:
    times = BuildTimes()
    for _ in range(ENOUGH):
        times.built(HOPS)
    return times


def test_nothing_is_learned_from_a_few() -> None:
    times = BuildTimes()
    for _ in range(ENOUGH - 1):
        times.built(HOPS)
    assert times.timeout_s(4) == FIRST_S
    times.built(HOPS)
    assert times.timeout_s(4) == FACTOR * 1.8


def test_longer_paths_get_more_time() -> None:
    times = learned()
    assert times.timeout_s(4) / times.timeout_s(3) == pytest.approx(9 / 5)


def test_a_slow_minority_does_not_set_the_pace() -> None:
    times = learned()
    for _ in range(4):
        times.built([10 * hop for hop in HOPS])
    assert times.timeout_s(4) < 2 * FACTOR * 1.8


def test_after_many_timeouts_everything_is_forgotten() -> None:
    times = learned()
    for _ in range(TOO_MANY - 1):
        times.timed_out()
    assert times.timeout_s(4) < FIRST_S
    times.timed_out()
    assert times.timeout_s(4) == FIRST_S


def test_timeouts_between_successes_are_ordinary() -> None:
    times = learned()
    for _ in range(50):
        times.timed_out()
        times.built(HOPS)
        times.built(HOPS)
    assert times.timeout_s(4) < FIRST_S


@given(st.lists(st.lists(st.floats(0, 1e6), max_size=4), max_size=60), st.integers(1, 4))
def test_it_stays_within_its_bounds(history: list[list[float]], hops: int) -> None:
    times = BuildTimes()
    for hop_times in history:
        times.built(hop_times)
    assert LEAST_S <= times.timeout_s(hops) <= FIRST_S

"""The token bucket: never more than burst and rate, whatever the clock does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bucket import Bucket


@given(st.lists(st.tuples(st.floats(0, 10), st.booleans()), max_size=60))
def test_a_bucket_never_gives_more_than_its_burst_and_rate(steps: list[tuple[float, bool]]) -> None:
    bucket, now, taken = Bucket(3.0, 5.0, 0.0), 0.0, 0
    for pause, take in steps:
        now += pause
        taken += take and bucket.take(now)
        assert taken <= 5.0 + 3.0 * now + 1e-6


def test_a_bucket_that_was_overdrawn_says_how_long_to_wait() -> None:
    bucket = Bucket(0.25, 1.0, 0.0)
    assert bucket.wait_s(0.0) == 0.0
    bucket.charge(0.0, 2.0)
    assert bucket.wait_s(0.0) == pytest.approx(4.0)
    assert bucket.wait_s(4.0) == 0.0


def test_time_that_goes_back_gives_nothing() -> None:
    bucket = Bucket(1.0, 1.0, 100.0)
    assert bucket.take(100.0)
    assert not bucket.take(0.0)

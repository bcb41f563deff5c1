"""Numbers that cannot be counted with are no numbers."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.app.jsonish import MOST_WHOLE, maybe_real, maybe_whole, whole

ODD = [nan, inf, -inf, True, False, None, "7", [7], {"n": 7}]


@pytest.mark.parametrize("value", ODD)
def test_what_is_no_number_becomes_the_default(value: object) -> None:
    source = {"n": value}
    assert whole(source, "n", 5) == 5
    assert maybe_whole(source, "n") is None
    assert maybe_real(source, "n") is None


@pytest.mark.parametrize("value", [10**400, -(10**400), (1 << 63) + 1, 1e300, -1e300])
def test_a_number_beyond_all_that_is_counted_is_none(value: float) -> None:
    assert whole({"n": value}, "n", 5) == 5
    assert maybe_whole({"n": value}, "n") is None


def test_an_integer_no_float_can_hold_is_no_real_number() -> None:
    assert maybe_real({"n": 10**400}, "n") is None


def test_a_missing_field_is_the_default() -> None:
    assert whole({}, "n") == 0
    assert maybe_real({}, "n") is None


@given(st.integers(-MOST_WHOLE, MOST_WHOLE) | st.floats(-1e15, 1e15))
def test_a_number_keeps_its_whole_part(value: float) -> None:
    assert whole({"n": value}, "n") == int(value)

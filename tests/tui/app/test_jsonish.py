"""Numbers that cannot be counted with are no numbers."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.app.jsonish import maybe_real, maybe_whole, whole

ODD = [nan, inf, -inf, True, False, None, "7", [7], {"n": 7}]


@pytest.mark.parametrize("value", ODD)
def test_what_is_no_number_becomes_the_default(value: object) -> None:
    source = {"n": value}
    assert whole(source, "n", 5) == 5
    assert maybe_whole(source, "n") is None
    assert maybe_real(source, "n") is None


def test_an_integer_no_float_can_hold_is_shown_whole_or_not_at_all() -> None:
    source = {"n": 10**400}
    assert whole(source, "n") == 10**400
    assert maybe_real(source, "n") is None


def test_a_missing_field_is_the_default() -> None:
    assert whole({}, "n") == 0
    assert maybe_real({}, "n") is None


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_whole_part(value: float) -> None:
    assert whole({"n": value}, "n") == int(value)

"""Bars of block characters: their size, their order, and that nothing that is there is hidden."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.app.plot import EIGHTHS, columns

VALUES = st.lists(st.floats(-10, 1e9, allow_nan=False), max_size=60)


@given(VALUES, st.integers(1, 90), st.integers(1, 6))
def test_a_plot_has_the_size_that_was_asked(values: list[float], width: int, height: int) -> None:
    lines = columns(values, width, height)
    assert [len(line) for line in lines] == [width] * height
    assert set("".join(lines)) <= set(EIGHTHS)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=30), st.integers(1, 4))
def test_what_is_there_is_seen_and_what_is_not_is_not(values: list[int], height: int) -> None:
    lines = columns(values, len(values), height)
    for place, value in enumerate(values):
        seen = any(line[place] != " " for line in lines)
        assert seen == (value > 0)


def test_the_highest_fills_the_plot_and_half_of_it_fills_half() -> None:
    assert columns([0, 4, 8], 3, 2) == ["  █", " ██"]
    assert columns([1, 2, 3, 8], 2, 1) == ["▃█"]
    assert columns([8, 8], 12, 1) == ["█████ █████ "]
    assert columns([], 3, 2) == ["   ", "   "]
    assert columns([1], 0, 2) == []

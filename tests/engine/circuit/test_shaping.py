"""The shaping clock: ticks on the grid, stops only at bucket ends, nothing about content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.circuit.shaping import BULK_PLAN, ShapeClass, ShapePlan, Shaper
from engine.errors import WireError

PLAN = ShapePlan(ShapeClass.TEXT, 100, (4, 8, 16))


def run(shaper: Shaper, wants: list[bool], start: float = 10.0) -> list[float]:
    """Drive a run with one `more` per tick; returns the times at which cells left."""
    shaper.start(start)
    left = []
    for more in wants:
        now = shaper.next_tick_at
        if now is None:
            break
        if shaper.tick(now, more=more):
            left.append(now)
    return left


def test_first_cell_leaves_at_once_and_then_on_the_grid() -> None:
    left = run(Shaper(PLAN), [True] * 4)
    assert left == pytest.approx([10.0, 10.1, 10.2, 10.3])


@given(st.integers(min_value=0, max_value=60))
def test_a_run_stops_only_at_a_bucket_end(needed: int) -> None:
    wants = [place < needed for place in range(200)]
    count = len(run(Shaper(PLAN), wants))
    # `more` is asked after each cell, so data for cell n holds the run open at n.
    ends = [4, 8, 16, 32, 48, 64]
    assert count == next(end for end in ends if end >= needed or not wants[end])


@given(st.lists(st.booleans(), min_size=40, max_size=40))
def test_what_leaves_does_not_depend_on_content_within_a_bucket(wants: list[bool]) -> None:
    assert run(Shaper(PLAN), wants)[:4] == run(Shaper(PLAN), [False] * 40)[:4]


def test_missed_ticks_are_skipped_not_caught_up() -> None:
    shaper = Shaper(PLAN)
    shaper.start(0.0)
    assert shaper.tick(0.0, more=True)
    assert shaper.tick(0.35, more=True)
    assert not shaper.tick(0.36, more=True)
    assert shaper.next_tick_at == pytest.approx(0.4)


def test_starting_a_running_clock_changes_nothing() -> None:
    shaper = Shaper(PLAN)
    shaper.start(0.0)
    shaper.tick(0.0, more=True)
    shaper.start(0.05)
    assert shaper.next_tick_at == pytest.approx(0.1)


def test_always_on_never_stops() -> None:
    shaper = Shaper(ShapePlan(ShapeClass.ALWAYS_ON, 100, (4,)))
    assert len(run(shaper, [False] * 50)) == 50
    assert shaper.running


def test_bulk_is_not_shaped() -> None:
    assert not Shaper(BULK_PLAN).shaped


@pytest.mark.parametrize(
    ("tick_ms", "ladder"),
    [(0, (4,)), (9, (4,)), (5_001, (4,)), (100, ()), (100, (4, 4)), (100, (8, 4)), (100, (0, 4))],
)
def test_plans_that_make_no_sense_are_refused(tick_ms: int, ladder: tuple[int, ...]) -> None:
    with pytest.raises(WireError):
        ShapePlan(ShapeClass.TEXT, tick_ms, ladder)

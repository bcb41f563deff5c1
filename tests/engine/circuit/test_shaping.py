"""The shaping clock: ticks on the grid, stops only at bucket ends, nothing about content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.circuit.shaping import BULK_PLAN, Beat, ShapeClass, ShapePlan, Shaper
from engine.errors import WireError

PLAN = ShapePlan(ShapeClass.TEXT, 100, (4, 8, 16))


def leader(plan: ShapePlan = PLAN) -> Shaper:
    return Shaper(plan, leads=True)


def run(shaper: Shaper, wants: list[bool], start: float = 10.0) -> list[float]:
    """Drive a run with one `more` per tick; returns the times at which cells left."""
    shaper.start(start)
    left = []
    for more in wants:
        now = shaper.next_tick_at
        if now is None:
            break
        if shaper.tick(now, more=more) is not Beat.NONE:
            left.append(now)
    return left


def test_first_cell_leaves_at_once_and_then_on_the_grid() -> None:
    left = run(leader(), [True] * 4)
    assert left == pytest.approx([10.0, 10.1, 10.2, 10.3])


@given(st.integers(min_value=0, max_value=60))
def test_a_run_stops_only_at_a_bucket_end(needed: int) -> None:
    wants = [place < needed for place in range(200)]
    count = len(run(leader(), wants))
    # The last cell of a bucket is a dummy, so data for cell n needs a bucket above n.
    assert count == next(end for end in (4, 8, 16, 32, 48, 64) if end > needed)


def test_the_last_cell_of_a_run_is_announced_as_such() -> None:
    shaper = leader(ShapePlan(ShapeClass.TEXT, 125, (4, 8)))
    shaper.start(0.0)
    beats = [shaper.tick(at * 0.125, more=False) for at in range(6)]
    assert beats == [Beat.CELL] * 3 + [Beat.LAST] + [Beat.NONE] * 2
    assert not shaper.running


@given(st.lists(st.booleans(), min_size=40, max_size=40))
def test_what_leaves_does_not_depend_on_content_within_a_bucket(wants: list[bool]) -> None:
    assert run(leader(), wants)[:4] == run(leader(), [False] * 40)[:4]


@given(st.lists(st.booleans(), min_size=40, max_size=40))
def test_a_follower_sends_until_it_is_told_to_stop(wants: list[bool]) -> None:
    shaper = Shaper(PLAN, leads=False)
    assert len(run(shaper, wants)) == 40
    shaper.stop()
    assert not shaper.running
    assert shaper.tick(99.0, more=True) is Beat.NONE


def test_missed_ticks_are_skipped_not_caught_up() -> None:
    shaper = leader()
    shaper.start(0.0)
    assert shaper.tick(0.0, more=True) is Beat.CELL
    assert shaper.tick(0.35, more=True) is Beat.CELL
    assert shaper.tick(0.36, more=True) is Beat.NONE
    assert shaper.next_tick_at == pytest.approx(0.4)


def test_starting_a_running_clock_changes_nothing() -> None:
    shaper = leader()
    shaper.start(0.0)
    shaper.tick(0.0, more=True)
    shaper.start(0.05)
    assert shaper.next_tick_at == pytest.approx(0.1)


def test_always_on_never_stops() -> None:
    shaper = leader(ShapePlan(ShapeClass.ALWAYS_ON, 100, (4,)))
    assert len(run(shaper, [False] * 50)) == 50
    assert shaper.running
    assert shaper.always_on


def test_bulk_is_not_shaped() -> None:
    assert not leader(BULK_PLAN).shaped


@pytest.mark.parametrize(
    ("tick_ms", "ladder"),
    [(0, (4,)), (9, (4,)), (5_001, (4,)), (100, ()), (100, (4, 4)), (100, (8, 4)), (100, (0, 4))],
)
def test_plans_that_make_no_sense_are_refused(tick_ms: int, ladder: tuple[int, ...]) -> None:
    with pytest.raises(WireError):
        ShapePlan(ShapeClass.TEXT, tick_ms, ladder)

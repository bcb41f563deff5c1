"""Cover circuits: runs like those of a talk, at random moments, within a budget of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import cast

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from engine.circuit.client import CircuitState, ClientCircuit
from engine.circuit.stream import CircuitStream
from engine.errors import CircuitClosed
from engine.session.cover import (
    BUILD_CELLS,
    HOUR_S,
    ByteBudget,
    CoverTraffic,
    draw_talk,
    hold_s,
    run_bytes,
)
from engine.session.cover_settings import CoverSettings
from engine.session.pinned import SETTLE_IDLE_S
from engine.wire.shape import ShapeClass, ShapePlan
from tests.helpers.joined import Joined

PLAN = ShapePlan(ShapeClass.TEXT, 125, (16, 64, 256))
ON = CoverSettings(enabled=True, per_hour=6.0, bytes_per_hour=50_000_000)


class JoinedCircuit:
    """A client's end in virtual time that is used like a circuit."""

    def __init__(self, joined: Joined) -> None:
        self.state = CircuitState.OPEN
        self.endpoint = joined.client

    def go(self) -> None:
        self.endpoint.go()

    async def aclose(self) -> None:
        await self.endpoint.wait_quiet()
        self.state = CircuitState.CLOSED


async def refused(_stream: CircuitStream) -> None:
    raise AssertionError("a cover circuit opened a stream")


def runs_of(times: list[int]) -> Iterator[int]:
    """Lengths of the runs in a trace: cells with no more than a tick between them."""
    count = 0
    for place, at in enumerate(times):
        count += 1
        if place + 1 == len(times) or times[place + 1] - at > PLAN.tick_ms:
            yield count
            count = 0


@pytest.mark.parametrize("seed", range(8))
def test_on_the_wire_a_cover_talk_is_runs_that_end_on_steps_of_the_ladder(seed: int) -> None:
    async def main() -> tuple[list[int], list[int]]:
        async with trio.open_nursery() as nursery:
            joined = Joined(PLAN, refused, nursery)
            joined.start()

            async def build(_plan: ShapePlan) -> ClientCircuit:
                joined.start_pumps()
                return cast("ClientCircuit", JoinedCircuit(joined))

            cover = CoverTraffic(ON, PLAN, build, rng=Random(seed))
            await cover.talk()
            assert cover.talks == 1
            assert joined.exit.data_regions_in <= 1  # the shape, in the first cell
            nursery.cancel_scope.cancel()
        return joined.trace()

    up, down = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    lengths = list(runs_of(up))
    assert len(lengths) >= 3  # opening, a question, farewell
    assert set(lengths) <= {16, 64, 256}
    assert lengths == list(runs_of(down))
    assert down == [at + 31 for at in up]


@given(st.integers(0, 10_000))
def test_a_talk_opens_asks_and_takes_leave_when_a_real_one_would(seed: int) -> None:
    first, *questions, last = draw_talk(PLAN, Random(seed))
    assert (first.pause_s, first.step) == (0.0, 0)
    assert questions
    assert SETTLE_IDLE_S <= last.pause_s <= SETTLE_IDLE_S * 7 / 6


@given(st.integers(0, 2), st.integers(0, 10_000))
def test_a_run_is_held_into_its_own_bucket(step: int, seed: int) -> None:
    before = PLAN.ladder[step - 1] if step else 0
    ticks = hold_s(PLAN, step, Random(seed)) / PLAN.tick_s
    assert before < ticks < PLAN.ladder[step] - 1


def test_the_budget_fills_evenly_and_holds_an_hour() -> None:
    budget = ByteBudget(3_600, now=0.0)
    assert budget.take(3_600, 0.0)
    assert not budget.take(11, 10.0)
    assert budget.take(10, 10.0)
    assert budget.take(3_600, 9 * HOUR_S)
    assert not budget.take(1, 9 * HOUR_S)


@given(st.lists(st.tuples(st.floats(0, 500), st.integers(1, 2_000)), max_size=60))
def test_no_more_than_the_limit_is_spent_in_any_hour(asks: list[tuple[float, int]]) -> None:
    budget, now, spent = ByteBudget(5_000, 0.0), 0.0, 0
    for gap, count in asks:
        now += gap
        spent += count if budget.take(count, now) else 0
    assert spent <= 5_000 + 5_000 * now / HOUR_S + 1e-6


def build_fails(counted: list[int]) -> CoverTraffic:
    async def build(_plan: ShapePlan) -> ClientCircuit:
        counted.append(1)
        raise CircuitClosed("No circuit.")

    return CoverTraffic(ON, PLAN, build, rng=Random(1))


def test_talks_begin_at_random_and_a_failure_ends_only_itself() -> None:
    built: list[int] = []

    async def main() -> None:
        with trio.move_on_after(100 * HOUR_S):
            await build_fails(built).run()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert 500 < len(built) < 700  # six an hour, Poisson


def test_it_is_off_unless_wanted_and_stops_at_the_budget() -> None:
    built: list[int] = []
    off = build_fails(built)
    off.settings = CoverSettings()
    trio.run(off.run)
    poor = build_fails(built)
    poor.settings = CoverSettings(enabled=True, bytes_per_hour=BUILD_CELLS * 2_048 - 1)
    trio.run(poor.talk)
    assert built == []
    assert run_bytes(PLAN, 1) == 64 * 2_048 * 2

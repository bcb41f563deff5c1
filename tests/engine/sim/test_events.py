"""Virtual time and weather."""

from __future__ import annotations

import statistics
from random import Random

from engine.sim.events import Events
from engine.sim.weather import Climate, Weather


def test_things_happen_in_order_and_on_time() -> None:
    events = Events(100.0)
    seen: list[tuple[str, float]] = []
    for name, delay in (("late", 3.0), ("first", 1.0), ("second", 1.0)):
        events.after(delay, lambda name=name: seen.append((name, events.now)))
    events.run_for(2.0)
    assert seen == [("first", 101.0), ("second", 101.0)]
    assert events.now == 102.0
    events.run_for(2.0)
    assert seen[-1] == ("late", 103.0)


def test_what_happens_may_cause_more() -> None:
    events = Events(0.0)
    ticks: list[float] = []

    def tick() -> None:
        ticks.append(events.now)
        events.after(1.0, tick)

    tick()
    events.run_until(5.5)
    assert ticks == [0, 1, 2, 3, 4, 5]


def test_a_way_there_and_back_takes_80_ms_in_the_median() -> None:
    weather = Weather(Random(1), Climate(loss=0.0))
    delays = [weather.delay(n, -n - 1) or 0.0 for n in range(2_000)]
    assert 0.070 < 2 * statistics.median(delays) < 0.090
    assert min(delays) >= 0.005


def test_losses_and_partitions() -> None:
    weather = Weather(Random(1), Climate(loss=0.25))
    lost = sum(weather.delay(1, 2) is None for _ in range(4_000))
    assert 900 < lost < 1_100
    weather.part({1: 1})
    assert weather.delay(1, 2) is None
    assert any(weather.delay(2, 3) is not None for _ in range(50))
    weather.mend()
    assert any(weather.delay(1, 2) is not None for _ in range(50))

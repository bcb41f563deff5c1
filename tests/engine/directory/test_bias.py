"""Path-bias counters: certain before they judge, and forgetful of old times."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from engine.directory.bias import (
    DROP_BELOW,
    MIN_CIRCUITS,
    SCALE_AT,
    WARN_BELOW,
    Tally,
    Verdict,
)


def judged(rate: float, circuits: int, seed: int) -> list[Verdict]:
    """The verdict after each of `circuits`, of which `rate` go well."""
    rng, tally, found = Random(seed), Tally(), []
    for _ in range(circuits):
        tally.add(rng.random() < rate)
        found.append(tally.verdict())
    return found


def test_no_verdict_before_enough_circuits() -> None:
    found = judged(0.0, MIN_CIRCUITS, 1)
    assert set(found[:-1]) == {Verdict.FINE}
    assert found[-1] is Verdict.DROP


def test_a_guard_at_a_threshold_is_given_the_benefit_of_the_doubt() -> None:
    for seed in range(10):
        assert Verdict.DROP not in judged(DROP_BELOW + 0.1, 2_000, seed)
        assert Verdict.WARN not in judged(WARN_BELOW + 0.1, 2_000, seed)


def test_a_guard_well_below_is_dropped_within_the_window() -> None:
    for seed in range(10):
        assert Verdict.DROP in judged(0.3, 120, seed)
        assert Verdict.WARN in judged(0.5, 200, seed)


@given(st.lists(st.booleans(), max_size=2_000))
def test_counts_stay_small_and_in_order(results: list[bool]) -> None:
    tally = Tally()
    for good in results:
        tally.add(good)
    assert 0 <= tally.good <= tally.tried < SCALE_AT
    assert tally.rate is None or 0 <= tally.rate <= 1


def test_old_behaviour_fades() -> None:
    tally = Tally()
    for _ in range(5_000):
        tally.add(True)
    for _ in range(600):
        tally.add(False)
    assert tally.verdict() is Verdict.DROP

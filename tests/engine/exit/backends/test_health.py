"""The circuit breaker of one upstream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.exit.backends.faults import KINDS
from engine.exit.backends.health import (
    FAILURES,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    OWN_FAULTS,
    RATE_PAUSE_S,
    Health,
)


def broken(now: float = 0.0) -> Health:
    health = Health()
    for _ in range(FAILURES):
        assert health.usable(now)
        health.failed("overloaded", None, now)
    return health


def test_a_few_failures_in_a_row_pause_it_and_one_trial_decides() -> None:
    health = broken()
    assert not health.usable(FIRST_PAUSE_S - 0.1)
    assert health.wait_s(1.0) == FIRST_PAUSE_S - 1.0
    assert health.usable(FIRST_PAUSE_S)
    health.began()
    assert not health.usable(FIRST_PAUSE_S)  # one question is enough to try it
    health.failed("timeout", None, FIRST_PAUSE_S)
    assert health.until == FIRST_PAUSE_S + 2 * FIRST_PAUSE_S
    health.began()
    health.spoke()
    assert health == Health()


def test_one_failure_between_answers_is_nothing() -> None:
    health = Health()
    for _ in range(3 * FAILURES):
        health.failed("overloaded", None, 0.0)
        health.spoke()
    assert health.usable(0.0)


def test_pauses_double_up_to_a_limit() -> None:
    health, now = broken(), FIRST_PAUSE_S
    for _ in range(12):
        health.began()
        health.failed("unreachable", None, now)
        now = health.until
    health.began()
    health.failed("unreachable", None, now)
    assert health.until == now + LONGEST_PAUSE_S


@pytest.mark.parametrize(
    ("kind", "after", "pause"),
    [
        ("rate_limit", 40.0, 40.0),
        ("rate_limit", None, RATE_PAUSE_S),
        ("overloaded", 12.0, 12.0),
        ("timeout", 3.0, 3.0),
    ],
)
def test_its_own_words_are_obeyed_at_once(kind: str, after: float | None, pause: float) -> None:
    health = Health()
    health.failed(kind, after, 100.0)
    assert health.kind == kind
    for short in (None, 1.0):  # answers that were under way break too
        health.failed("overloaded", short, 100.0)
    assert health.wait_s(100.0) == pause
    health.spoke()  # and another one goes on
    assert health.wait_s(100.0) == pause


def test_a_refused_key_is_out_until_told() -> None:
    health = Health()
    health.failed("auth", None, 0.0)
    assert health.wait_s(1e9) is None
    for kind in KINDS:
        health.failed(kind, 1.0, 0.0)
    health.spoke()
    assert not health.usable(1e9)
    health.restore()
    assert health.usable(0.0)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - OWN_FAULTS))
def test_a_refused_question_says_nothing_about_it(kind: str) -> None:
    health = broken()
    health.began()
    health.failed(kind, None, 0.0)
    assert health == Health()


def test_a_trial_that_nobody_waited_for_is_made_again() -> None:
    health = broken()
    health.began()
    health.left()
    assert health.usable(FIRST_PAUSE_S)


STEPS = st.one_of(
    st.tuples(st.just("failed"), st.sampled_from(KINDS), st.none() | st.floats(0, 1e5)),
    st.tuples(st.sampled_from(["began", "spoke", "left", "restore"])),
)


@given(st.lists(st.tuples(st.floats(0, 100), STEPS), max_size=30))
def test_it_always_comes_back_unless_its_key_was_refused(steps: list[tuple[float, tuple]]) -> None:
    health, now = Health(), 0.0
    for wait, (name, *rest) in steps:
        now += wait
        if name == "failed":
            health.failed(*rest, now)
        elif name != "began" or health.usable(now):
            getattr(health, name)()
        assert health.usable(now) == (health.state == "well" or health.wait_s(now) == 0.0) or (
            health.state == "trial"
        )
    if health.state == "trial":
        health.left()
    assert health.usable(now + 1e6) == (health.state != "out")

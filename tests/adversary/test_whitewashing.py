"""A population of honest and bad ghosts, and clients that only have their own eyes.

The bad ones bill too much, are slow, answer wrongly, take and stop, are good for ten questions and
rob in the next two, come back under a fresh name after each theft, or offer a bait of a price.
Passing means: what they get falls from half of all questions, as by chance, to a stated share, also
when two hundred fresh names are thrown in.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.reputation import report
from engine.sim.reputation import HONEST, Setup, simulate

SMALL = Setup(clients=4, sessions=160)


@pytest.mark.parametrize("seed", [1, 2])
def test_bad_ghosts_get_little_after_some_sessions(seed: int) -> None:
    """Figures of the full run are in docs/reputation.md; this one is shorter."""
    found = simulate(replace(SMALL, seed=seed))
    last = found.last
    assert last.bad / last.asked < 0.15
    assert last.robbed / last.asked < 0.015
    assert last.harmed / last.asked < 0.12
    assert found.most_of_one < 0.65, "nor does one ghost see all of a client"


def test_by_chance_they_get_their_half() -> None:
    """The control: the same ghosts, without opinions."""
    last = simulate(replace(SMALL, by_chance=True)).last
    assert last.bad / last.asked > 0.35
    assert last.robbed / last.asked > 0.03


def test_fresh_names_by_the_hundred_buy_a_bounded_share() -> None:
    """At first nearly all that are there to be asked; then what newcomers get."""
    found = simulate(replace(SMALL, clients=2, sybils=200))
    assert found.first.bad / found.first.asked > 0.5
    assert found.last.kinds["whitewashes"] / found.last.asked < 0.3
    assert found.names > 240, "they did come back under new names"


def test_honest_ghosts_are_not_punished() -> None:
    """Their failures, wrong answers and cut circuits are few: all of them stay in use."""
    found = simulate(replace(SMALL, bad=0, sybils=0))
    assert found.last.kinds == {HONEST: found.last.asked}
    assert found.last.harmed == 0
    figures = report(found)
    assert figures["last_bad"] == 0
    assert figures["most_of_one"] < 0.5

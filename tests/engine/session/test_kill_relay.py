"""Sixty networks in which a relay dies in the middle of an answer, some with client and ghost."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.kill_relay import report, simulate
from tests.helpers.kill_world import VICTIMS, Fate

SEEDS = range(60)


def test_the_fates_cover_every_place_and_every_absence() -> None:
    fates = [Fate.of(seed) for seed in SEEDS]
    victims = Counter(fate.victim for fate in fates)
    assert set(victims) == set(VICTIMS)
    assert sum(fate.early for fate in fates) > 3
    assert sum(fate.away_s is not None for fate in fates) > 15
    assert sum(fate.ghost_stops for fate in fates) > 5


@pytest.mark.parametrize("start", SEEDS[::10])
def test_every_answer_is_completed_in_its_message_and_billed_once(start: int) -> None:
    """Pass: in ten runs each answer stands in the chat whole, once, at the price of its bill."""
    outcomes = {seed: simulate(seed) for seed in range(start, start + 10)}
    assert report(outcomes)["failures"] == {}


def test_mailboxes_bring_what_no_ghost_can() -> None:
    """Pass: runs whose ghost is gone when the client comes back end through a mailbox."""
    gone = [seed for seed in SEEDS if Fate.of(seed).ghost_stops][:3]
    assert [simulate(seed).way for seed in gone] == ["mailbox"] * 3

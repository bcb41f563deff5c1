"""Choosing a ghost: needs exclude, scores order, shares are bounded, and the reasons are told."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.market.observations import Seen, observe
from engine.market.reputation import Reputation
from engine.session.choice import Candidate, Choice, misfit, rank
from engine.session.preferences import Preferences, parse_tiers, parse_weights
from engine.wire.policy import GhostPolicy

NOW = 1_700_000_000.0
WANT = Preferences(model="small")
MINT = "https://m"


def ghost(number: int, price: int = 40_000_000, **more: object) -> Candidate:
    usual = Candidate(
        bytes([number]) * 32,
        "small",
        price // 4,
        price,
        context=8_000,
        features=frozenset({"json"}),
        mints=frozenset({MINT}),
    )
    return replace(usual, **more)  # type: ignore[arg-type]


def known(*numbers: int, answers: int = 8, ttft_ms: float = 1_000) -> Reputation:
    reputation = Reputation()
    for number in numbers:
        for _ in range(answers):
            seen = observe(Seen.ANSWERED, NOW, model="small", ttft_ms=ttft_ms)
            reputation.note(bytes([number]) * 32, seen, NOW)
    return reputation


def firsts(
    candidates: list[Candidate], reputation: Reputation, want: Preferences = WANT, draws: int = 2000
) -> Counter[int]:
    rng = Random(1)
    return Counter(
        rank(candidates, want, reputation, now=NOW, rng=rng)[0].ghost[0] for _ in range(draws)
    )


def order(candidates: list[Candidate], want: Preferences = WANT) -> list[Choice]:
    return rank(candidates, want, Reputation(), now=NOW, rng=Random(1))


def test_equals_are_chosen_about_equally() -> None:
    found = firsts([ghost(n) for n in range(4)], known(0, 1, 2, 3))
    assert all(400 < found[n] < 600 for n in range(4))


def test_a_bait_does_not_attract_all() -> None:
    """A known ghost at a hundredth of the price gets half, not everything."""
    found = firsts([ghost(0, 400_000), *(ghost(n) for n in range(1, 5))], known(0, 1, 2, 3, 4))
    assert 900 < found[0] < 1_100
    assert all(found[n] > 100 for n in range(1, 5)), "nor do the others look dear beside it"


@pytest.mark.parametrize("names", [1, 10, 60])
def test_newcomers_share_a_bounded_part_under_however_many_names(names: int) -> None:
    candidates = [*(ghost(n) for n in range(3)), *(ghost(3 + n, 400_000) for n in range(names))]
    found = firsts(candidates, known(0, 1, 2), draws=500)
    assert 45 < 500 - sum(found[n] for n in range(3)) < 105


def test_with_few_known_more_newcomers_are_tried_and_none_when_the_user_says_so() -> None:
    candidates = [ghost(0), ghost(1), ghost(2)]
    assert 750 < firsts(candidates, known(0))[0] < 850
    assert firsts(candidates, known(0), replace(WANT, explore=0.0), 50) == {0: 50}


def test_what_is_over_a_bound_never_goes_to_a_bad_one() -> None:
    """Good ghosts share what one that fails every other time does not get."""
    reputation = known(0, 1, 2, 3)
    for _ in range(9):
        reputation.note(bytes([3]) * 32, observe(Seen.CUT, NOW, model="small"), NOW)
    found = firsts([ghost(n) for n in range(4)], reputation, replace(WANT, most=0.1))
    assert found[3] < 100


def test_without_known_ghosts_newcomers_are_all_there_is() -> None:
    assert sum(firsts([ghost(1), ghost(2)], Reputation(), draws=100).values()) == 100


def test_a_better_one_is_chosen_more_often() -> None:
    reputation = known(0, 1, 2)
    for _ in range(6):
        reputation.note(bytes([0]) * 32, observe(Seen.FAILED, NOW, model="small"), NOW)
    found = firsts([ghost(n) for n in range(3)], reputation)
    assert found[0] < 300 < found[1]


def test_weights_decide_between_price_and_speed() -> None:
    reputation = known(1, ttft_ms=300)
    for _ in range(8):
        seen = observe(Seen.ANSWERED, NOW, model="small", ttft_ms=9_000)
        reputation.note(bytes([2]) * 32, seen, NOW)
    candidates = [ghost(1, 80_000_000), ghost(2, 20_000_000)]
    by_price = firsts(candidates, reputation, WANT.biased("price"))
    by_speed = firsts(candidates, reputation, WANT.biased("speed"))
    assert by_price[2] > 1_500
    assert by_speed[1] > 1_500


def test_a_quarantined_ghost_is_never_chosen_unless_named() -> None:
    reputation = known(1)
    reputation.note(bytes([1]) * 32, observe(Seen.OVERBILLED, NOW), NOW)
    both = [ghost(1), ghost(2)]
    assert firsts(both, reputation, draws=100) == {2: 100}
    assert rank([ghost(1)], WANT, reputation, now=NOW, rng=Random(1)) == []
    named = replace(WANT, ghost="0101")
    assert firsts(both, reputation, named, draws=10) == {1: 10}


def test_a_resting_ghost_is_asked_when_there_is_no_other() -> None:
    reputation = Reputation()
    for _ in range(4):
        reputation.note(bytes([1]) * 32, observe(Seen.FAILED, NOW), NOW)
    assert firsts([ghost(1), ghost(2)], reputation, draws=50) == {2: 50}
    assert firsts([ghost(1)], reputation, draws=5) == {1: 5}


@pytest.mark.parametrize(
    ("candidate", "want", "why"),
    [
        (ghost(1, model="large"), WANT, "does not serve"),
        (ghost(1), replace(WANT, features=frozenset({"images"})), "no images"),
        (ghost(1), replace(WANT, context=9_000), "too short"),
        (ghost(1), replace(WANT, min_tier=4), "tier"),
        (ghost(1), replace(WANT, mints=frozenset({"https://other"})), "mints"),
        (ghost(1), replace(WANT, ghost="02"), "another"),
        (ghost(1), replace(WANT, only_places=("CH",)), "no jurisdiction"),
        (ghost(1, policy=GhostPolicy(jurisdiction="US-CA")), replace(WANT, only_places=("CH",)),
         "none of yours"),
        (ghost(1, policy=GhostPolicy(jurisdiction="US-CA")), replace(WANT, avoid_places=("US",)),
         "avoid"),
        (ghost(1, policy=GhostPolicy(moderation="provider")),
         replace(WANT, avoid_moderation=("provider",)), "read by provider"),
        (Candidate(b"\1" * 32), replace(WANT, only_places=("CH",)), "does not say"),
    ],
)  # fmt: skip
def test_needs_exclude(candidate: Candidate, want: Preferences, why: str) -> None:
    assert why in misfit(candidate, want)
    assert order([candidate], want) == []


def test_a_ghost_that_says_nothing_may_still_be_asked() -> None:
    (only,) = order([Candidate(b"\1" * 32)])
    assert only.why == "The only ghost that can be asked now: little is known of it."


def test_each_ghost_comes_once_with_its_best_model() -> None:
    want = Preferences(tiers=(("big*", 5), ("*", 1)))
    found = order([ghost(1), ghost(1, model="big-one"), ghost(2)], want)
    assert sorted(choice.ghost[0] for choice in found) == [1, 2]
    assert {choice.candidate.model for choice in found if choice.ghost[0] == 1} == {"big-one"}


def test_the_reasons_are_told_in_a_sentence() -> None:
    reputation = known(1, 2, 3)
    found = rank(
        [ghost(1, 20_000_000), ghost(2), ghost(3)], WANT, reputation, now=NOW, rng=Random(3)
    )
    told = {choice.ghost[0]: choice.why for choice in found}
    assert told[1] == (
        "One of 3 that serve small: the cheapest with 15.00 sat for a usual question,"
        " answered 8 of the last 8, first words after 1.0 s."
    )
    assert "30.00 sat for a usual question (the middle is 30.00)" in told[2]
    named = rank([ghost(2)], replace(WANT, ghost="02"), reputation, now=NOW, rng=Random(3))
    assert named[0].why.startswith("You named it: ")


def test_the_reasons_name_needs_tier_place_and_reader() -> None:
    policy = GhostPolicy(jurisdiction="CH", moderation="rules")
    able = replace(ghost(1, policy=policy), features=frozenset({"images", "tools"}))
    want = replace(WANT, features=frozenset({"images"}), tiers=(("sma*", 4),))
    (only,) = order([able, ghost(2)], want)
    assert only.why == (
        "The only ghost that serves small: 30.00 sat for a usual question, little is known of it,"
        " takes images, tier 4 of 5 to you, in CH by its own word,"
        " questions are read by rules first."
    )


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10**9), st.integers(0, 12)), max_size=25),
    st.floats(0, 0.5),
    st.floats(0.1, 1.0),
    st.integers(0, 2**32),
)
def test_shares_are_a_whole_and_keep_their_bounds(
    ghosts: list[tuple[int, int, int]], explore: float, most: float, seed: int
) -> None:
    reputation = Reputation()
    for number, _, answers in ghosts:
        for _ in range(answers):
            seen = observe(Seen.ANSWERED, NOW, model="small")
            reputation.note(bytes([number]) * 32, seen, NOW)
    candidates = [ghost(number, price) for number, price, _ in ghosts]
    want = replace(WANT, explore=explore, most=most)
    found = rank(candidates, want, reputation, now=NOW, rng=Random(seed))
    assert len(found) == len({one.ghost for one in candidates})
    if not found:
        return
    assert sum(choice.share for choice in found) == pytest.approx(1.0)
    new = [choice for choice in found if choice.opinion.newcomer]
    old = [choice for choice in found if not choice.opinion.newcomer]
    best = max((choice.score for choice in old), default=0.0)
    good = [choice for choice in old if choice.score >= 0.75 * best]
    if new and old:
        newcomers = max(explore, 1 - 0.4 * len(good)) if explore else 0.0
        assert sum(choice.share for choice in new) == pytest.approx(newcomers)
    if len(good) > 2:
        bound = max(most, 1 / len(good)) * sum(choice.share for choice in old)
        assert all(choice.share <= bound + 1e-9 for choice in old)


def test_settings_are_checked() -> None:
    assert parse_tiers({"a*": 5, "b": 1}) == (("a*", 5), ("b", 1))
    assert parse_weights({"price": 0, "speed": 9}).speed == 9.0
    for bad in ({"a": 6}, {"a": 0}, {"a": True}, {"a": "5"}):
        with pytest.raises(ConfigError):
            parse_tiers(bad)
    everything = dict.fromkeys(
        ("price", "reliability", "speed", "quality", "load", "steadiness"), 0
    )
    for wrong in ({"luck": 1}, {"price": 11}, {"price": 1.5}, everything):
        with pytest.raises(ConfigError):
            parse_weights(wrong)
    with pytest.raises(ConfigError):
        Preferences().biased("luck")

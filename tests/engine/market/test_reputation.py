"""Opinions of ghosts: priors, decay, separate dimensions, quarantine and the way back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.market.observations import Observation, Seen, observe
from engine.market.reputation import HONESTY, KNOWN_AFTER, RELIABILITY, Reputation
from engine.market.tally import DAY_S, MOST, Belief, FadingMean, Tally

GHOST, OTHER = b"\x01" * 32, b"\x02" * 32
NOW = 1_700_000_000.0


def seen(kind: Seen, at: float = NOW, **more: float) -> Observation:
    return observe(kind, at, model="small", ttft_ms=more.get("ttft_ms", 0.0))


def feed(reputation: Reputation, kind: Seen, times: int, at: float = NOW) -> None:
    for _ in range(times):
        reputation.note(GHOST, seen(kind, at), at)


def test_an_unknown_ghost_has_the_prior_and_is_a_newcomer() -> None:
    score = Reputation().score(GHOST, "small", NOW)
    assert score.reliability == pytest.approx(RELIABILITY.mean)
    assert score.honesty == pytest.approx(HONESTY.mean)
    assert score.newcomer
    assert score.ban is None
    assert 0 < score.value < 1


def test_answers_make_a_ghost_known_and_failures_less_reliable() -> None:
    reputation = Reputation()
    feed(reputation, Seen.ANSWERED, math.ceil(KNOWN_AFTER))
    good = reputation.score(GHOST, "small", NOW)
    assert not good.newcomer
    assert good.reliability > RELIABILITY.mean
    feed(reputation, Seen.FAILED, 3)
    worse = reputation.score(GHOST, "small", NOW)
    assert worse.reliability < good.reliability
    assert worse.honesty == good.honesty, "a failure is no dishonesty"
    assert "answered 5 of the last 8" in worse.reasons


def test_what_was_seen_fades_to_the_prior() -> None:
    reputation = Reputation()
    feed(reputation, Seen.FAILED, 3)
    now = reputation.score(GHOST, "small", NOW).reliability
    half = reputation.score(GHOST, "small", NOW + RELIABILITY.half_life_s).reliability
    late = reputation.score(GHOST, "small", NOW + 20 * RELIABILITY.half_life_s).reliability
    assert now < half < late
    assert late == pytest.approx(RELIABILITY.mean, abs=0.001)


def test_a_model_starts_from_its_ghost() -> None:
    reputation = Reputation()
    feed(reputation, Seen.FAILED, 3)
    unseen = reputation.score(GHOST, "other", NOW).reliability
    assert unseen < RELIABILITY.mean
    assert reputation.score(GHOST, "small", NOW).reliability < unseen


def test_a_way_that_broke_weighs_less_than_a_ghost_that_failed() -> None:
    cut, failed = Reputation(), Reputation()
    feed(cut, Seen.CUT, 2)
    feed(failed, Seen.FAILED, 2)
    assert cut.score(GHOST, "", NOW).reliability > failed.score(GHOST, "", NOW).reliability


def test_a_refusal_and_a_full_house_are_no_failures() -> None:
    reputation = Reputation()
    feed(reputation, Seen.REFUSED, 5)
    feed(reputation, Seen.BUSY, 3)
    score = reputation.score(GHOST, "small", NOW)
    assert score.reliability == pytest.approx(RELIABILITY.mean)
    assert score.load < 0.6
    assert reputation.score(GHOST, "small", NOW + 2 * DAY_S).load > 0.7


@pytest.mark.parametrize("grave", [Seen.OVERBILLED, Seen.CHEATED, Seen.CANARY])
def test_a_theft_means_quarantine_whatever_was_before(grave: Seen) -> None:
    reputation = Reputation()
    feed(reputation, Seen.ANSWERED, 10_000)
    feed(reputation, grave, 1)
    ban = reputation.quarantined(GHOST, NOW)
    assert ban is not None
    assert not ban.rest
    assert ban.until == pytest.approx(NOW + 30 * DAY_S)
    assert reputation.quarantined(GHOST, NOW + 29 * DAY_S) is not None
    assert reputation.quarantined(OTHER, NOW) is None


def test_a_kept_payment_weighs_less_than_what_was_signed() -> None:
    kept, billed = Reputation(), Reputation()
    feed(kept, Seen.KEPT, 1)
    feed(billed, Seen.OVERBILLED, 1)
    ban = kept.quarantined(GHOST, NOW)
    assert ban is not None
    assert ban.until == pytest.approx(NOW + 7 * DAY_S)
    assert kept.score(GHOST, "", NOW).honesty > billed.score(GHOST, "", NOW).honesty


def test_the_way_back_is_a_newcomers_and_the_next_time_is_longer() -> None:
    reputation = Reputation()
    feed(reputation, Seen.ANSWERED, 20)
    feed(reputation, Seen.OVERBILLED, 1)
    doubt = reputation.score(GHOST, "small", NOW).honesty
    back = NOW + 30 * DAY_S
    score = reputation.score(GHOST, "small", back)
    assert score.ban is None
    assert score.newcomer
    assert doubt < score.honesty < HONESTY.mean
    feed(reputation, Seen.OVERBILLED, 1, back)
    ban = reputation.quarantined(GHOST, back)
    assert ban is not None
    assert ban.until - back == pytest.approx(60 * DAY_S)


def test_failures_in_a_row_mean_a_rest_that_an_answer_prevents() -> None:
    reputation = Reputation()
    feed(reputation, Seen.FAILED, 3)
    feed(reputation, Seen.ANSWERED, 1)
    feed(reputation, Seen.FAILED, 3)
    assert reputation.quarantined(GHOST, NOW) is None
    feed(reputation, Seen.FAILED, 1)
    ban = reputation.quarantined(GHOST, NOW)
    assert ban is not None
    assert ban.rest
    assert reputation.quarantined(GHOST, ban.until + 1) is None


def test_wrong_answers_to_probes_only_count_when_there_are_several() -> None:
    reputation = Reputation()
    feed(reputation, Seen.PROBE_RIGHT, 3)
    feed(reputation, Seen.PROBE_WRONG, 2)
    assert reputation.quarantined(GHOST, NOW) is None, "honest models are wrong at times"
    bad = Reputation()
    for _ in range(9):
        bad.note(GHOST, seen(Seen.PROBE_WRONG), NOW)
    assert bad.quarantined(GHOST, NOW) is not None
    assert bad.score(GHOST, "small", NOW).quality < 0.35


def test_what_others_tell_counts_for_little_and_never_bans() -> None:
    reputation = Reputation()
    feed(reputation, Seen.TOLD, 100)
    assert reputation.quarantined(GHOST, NOW) is None
    assert reputation.score(GHOST, "small", NOW).honesty > 0.5


def test_a_rising_price_is_seen() -> None:
    reputation = Reputation()
    for price in (100, 102, 150, 220):
        reputation.note(GHOST, observe(Seen.ANSWERED, NOW, model="small", price=price), NOW)
    assert reputation.score(GHOST, "small", NOW).steadiness < 0.6


def test_speed_is_the_usual_answers_not_the_slowest() -> None:
    reputation = Reputation()
    for ttft in (500, 500, 500, 500, 500, 500, 500, 500, 500, 60_000):
        reputation.note(GHOST, seen(Seen.ANSWERED, ttft_ms=ttft), NOW)
    assert 500 < reputation.score(GHOST, "small", NOW).ttft_ms < 1_000


def test_the_users_word_is_last() -> None:
    reputation = Reputation()
    feed(reputation, Seen.OVERBILLED, 1)
    reputation.trust(GHOST)
    assert reputation.quarantined(GHOST, NOW) is None
    assert not reputation.score(GHOST, "small", NOW).newcomer
    reputation.ban(GHOST, NOW)
    ban = reputation.quarantined(GHOST, NOW + 1000 * DAY_S)
    assert ban is not None
    assert ban.by_user
    reputation.forget(GHOST)
    assert reputation.quarantined(GHOST, NOW) is None
    assert reputation.known() == []


def test_memory_of_ghosts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.market.reputation.MAX_GHOSTS", 3)
    reputation = Reputation()
    for n in range(5):
        reputation.note(bytes([n]) * 32, seen(Seen.ANSWERED), NOW + n)
    assert sorted(ghost[0] for ghost in reputation.known()) == [2, 3, 4]


@given(
    st.lists(st.tuples(st.sampled_from(Seen), st.integers(0, 400), st.integers(0, 10**6))),
    st.integers(0, 400),
)
def test_any_history_gives_numbers_in_range(
    history: list[tuple[Seen, int, int]], later: int
) -> None:
    """In any order of times, as after a clock that was set back."""
    reputation = Reputation()
    for kind, day, number in history:
        at = NOW + day * DAY_S
        observation = observe(kind, at, model="small", ttft_ms=number, rate=number, price=number)
        reputation.note(GHOST, observation)
    score = reputation.score(GHOST, "small", NOW + later * DAY_S)
    parts = (
        *(score.value, score.reliability, score.honesty, score.quality),
        *(score.steadiness, score.load, score.speed),
    )
    assert all(0 < part <= 1 for part in parts)
    assert score.ban is None or score.ban.until > NOW + later * DAY_S


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9), st.floats(0, 10**7))))
def test_tallies_stay_within_their_bounds(steps: list[tuple[float, float, float]]) -> None:
    tally = Tally(Belief(1, 1, DAY_S))
    for good, bad, at in steps:
        tally.add(good, bad, at)
        counts = tally.counts(at)
        assert all(0 <= count <= MOST for count in counts)
        assert 0 < tally.mean(at) < 1


def test_measures_follow_a_change_within_a_handful() -> None:
    mean = FadingMean(7 * DAY_S)
    for _ in range(1_000):
        mean.add(1_000, NOW)
    for _ in range(10):
        mean.add(8_000, NOW)
    assert mean.value > 3_000


def test_observations_are_rounded() -> None:
    one = observe(Seen.ANSWERED, NOW + 1234.5, model="small", ttft_ms=987.3, rate=12.7)
    assert one.at % 3_600 == 0
    assert (one.ttft_ms, one.rate) == (1_000, 13)
    assert observe(Seen.ANSWERED, NOW, ttft_ms=3).ttft_ms == 50

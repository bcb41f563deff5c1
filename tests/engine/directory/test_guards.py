"""Guards: kept, few, replaced slowly; nobody who makes things fail moves a client far."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.directory.bias import MIN_CIRCUITS
from engine.directory.guard import BACKOFF_S, LIFE_S, OLD_LIFE_S, Guard
from engine.directory.guards import (
    ALL_FAILED_RETRY_S,
    DAY_S,
    MAX_DROPPED,
    MAX_SAMPLE,
    NEW_PER_DAY,
    PATIENCE_S,
    PRIMARY,
    UNLISTED_KEEP_S,
    GuardList,
)
from engine.directory.networks import TextTable
from engine.directory.report import guard_facts, silence
from engine.directory.rules import PathRules, network_of
from engine.directory.settings import PathSettings
from engine.errors import NoRoute
from engine.wire.advert import Advert
from tests.helpers.unsigned import NOW, advert, spread

SMALL = spread(6)
LARGE = spread(200)


def choose(
    guards: GuardList, now: float = NOW, relays: list[Advert] = SMALL, seed: int = 1
) -> Advert:
    return guards.choose(relays, [], now=now, rng=Random(seed))


def fail_all(guards: GuardList, now: float, relays: list[Advert]) -> list[bytes]:
    """Let every guard that is offered at `now` fail; who was offered."""
    seen = []
    while True:
        try:
            guard = choose(guards, now, relays)
        except NoRoute:
            return seen
        seen.append(guard.node_id)
        guards.failed(guard.node_id, now)


def test_the_same_guard_is_kept_over_restarts() -> None:
    guards = GuardList()
    first = choose(guards)
    for seed in range(10):
        again = GuardList(guards.dump())
        assert choose(again, NOW + 60, seed=seed) is first


def test_entries_of_the_first_version_load() -> None:
    name = SMALL[3].node_id.hex()
    old = {"node_id": name, "added": float(NOW), "failures": 0, "retry_at": 0.0, "circuits": 7}
    guards = GuardList([old])
    assert choose(guards) is SMALL[3]
    (guard, *_rest) = guards.sample
    assert guard.expires == NOW + OLD_LIFE_S
    assert guard.confirmed == NOW


@given(st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_what_is_saved_loads_as_it_was(seed: int) -> None:
    rng = Random(seed)
    guards = GuardList()
    for step in range(rng.randrange(40)):
        try:
            node_id = guards.choose(LARGE, [], now=NOW + 60 * step, rng=rng).node_id
        except NoRoute:
            continue
        for act in (guards.failed, guards.succeeded):
            if rng.random() < 0.5:
                act(node_id, NOW + 60 * step)
        guards.built(node_id, rng.random() < 0.5, rng.choice([3, 4]))
    assert GuardList(guards.dump()).dump() == guards.dump()


def test_a_guard_that_does_not_answer_yields_and_comes_back() -> None:
    guards = GuardList()
    first = choose(guards)
    guards.failed(first.node_id, NOW)
    assert choose(guards) is not first
    assert choose(guards, NOW + BACKOFF_S[0] + 1) is first


def test_the_wait_grows_with_each_failure() -> None:
    guards = GuardList()
    first = choose(guards)
    waits = []
    for _ in range(len(BACKOFF_S) + 1):
        guards.failed(first.node_id, NOW)
        waits.append(guards.sample[0].retry_at - NOW)
    assert waits == [*BACKOFF_S, BACKOFF_S[-1]]


def test_a_clock_that_is_set_back_shuts_nobody_out() -> None:
    guards = GuardList()
    first = choose(guards)
    for _ in range(3):
        fail_all(guards, NOW, SMALL)
    assert choose(guards, NOW - DAY_S) is first


def test_when_no_guard_answers_it_is_our_network() -> None:
    """Three are tried, then nothing else; and soon the same three again."""
    guards = GuardList()
    seen = fail_all(guards, NOW, LARGE)
    assert len(seen) == PRIMARY
    assert fail_all(guards, NOW + ALL_FAILED_RETRY_S - 1, LARGE) == []
    assert fail_all(guards, NOW + ALL_FAILED_RETRY_S, LARGE) == seen


def test_the_user_is_told_when_no_guard_answers() -> None:
    guards = GuardList()
    first = choose(guards)
    assert silence(guard_facts(guards, NOW)) == ()
    fail_all(guards, NOW, SMALL)
    (told,) = silence(guard_facts(guards, NOW))
    assert "No guard answers" in told
    guards.succeeded(first.node_id, NOW + 1)
    assert silence(guard_facts(guards, NOW)) == ()
    assert silence(()) == ()


def test_after_an_outage_the_first_guard_serves_again() -> None:
    guards = GuardList()
    first = choose(guards, relays=LARGE)
    for minute in range(30):
        fail_all(guards, NOW + 60 * minute, LARGE)
    later = NOW + 3_600
    back = choose(guards, later, LARGE)
    guards.succeeded(back.node_id, later)
    assert choose(guards, later + 1, LARGE) is first


def test_failures_open_few_guards_a_day_and_never_more_than_the_sample() -> None:
    guards = GuardList()
    seen: set[bytes] = set()
    for day in range(1, 12):
        for minute in range(0, 1_440, 24):
            seen.update(fail_all(guards, NOW + (day - 1) * DAY_S + 60 * minute, LARGE))
        assert len(seen) <= min(MAX_SAMPLE, NEW_PER_DAY * day)
    assert len(seen) == MAX_SAMPLE == len(guards.sample)


def test_a_small_network_has_a_small_sample() -> None:
    guards = GuardList()
    seen: set[bytes] = set()
    for minute in range(3_000):
        seen.update(fail_all(guards, NOW + 60 * minute, SMALL))
    assert len(seen) == PRIMARY


def test_a_guard_is_replaced_when_its_time_is_over() -> None:
    guards = GuardList()
    choose(guards)
    lives = [guard.expires - guard.added for guard in guards.sample]
    assert all(LIFE_S[0] <= life <= LIFE_S[1] for life in lives)
    assert len(set(lives)) == PRIMARY
    choose(guards, NOW + LIFE_S[1] + 1)
    assert {guard.added for guard in guards.sample} == {NOW + LIFE_S[1] + 1}


def test_the_time_of_a_guard_begins_when_it_first_serves() -> None:
    guards = GuardList()
    waiting = choose(guards)
    before = guards.sample[0].expires
    guards.succeeded(waiting.node_id, NOW + 80 * DAY_S)
    guards.succeeded(waiting.node_id, NOW + 85 * DAY_S)
    assert guards.sample[0].expires == before + 80 * DAY_S


def test_a_guard_missing_from_the_directory_is_kept_but_not_used() -> None:
    guards = GuardList()
    first = choose(guards, relays=LARGE)
    without = [relay for relay in LARGE if relay is not first]
    assert choose(guards, NOW + 60, without) is not first
    assert choose(guards, NOW + 120, LARGE) is first
    choose(guards, NOW + 180, without)
    gone = NOW + 181 + UNLISTED_KEEP_S
    choose(guards, gone, without)
    assert choose(guards, gone + 1, LARGE) is not first


def test_a_directory_that_is_still_filling_moves_nobody() -> None:
    """Who feeds the directory first after a start must not choose new guards for us."""
    before = GuardList()
    first = choose(before, relays=LARGE)
    names = [guard.node_id for guard in before.sample]
    strangers = spread(10, 900)
    guards = GuardList(before.dump())
    with pytest.raises(NoRoute, match="still be filling"):
        choose(guards, NOW + DAY_S, strangers)
    with pytest.raises(NoRoute, match="still be filling"):
        choose(guards, NOW + DAY_S + PATIENCE_S - 1, strangers)
    assert [guard.node_id for guard in guards.sample] == names
    assert choose(guards, NOW + DAY_S + PATIENCE_S, LARGE) is first
    choose(guards, NOW + DAY_S + 200, [*strangers[:1], first])
    assert len(guards.sample) == PRIMARY
    gone = GuardList(before.dump())
    with pytest.raises(NoRoute):
        choose(gone, NOW + DAY_S, strangers)
    assert choose(gone, NOW + DAY_S + PATIENCE_S, strangers) in strangers


def test_a_clock_that_is_set_back_prolongs_no_wait_for_missing_guards() -> None:
    before = GuardList()
    choose(before, relays=LARGE)
    strangers = spread(10, 900)
    guards = GuardList(before.dump())
    for now in (NOW + DAY_S, NOW + DAY_S - 7_200, NOW + DAY_S - 7_200 + PATIENCE_S - 1):
        with pytest.raises(NoRoute, match="still be filling"):
            choose(guards, now, strangers)
    assert choose(guards, NOW + DAY_S - 7_200 + PATIENCE_S, strangers) in strangers


def test_an_empty_directory_forgets_nobody() -> None:
    guards = GuardList()
    first = choose(guards)
    with pytest.raises(NoRoute):
        choose(guards, NOW + 60, [])
    assert guards.sample[0].unlisted_since is None
    with pytest.raises(NoRoute):
        choose(guards, NOW + UNLISTED_KEEP_S + 120, [])
    assert choose(guards, NOW + UNLISTED_KEEP_S + 180) is first


def test_a_guard_in_the_exits_network_is_not_used() -> None:
    guards = GuardList()
    first = choose(guards)
    host = first.addresses[0].host
    neighbour = advert(host.replace(".0.1", ".9.9"))
    other = guards.choose(SMALL, [neighbour], now=NOW, rng=Random(3))
    assert network_of(other.addresses[0].host) != network_of(host)


def test_an_exit_that_clashes_with_every_primary_is_refused_not_followed() -> None:
    """Who advertises an exit in the networks of our guards must not choose the fourth."""
    guards = GuardList()
    choose(guards, relays=LARGE)
    listed = {relay.node_id.hex(): relay for relay in LARGE}
    hosts = [listed[guard.node_id].addresses[0].host for guard in guards.primaries()]
    liar = advert(*(host.replace(".0.1", ".7.7") for host in hosts))
    with pytest.raises(NoRoute, match=r"No guard may be used.*3 shares a network"):
        guards.choose(LARGE, [liar], now=NOW, rng=Random(4))


def test_guards_of_one_sample_are_unrelated() -> None:
    crowded = [advert(f"20.{n % 4}.{n}.1") for n in range(200)]
    guards = GuardList()
    choose(guards, relays=crowded)
    listed = {relay.node_id.hex(): relay for relay in crowded}
    networks = [network_of(listed[g.node_id].addresses[0].host) for g in guards.sample]
    assert len(set(networks)) == len(networks) == PRIMARY


def test_the_users_settings_hold_for_guards() -> None:
    table = TextTable(["20.0.0.0/9\t64500", "20.128.0.0/9\t64501"], "t", 0.0)
    relays = [*spread(4), *spread(4, 128)]
    guards = GuardList()
    choose(guards, relays=relays)
    strict = PathRules(PathSettings(table=__file__, avoid_asns=frozenset({64500})), table)  # type: ignore[arg-type]
    for seed in range(10):
        guard = guards.choose(relays, [], now=NOW, rng=Random(seed), rules=strict)
        assert guard.addresses[0].host.split(".")[1] >= "128"


class TestDropping:
    def spoil(self, guards: GuardList, node_id: bytes, rounds: int = MIN_CIRCUITS) -> None:
        for _ in range(rounds):
            guards.built(node_id, False, 4)

    def test_a_guard_that_fails_circuits_is_dropped_and_stays_dropped(self) -> None:
        guards = GuardList()
        first = choose(guards, relays=LARGE)
        self.spoil(guards, first.node_id, MIN_CIRCUITS - 1)
        assert choose(guards, relays=LARGE) is first
        self.spoil(guards, first.node_id, 1)
        again = GuardList(guards.dump())
        assert choose(again, relays=LARGE) is not first
        assert [guard.short_id for guard in again.suspects()] == [first.node_id.hex()[:8]]

    def test_no_more_than_two_are_dropped(self) -> None:
        """A third bad guard in a row is less likely than somebody who fails our circuits."""
        guards = GuardList()
        for _ in range(5):
            self.spoil(guards, choose(guards, relays=LARGE).node_id)
        assert sum(bool(guard.dropped) for guard in guards.sample) == MAX_DROPPED

    def test_in_a_small_network_others_take_the_place(self) -> None:
        guards = GuardList()
        self.spoil(guards, choose(guards).node_id)
        choose(guards)
        assert len(guards.primaries()) == PRIMARY

    def test_cuts_in_use_count_apart(self) -> None:
        guards = GuardList()
        first = choose(guards, relays=LARGE)
        for _ in range(200):
            guards.built(first.node_id, True, 4)
        for _ in range(MIN_CIRCUITS):
            guards.used(first.node_id, False, 4)
        assert guards.sample[0].dropped == "use"
        assert guards.in_use is None


def test_paths_of_one_length_do_not_pay_for_those_of_another() -> None:
    guards = GuardList()
    first = choose(guards, relays=LARGE)
    for _ in range(280):
        guards.built(first.node_id, True, 3)
    for _ in range(MIN_CIRCUITS):
        guards.built(first.node_id, False, 4)
    assert guards.sample[0].dropped == "building"
    assert guards.sample[0].total("building").tried == 300


def test_the_age_of_the_guard() -> None:
    guards = GuardList()
    assert guards.age_s(NOW) is None
    choose(guards)
    assert guards.age_s(NOW + 60) == 60


def test_strangers_are_not_counted() -> None:
    guards = GuardList()
    choose(guards)
    before = guards.dump()
    guards.failed(b"x" * 32, NOW)
    guards.succeeded(b"x" * 32, NOW)
    guards.built(b"x" * 32, False, 4)
    guards.used(b"x" * 32, False, 4)
    assert guards.dump() == before


def test_a_damaged_entry_is_refused() -> None:
    with pytest.raises(TypeError):
        Guard.load({"node_id": "aa", "added": "yesterday"})

"""Path rules and guards: no two hops of one network or family; refuse, never weaken."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.directory.guards import BACKOFF_S, KEEP_S, SAMPLE_SIZE, GuardList
from engine.directory.paths import choose_middles, fits, may_share_path, network_of, to_hop
from engine.errors import NoRoute
from engine.identity import Identity
from engine.wire.advert import Address, Advert, OnionKey, Role

NOW = 1_800_000_000


def advert(host: str, *, family: bytes = bytes(16), operator: bytes = bytes(16)) -> Advert:
    """An unsigned advert: path rules look at values, not signatures."""
    identity = Identity.generate()
    return Advert(
        ed25519_public=identity.public,
        link_static=bytes(32),
        onion_keys=(OnionKey(bytes(32), NOW - 10, NOW + 3_600),),
        roles=Role.RELAY,
        published=NOW,
        expires=NOW + 3_600,
        addresses=(Address(host, 9001),),
        family_tag=family,
        operator_tag=operator,
    )


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("127.3.0.1", "127.3.0.0/16"),
        ("203.0.113.9", "203.0.0.0/16"),
        ("2001:db8:1::1", "2001:db8::/32"),
    ],
)
def test_networks(host: str, network: str) -> None:
    assert network_of(host) == network


def test_what_may_not_share_a_path() -> None:
    one = advert("10.1.0.1", family=b"f" * 16, operator=b"o" * 16)
    assert not may_share_path(one, one)
    assert not may_share_path(one, advert("10.1.200.7"))
    assert not may_share_path(one, advert("10.2.0.1", family=b"f" * 16))
    assert not may_share_path(one, advert("10.2.0.1", operator=b"o" * 16))
    assert may_share_path(one, advert("10.2.0.1"))


def test_zero_tags_mean_no_declaration() -> None:
    assert may_share_path(advert("10.1.0.1"), advert("10.2.0.1"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=9), st.integers(1, 3), st.randoms())
def test_a_choice_satisfies_every_rule_or_is_refused(
    networks: list[int], count: int, rng: Random
) -> None:
    relays = [advert(f"10.{n}.0.{place + 1}") for place, n in enumerate(networks)]
    possible = len(set(networks)) >= count
    if not possible:
        with pytest.raises(NoRoute):
            choose_middles(relays, [], count, avoid={}, rng=rng)
        return
    chosen = choose_middles(relays, [], count, avoid={}, rng=rng)
    assert len(chosen) == count
    for place, hop in enumerate(chosen):
        assert fits(hop, chosen[:place])


def test_failed_relays_are_passed_over_while_others_fit() -> None:
    relays = [advert(f"10.{n}.0.1") for n in range(3)]
    avoid = {relays[0].node_id: 2}
    for seed in range(20):
        chosen = choose_middles(relays, [], 2, avoid=avoid, rng=Random(seed))
        assert relays[0] not in chosen
    more = {**avoid, relays[1].node_id: 1}
    for seed in range(20):
        assert relays[0] not in choose_middles(relays, [], 2, avoid=more, rng=Random(seed))
    assert relays[0] in choose_middles(relays, [], 3, avoid=avoid, rng=Random(1))


def test_the_refusal_says_what_was_kept() -> None:
    with pytest.raises(NoRoute) as caught:
        choose_middles([advert("10.1.0.1")], [], 2, avoid={}, rng=Random(0))
    assert "No safe path" in caught.value.message
    assert caught.value.kept
    assert caught.value.exit_code == 4


def test_an_advert_without_a_valid_key_is_no_hop() -> None:
    assert to_hop(advert("10.1.0.1"), "guard", NOW).role == "guard"
    with pytest.raises(NoRoute):
        to_hop(advert("10.1.0.1"), "guard", NOW + 86_400)


class TestGuards:
    relays = [advert(f"10.{n}.0.1") for n in range(6)]  # noqa: RUF012 - never changed

    def choose(self, guards: GuardList, now: float = NOW) -> Advert:
        return guards.choose(self.relays, [], now=now, rng=Random(1))

    def test_the_same_guard_is_kept_over_restarts(self) -> None:
        guards = GuardList()
        first = self.choose(guards)
        for seed in range(10):
            again = GuardList(guards.dump())
            assert again.choose(self.relays, [], now=NOW + 60, rng=Random(seed)) is first

    def test_an_unreachable_guard_yields_to_the_next_and_comes_back(self) -> None:
        guards = GuardList()
        first = self.choose(guards)
        guards.failed(first.node_id, NOW)
        assert self.choose(guards) is not first
        assert self.choose(guards, NOW + BACKOFF_S[0] + 1) is first

    def test_failures_never_grow_the_sample(self) -> None:
        guards = GuardList()
        seen = set()
        for _ in range(SAMPLE_SIZE):
            guard = self.choose(guards)
            seen.add(guard.node_id)
            guards.failed(guard.node_id, NOW)
        with pytest.raises(NoRoute):
            self.choose(guards)
        assert len(seen) == SAMPLE_SIZE == len(guards.dump())

    def test_a_guard_is_replaced_when_its_time_is_over(self) -> None:
        guards = GuardList()
        self.choose(guards)
        added = {item["added"] for item in guards.dump()}
        self.choose(guards, NOW + KEEP_S + 1)
        assert added.isdisjoint(item["added"] for item in guards.dump())

    def test_a_guard_in_the_exits_network_is_not_used(self) -> None:
        guards = GuardList()
        exit_node = advert("10.2.9.9")
        for _ in range(5):
            guard = guards.choose(self.relays, [exit_node], now=NOW, rng=Random(3))
            assert network_of(guard.addresses[0].host) != "10.2.0.0/16"

    def test_the_age_of_the_guard(self) -> None:
        guards = GuardList()
        assert guards.age_s(NOW) is None
        self.choose(guards)
        assert guards.age_s(NOW + 60) == 60

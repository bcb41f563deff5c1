"""Path rules: no two hops of one network or family; refuse, never weaken."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.directory.paths import choose_middles, fits, may_share_path, network_of, to_hop
from engine.errors import NoRoute
from tests.helpers.unsigned import NOW, advert


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

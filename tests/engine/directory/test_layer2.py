"""Layer-2 guards: few, unrelated, kept for days of their own, never left for another relay."""

from __future__ import annotations

from random import Random

import pytest

from engine.directory.guards import GuardList
from engine.directory.layer2 import LIFE_S, MAX_KEPT, SET_SIZE, Layer2Set
from engine.directory.rules import PathRules, network_of
from engine.errors import NoRoute
from engine.wire.advert import Advert
from tests.helpers.unsigned import NOW, advert, spread

RULES = PathRules()
RELAYS = spread(40)


def refill(
    layer2: Layer2Set,
    relays: list[Advert] = RELAYS,
    now: float = NOW,
    guards: frozenset[str] = frozenset(),
) -> bool:
    return layer2.refill(relays, guards, now=now, rng=Random(int(now)), rules=RULES)


def choose(layer2: Layer2Set, chosen: list[Advert], seed: int = 0) -> Advert:
    return layer2.choose(RELAYS, chosen, avoid={}, rng=Random(seed), rules=RULES)


def test_the_set_is_small_and_stays() -> None:
    layer2 = Layer2Set()
    assert refill(layer2)
    before = layer2.node_ids
    assert len(before) == SET_SIZE
    assert not refill(layer2, now=NOW + 3_600)
    assert layer2.node_ids == before
    used = {choose(layer2, [], seed).node_id.hex() for seed in range(100)}
    assert used == before


def test_each_is_replaced_at_a_time_of_its_own() -> None:
    layer2 = Layer2Set()
    refill(layer2)
    ends = [float(str(item["expires"])) - NOW for item in layer2.dump()]
    assert all(LIFE_S[0] <= end <= LIFE_S[1] for end in ends)
    assert len(set(ends)) == SET_SIZE
    first = layer2.next_change()
    assert first is not None
    before = layer2.node_ids
    assert refill(layer2, now=first)
    assert len(before & layer2.node_ids) >= SET_SIZE - 1
    assert refill(layer2, now=NOW + LIFE_S[1] + 1)


def test_it_is_saved_beside_the_guards() -> None:
    guards = GuardList()
    guards.choose(RELAYS, [], now=NOW, rng=Random(1))
    refill(guards.layer2)
    again = GuardList(guards.dump())
    assert again.layer2.node_ids == guards.layer2.node_ids
    assert [g.node_id for g in again.sample] == [g.node_id for g in guards.sample]


def test_guards_are_left_out_while_others_are_known() -> None:
    names = frozenset(relay.node_id.hex() for relay in RELAYS[:30])
    layer2 = Layer2Set()
    refill(layer2, guards=names)
    assert not layer2.node_ids & names


def test_members_are_unrelated() -> None:
    crowd = [advert(f"60.{n % 3}.{n}.1") for n in range(60)]
    layer2 = Layer2Set()
    refill(layer2, crowd)
    by_id = {relay.node_id.hex(): relay for relay in crowd}
    networks = {network_of(by_id[name].addresses[0].host) for name in layer2.node_ids}
    assert len(networks) == len(layer2.node_ids) == 3


def test_a_member_that_left_the_directory_keeps_its_place() -> None:
    layer2 = Layer2Set()
    refill(layer2)
    before = layer2.node_ids
    others = [relay for relay in RELAYS if relay.node_id.hex() not in before]
    refill(layer2, others, now=NOW + 60)
    assert before < layer2.node_ids
    assert len(layer2.node_ids) == 2 * SET_SIZE
    fewer = [relay for relay in others if relay.node_id.hex() not in layer2.node_ids]
    refill(layer2, fewer, now=NOW + 120)
    assert len(layer2.node_ids) == MAX_KEPT


def test_it_is_never_left_for_another_relay() -> None:
    layer2 = Layer2Set()
    refill(layer2)
    by_id = {relay.node_id.hex(): relay for relay in RELAYS}
    members = [by_id[name] for name in layer2.node_ids]
    assert choose(layer2, members[:3]) is members[3]
    with pytest.raises(NoRoute, match="4 known"):
        choose(layer2, members)


def test_one_that_failed_a_moment_ago_is_passed_over() -> None:
    layer2 = Layer2Set()
    refill(layer2)
    suspect = choose(layer2, [])
    for seed in range(20):
        chosen = layer2.choose(
            RELAYS, [], avoid={suspect.node_id: 2}, rng=Random(seed), rules=RULES
        )
        assert chosen is not suspect

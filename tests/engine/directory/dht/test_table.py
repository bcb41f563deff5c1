"""The routing table, with the faults that were found in the kademlia package pinned down."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from engine.directory.dht.members import Member
from engine.directory.dht.settings import DhtSettings
from engine.directory.dht.table import Table
from tests.helpers.records import NOW, member

SMALL = DhtSettings(k=4)
TOP = 1 << 255


def far(rng: Random) -> Member:
    """A member in the widest bucket of a table at position 0."""
    return member(rng, TOP | rng.getrandbits(255))


def table(settings: DhtSettings = SMALL) -> Table:
    return Table(Member(b"o" * 32, 0, b"own"), settings)


def test_who_answered_has_a_place_and_who_is_there_keeps_it() -> None:
    rng, found = Random(1), table()
    first = [far(rng) for _ in range(4)]
    for place, one in enumerate(first):
        assert found.answered(one, NOW + place) is None
    doubtful = found.answered(far(rng), NOW + 9)
    assert doubtful == first[0]  # who has been silent longest is to be asked
    assert {contact.member for contact in found} == set(first)


def test_the_order_of_a_bucket_turns() -> None:
    """FACTS: in the package the same contact is asked for ever."""
    rng, found = Random(2), table()
    first = [far(rng) for _ in range(4)]
    for one in first:
        found.answered(one, NOW)
    found.answered(first[0], NOW + 5)
    assert found.answered(far(rng), NOW + 6) == first[1]


def test_a_newcomer_takes_the_place_of_one_that_is_gone() -> None:
    rng, found = Random(3), table()
    first, newcomer = [far(rng) for _ in range(4)], far(rng)
    for one in first:
        found.answered(one, NOW)
    found.answered(newcomer, NOW)
    assert found.failed(first[2].node_id) is None  # once is no proof
    assert found.failed(first[2].node_id) == newcomer  # who has to answer first
    assert len(found) == 3
    found.answered(newcomer, NOW)
    assert newcomer.node_id in found
    assert found.failed(b"nobody" * 5) is None


def test_members_of_one_prefix_are_capped() -> None:
    rng, found = Random(4), table(DhtSettings(k=8, per_prefix_bucket=2, per_prefix_table=3))
    for _ in range(5):
        found.answered(replace(far(rng), prefix=b"one"), NOW)
    assert len(found) == 2
    for bits in range(1, 6):
        place = (TOP >> bits) | rng.getrandbits(255 - bits)
        found.answered(replace(member(rng, place), prefix=b"one"), NOW)
    assert len(found) == 3
    found.remove(next(iter(found)).member.node_id)
    found.answered(replace(far(rng), prefix=b"one"), NOW)
    assert len(found) == 3


def test_we_are_not_our_own_contact() -> None:
    found = table()
    found.answered(found.own, NOW)
    assert not len(found)


@given(st.lists(st.integers(1, 2**256 - 1), max_size=60, unique=True), st.integers(0, 2**256 - 1))
def test_closest_is_exact_and_buckets_are_bounded(places: list[int], target: int) -> None:
    rng, found = Random(5), table()
    for place in places:
        found.answered(member(rng, place), NOW)
    kept = [contact.member for contact in found]
    assert found.closest(target, 10) == sorted(kept, key=lambda m: m.position ^ target)[:10]
    depths = [256 - one.position.bit_length() for one in kept]
    assert all(depths.count(depth) <= SMALL.k for depth in depths)
    assert len(found) == len(kept)


def test_buckets_are_looked_into_once_and_then_when_they_are_silent() -> None:
    rng, found = Random(6), table()
    found.answered(member(rng, TOP >> 2), NOW)
    assert found.stale(NOW) == [0, 1, 2]
    for index in (0, 1, 2):
        found.look_into(index, NOW)
    assert found.stale(NOW + 60) == []
    later = NOW + SMALL.refresh_s
    found.answered(member(rng, TOP >> 1), later)
    assert found.stale(later) == [0, 2]


@given(st.integers(0, 250), st.integers(0, 2**256 - 1))
def test_a_position_in_a_bucket_is_in_it(index: int, low: int) -> None:
    found = Table(Member(b"o" * 32, 12345 << 200, b""), SMALL)
    place = found.position_in(index, low)
    assert 256 - (place ^ found.own.position).bit_length() == index

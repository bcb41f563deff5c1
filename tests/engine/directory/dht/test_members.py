"""Who takes part, and who is closest: exact, whatever the positions."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from engine.directory.dht.members import Members, member_of, position_of, prefix_of
from engine.identity import Identity
from engine.wire.advert import Address, Advert
from tests.helpers.records import NOW, member, signed_advert

RNG = Random(1)
SOME = [member(RNG) for _ in range(60)]
CLUSTER = [member(RNG, (1 << 255) + n) for n in range(30)]


@given(st.integers(0, 2**256 - 1), st.integers(1, 70), st.booleans())
def test_closest_is_exact(target: int, count: int, clustered: bool) -> None:
    """FACTS: find_neighbors of the package has a recall of 0.80."""
    them = SOME + CLUSTER if clustered else SOME
    exact = sorted(them, key=lambda one: one.position ^ target)[:count]
    assert Members(them).closest(target, count) == exact


@given(st.integers(0, 59), st.integers(0, 2**256 - 1))
def test_rank_counts_who_is_closer(place: int, target: int) -> None:
    members, own = Members(SOME), SOME[place]
    closer = sum(one.position ^ target < own.position ^ target for one in SOME)
    assert members.rank(target, own.position, 100) == closer
    assert members.rank(target, own.position, 5) == min(closer, 5)


def test_members_come_move_and_go() -> None:
    members = Members(SOME[:5])
    moved = replace(SOME[0], position=7)
    members.add(moved)
    members.add(SOME[9])
    members.remove(SOME[1].node_id)
    members.remove(SOME[30].node_id)  # was none
    assert len(members) == 5
    assert members.closest(7, 1) == [moved]
    assert members.get(SOME[1].node_id) is None
    assert members.get(SOME[9].node_id) == SOME[9]


def test_nobody_is_close_where_nobody_is() -> None:
    assert Members().closest(3, 20) == []


def test_a_position_comes_from_the_proof_of_work_and_from_no_address() -> None:
    """Whoever has many addresses would have as many tries at a place for nothing."""
    one = Advert.decode(signed_advert(Identity.generate(), "20.0.0.1"), NOW)
    moved = replace(one, addresses=(Address("99.9.9.9", 9001),))
    other_work = replace(one, work_nonce=b"\1" * 8)
    later = replace(one, work_epoch=one.work_epoch + 1)
    assert position_of(one) == position_of(moved)
    assert len({position_of(each) for each in (one, other_work, later)}) == 3
    assert member_of(one).prefix == bytes([20, 0, 0])
    assert prefix_of("2001:db8:1:2::1") == bytes.fromhex("20010db80001")

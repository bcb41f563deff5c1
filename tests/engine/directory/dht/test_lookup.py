"""One look-up: disjoint, bounded, and patient with nobody."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from engine.directory.dht.lookup import Lookup
from engine.directory.dht.members import Member
from engine.directory.dht.settings import DhtSettings
from engine.identity import Identity
from engine.wire.record import Record
from tests.helpers.records import KEY, member, record

OWN = b"o" * 32
SETTINGS = DhtSettings(k=8, paths=2, alpha=2, budget=12)


def some(count: int, seed: int = 1) -> list[Member]:
    rng = Random(seed)
    return sorted((member(rng) for _ in range(count)), key=lambda one: one.position)


def lookup(*seeds: list[Member], key: bytes | None = None) -> Lookup:
    return Lookup(0, OWN, seeds, SETTINGS, key=key)


def test_each_path_asks_its_closest_first() -> None:
    near, far = some(6)[:3], some(6)[3:]
    found = lookup([far[0], near[0]], [far[1], near[1]])
    assert found.next_questions() == [near[0], near[1]]
    assert found.next_questions() == []  # one a path


def test_nobody_is_asked_twice_though_two_paths_know_him() -> None:
    them = some(4)
    found = lookup(them, them)
    asked = found.next_questions()
    for one in asked:
        found.answered(one.node_id, them)
    asked += found.next_questions()
    assert sorted(m.node_id for m in asked) == sorted(m.node_id for m in them)
    for one in asked[2:]:
        found.answered(one.node_id, them)
    assert found.next_questions() == []
    assert found.done
    assert found.closest == them
    assert found.requests == 4


def test_a_late_answer_still_counts() -> None:
    them = some(6)
    found = lookup(them[:3], them[3:])
    first, _ = found.next_questions()
    found.late(first.node_id)
    (second,) = found.next_questions()
    found.answered(first.node_id, [])
    assert first in found.closest
    assert second not in found.closest


def test_who_failed_is_passed_over() -> None:
    them = some(2)
    found = lookup(them[:1], them[1:])
    for one in found.next_questions():
        found.failed(one.node_id)
    assert found.next_questions() == []
    assert found.done
    assert found.closest == []
    assert found.hops == 0


def test_a_path_ends_when_enough_holders_showed_records() -> None:
    them = some(40)
    found = lookup(them[::2], them[1::2], key=KEY)
    raws = [Record.parse(record()) for _ in range(4)]
    told = []
    found.on_done = lambda: told.append(True)
    while not found.done:
        for one in found.next_questions():
            found.answered(one.node_id, [])
            found.holds(one.node_id, raws[:2])
    assert found.requests == 2 * SETTINGS.holders_wanted
    assert set(found.records) == {raws[0].raw, raws[1].raw}
    assert found.hops == 1
    assert told == [True]


def test_the_latest_of_two_records_counts() -> None:
    ghost = Identity.generate()
    old, new = (Record.parse(record(ghost, sequence=n)) for n in (1, 2))
    for order in ((old, new), (new, old)):
        found = lookup(some(2), key=KEY)
        found.add_records(order)
        assert found.records == [new.raw]
        assert found.knows(new)
        assert not found.knows(old)


def test_we_do_not_ask_ourselves() -> None:
    found = lookup([Member(OWN, 1, b"")])
    assert found.next_questions() == []
    assert found.done


def test_hops_count_referrals() -> None:
    them = some(3)
    found = lookup([them[2]])
    found.next_questions()
    found.answered(them[2].node_id, [them[1]])
    found.next_questions()
    found.answered(them[1].node_id, [them[0]])
    found.next_questions()
    found.answered(them[0].node_id, [])
    assert found.next_questions() == []
    assert found.hops == 3


@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_any_answers_end_within_the_budget(rng: Random, paths: int) -> None:
    """Whoever answers what, late, never or with anybody: it ends, and asked 12 at most."""
    everybody = [member(Random(n)) for n in range(80)]
    found = lookup(*[rng.sample(everybody, 5) for _ in range(paths)])
    waiting: list[bytes] = []
    asked: list[bytes] = []
    for _ in range(1_000):
        new = [one.node_id for one in found.next_questions()]
        asked += new
        waiting += new
        if found.done:
            break
        node_id = waiting.pop(rng.randrange(len(waiting)))
        fate = rng.randrange(4)
        if fate == 0:
            found.failed(node_id)
        elif fate == 1:
            found.late(node_id)
            waiting.append(node_id)
        else:
            found.answered(node_id, rng.sample(everybody, 20))
    assert found.done
    assert len(asked) == len(set(asked)) == found.requests <= SETTINGS.budget

"""Admission to new circuits: buckets, demands and seeds, with time as an argument."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from engine.circuit.admission import CALM_S, RAISE_EVERY_S, SEED_LIFE_S, Admission, Demand
from engine.crypto.hop import ClientHop, CreateRequest
from engine.crypto.keys import x25519_generate, x25519_public
from engine.crypto.work import solve
from engine.limits import Limits
from engine.wire.cells import DestroyReason
from engine.wire.refusal import Refusal

LIMITS = Limits(
    create_rate=2,
    create_burst=4,
    relay_create_rate=4,
    relay_create_burst=8,
    work_bits=6,
    work_max_bits=9,
)
NODE = bytes(32)


def request() -> CreateRequest:
    _state, payload = ClientHop.start(1, NODE, x25519_public(x25519_generate()))
    return CreateRequest.parse(payload)


PLAIN = request()


def paid(refusal: Refusal, bits: int | None = None) -> CreateRequest:
    """A CREATE with the work that was asked for (or `bits` of it)."""
    fresh = replace(PLAIN, client_public=os.urandom(32), seed=refusal.seed)
    nonce = solve(fresh.work_challenge(), refusal.bits if bits is None else bits)
    return replace(fresh, nonce=nonce)


def spend(admission: Admission, neighbour: bytes, now: float, *, relay: bool = False) -> Refusal:
    """Take what is free; the refusal that follows."""
    for _ in range(100):
        refusal = admission.admit(neighbour, PLAIN, now, relay=relay)
        if refusal is not None:
            return refusal
    raise AssertionError("a bucket without a bottom")


def test_a_neighbour_has_its_burst_and_then_its_rate() -> None:
    admission = Admission(LIMITS, 0.0)
    results = [admission.admit(b"a", PLAIN, 0.0, relay=False) for _ in range(5)]
    assert results[:4] == [None] * 4
    assert results[4] is not None
    assert results[4].reason is DestroyReason.WORK_NEEDED
    assert admission.admit(b"a", PLAIN, 0.5, relay=False) is None


def test_a_known_relay_has_more_because_it_carries_more() -> None:
    admission = Admission(LIMITS, 0.0)
    assert all(admission.admit(b"r", PLAIN, 0.0, relay=True) is None for _ in range(8))
    assert admission.admit(b"r", PLAIN, 0.0, relay=True) is not None


def test_one_neighbours_flood_costs_the_others_nothing() -> None:
    admission = Admission(LIMITS, 0.0)
    spend(admission, b"flood", 0.0)
    assert all(admission.admit(b"calm", PLAIN, 0.0, relay=False) is None for _ in range(4))


def test_work_opens_the_door_and_is_worth_one_circuit_each() -> None:
    admission = Admission(LIMITS, 0.0)
    refusal = spend(admission, b"a", 0.0)
    assert refusal.bits == 6
    assert admission.admit(b"a", paid(refusal), 0.0, relay=False) is None
    assert admission.admit(b"a", PLAIN, 0.0, relay=False) is not None


@pytest.mark.parametrize("change", ["none", "little", "seed", "ephemeral"])
def test_work_not_done_for_this_create_is_no_work(change: str) -> None:
    admission = Admission(replace(LIMITS, work_bits=16, work_max_bits=16), 0.0)
    refusal = spend(admission, b"a", 0.0)
    created = {
        "none": lambda: PLAIN,
        "little": lambda: paid(refusal, 2),
        "seed": lambda: paid(replace(refusal, seed=os.urandom(16))),
        "ephemeral": lambda: replace(paid(refusal), client_public=os.urandom(32)),
    }[change]()
    assert admission.admit(b"a", created, 0.0, relay=False) is not None


def test_a_neighbour_that_pays_and_goes_on_pays_more() -> None:
    admission = Admission(LIMITS, 0.0)
    refusal: Refusal | None = spend(admission, b"a", 0.0)
    now, asked = 0.0, []
    while now < 5.0:
        refusal = admission.admit(b"a", PLAIN, now, relay=False)
        if refusal is not None:
            asked.append(refusal.bits)
            assert admission.admit(b"a", paid(refusal), now, relay=False) is None
        now += 0.05
    assert asked[0] == 6
    assert asked == sorted(asked)
    assert asked[-1] == 9  # and not above the most
    other = spend(admission, b"b", now)
    assert other.bits == 6  # its price is its own


def test_under_overload_everybody_pays_and_later_nobody() -> None:
    admission = Admission(LIMITS, 0.0)
    admission.press(0.0)
    refusal = admission.admit(b"new", PLAIN, 0.1, relay=True)
    assert refusal is not None
    assert refusal.bits == 6
    assert admission.admit(b"new", paid(refusal), 0.1, relay=True) is None
    for number in range(40):
        admission.press(number * RAISE_EVERY_S)
    assert admission.overload_bits(10.0) == 9
    assert admission.admit(b"new", PLAIN, 10.0 + 10 * CALM_S, relay=True) is None


def test_a_demand_rises_slowly_and_forgets() -> None:
    demand = Demand(10, 20)
    for _ in range(100):
        demand.press(0.0)
    assert demand.at(0.0) == 10
    demand.press(RAISE_EVERY_S)
    assert demand.at(RAISE_EVERY_S) == 11
    assert demand.at(RAISE_EVERY_S + CALM_S) == 10
    assert demand.at(RAISE_EVERY_S + 2 * CALM_S) == 0


def test_seeds_change_and_the_one_before_is_taken_once_more() -> None:
    admission = Admission(LIMITS, 0.0)
    first = spend(admission, b"a", 0.0)
    request_then = paid(first)
    admission.press(SEED_LIFE_S)
    second = spend(admission, b"b", SEED_LIFE_S)
    assert second.seed != first.seed
    assert admission.admit(b"b", request_then, SEED_LIFE_S, relay=False) is None
    admission.press(2 * SEED_LIFE_S)
    assert admission.admit(b"c", request_then, 2 * SEED_LIFE_S, relay=False) is not None


def test_after_a_long_quiet_time_no_old_seed_is_good() -> None:
    admission = Admission(LIMITS, 0.0)
    first = spend(admission, b"a", 0.0)
    later = 3 * SEED_LIFE_S
    admission.press(later)
    assert admission.admit(b"a", paid(first), later, relay=False) is not None


def test_the_seed_is_the_same_for_all_so_it_names_nobody() -> None:
    admission = Admission(LIMITS, 0.0)
    assert len({spend(admission, os.urandom(32), 0.0).seed for _ in range(20)}) == 1


def test_neighbours_that_ask_no_more_are_forgotten() -> None:
    admission = Admission(LIMITS, 0.0)
    spend(admission, b"a", 0.0)
    admission.sweep(0.1)
    assert len(admission._neighbours) == 1
    admission.sweep(100.0)
    assert not admission._neighbours

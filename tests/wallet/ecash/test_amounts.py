"""Splitting and choosing: nothing appears, nothing disappears, nothing better exists."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet.ecash import amounts
from wallet.ecash.amounts import Heap
from wallet.ecash.errors import EcashError
from wallet.ecash.keysets import keyset_version, parse_keys, short_id
from wallet.ecash.types import Proof


def coins(*values: int) -> list[Proof]:
    return [Proof(value, "00ad268c4d1f5826", f"s{n}", b"") for n, value in enumerate(values)]


powers = st.lists(st.integers(0, 7).map(lambda bit: 1 << bit), max_size=9)


@given(st.integers(0, 2**62))
def test_split_adds_up_in_ascending_powers(amount: int) -> None:
    parts = amounts.split(amount)
    assert sum(parts) == amount
    assert parts == sorted(set(parts))
    assert len(parts) <= amounts.blanks_for(amount)


def test_split_refuses_negative() -> None:
    with pytest.raises(EcashError):
        amounts.split(-1)


@given(st.integers(0, 10_000), powers)
def test_split_for_wallet_adds_up(amount: int, held: list[int]) -> None:
    parts = amounts.split_for_wallet(amount, held)
    assert sum(parts) == amount
    assert parts == sorted(parts)
    assert all(part & (part - 1) == 0 for part in parts)


@given(powers, st.integers(1, 300), st.sampled_from([0, 1, 100, 500, 1000]))
def test_select_covers_with_the_least_left_over(values: list[int], amount: int, fee: int) -> None:
    chosen = amounts.select(coins(*values), amount, lambda _: fee)

    def left_over(parts: tuple[Proof, ...] | list[Proof]) -> int:
        return amounts.total(parts) - amount - amounts.input_fee(fee for _ in parts)

    everything = [
        left_over(some)
        for size in range(1, len(values) + 1)
        for some in combinations(coins(*values), size)
        if left_over(some) >= 0
    ]
    if chosen is None:
        assert not everything
    else:
        assert left_over(chosen) >= 0
        assert len({p.secret for p in chosen}) == len(chosen)
        if fee == 0:
            assert left_over(chosen) == min(everything)


HEAPS = st.lists(
    st.builds(
        Heap,
        st.integers(0, 7).map(lambda bit: 1 << bit),
        st.sampled_from(["old", "new", "cheap"]),
        st.integers(1, 4),
        st.just(0),
    ),
    max_size=9,
    unique_by=lambda heap: (heap.amount, heap.id),
)
FEES = st.fixed_dictionaries(
    {name: st.sampled_from([0, 1, 100, 500, 1000, 2500]) for name in ("old", "new", "cheap")}
)


@settings(max_examples=400)
@given(HEAPS, FEES, st.integers(1, 400))
def test_selection_never_overpays_fees(
    heaps: list[Heap], fees: dict[str, int], amount: int
) -> None:
    """No chosen coin could stay at home, and none could be had cheaper: each would cost the input
    fee of a coin that pays for nothing."""
    heaps = [replace(heap, fee_ppk=fees[heap.id]) for heap in heaps]
    chosen = amounts.select_heaps(heaps, amount)
    if chosen is None:
        return
    worth, fee = amounts.value_of(chosen), amounts.input_fee_of(chosen)
    assert worth >= amount + fee
    taken = {(heap.amount, heap.id): heap.count for heap in chosen}
    for heap in chosen:
        less = [replace(h, count=h.count - (h is heap)) for h in chosen]
        assert worth - heap.amount < amount + amounts.input_fee_of(less)
        for other in heaps:
            idle = other.count - taken.get((other.amount, other.id), 0)
            assert not (idle and other.amount == heap.amount and other.fee_ppk < heap.fee_ppk)


def test_the_fee_is_rounded_up_once() -> None:
    assert amounts.input_fee([]) == 0
    assert amounts.input_fee([100] * 10) == 1
    assert amounts.input_fee([100] * 11) == 2


@given(st.integers(1, 5000), st.sampled_from([0, 100, 250]))
def test_fee_included_is_enough(amount: int, fee: int) -> None:
    extra = amounts.fee_included(amount, fee)
    assert extra >= amounts.input_fee(fee for _ in amounts.split(amount + extra))


def test_payable_exactly() -> None:
    held = coins(1, 2, 4, 8)
    assert amounts.payable_exactly(held, [5, 10], lambda _: 0)
    assert not amounts.payable_exactly(held, [5, 5], lambda _: 0)


@pytest.mark.parametrize(
    "wrong", ["", "00", "00AD268C4D1F5826", "02" + "0" * 14, "zz" * 8, "01" + "0" * 14]
)
def test_unknown_keyset_ids(wrong: str) -> None:
    with pytest.raises(EcashError):
        keyset_version(wrong)


def test_short_ids() -> None:
    assert short_id("00ad268c4d1f5826") == "00ad268c4d1f5826"
    assert short_id("01" + "ab" * 32) == "01" + "ab" * 7


@pytest.mark.parametrize("amount", ["0", "01", "-1", "1.0", "x", "", "9" * 21, "١"])
def test_amounts_of_keysets_are_plain_numbers(amount: str) -> None:
    key = "03a40f20667ed53513075dc51e715ff2046cad64eb68960632269ba7f0210e38bc"
    with pytest.raises(EcashError):
        parse_keys({amount: key})

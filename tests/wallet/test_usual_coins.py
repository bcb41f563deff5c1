"""A ghost's payments are made of the same coins whoever pays: powers of two, one of each.

So two ghosts that compare what they were paid with cannot tell, by the coins, two programs of one
wallet from two wallets.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.mint import RealMint
from tests.wallet.support import a_wallet
from wallet.ecash.amounts import Heap, fee_included, input_fee_of, split, usual_heaps, value_of

KEYSET, OLD = "00aa", "00bb"
HEAPS = st.lists(
    st.builds(
        Heap,
        st.sampled_from([1, 2, 4, 8, 16, 32]),
        st.sampled_from([KEYSET, OLD]),
        st.integers(1, 20),
        st.just(0),
    ),
    unique_by=lambda heap: (heap.amount, heap.id),
)


@given(HEAPS, st.integers(1, 63))
def test_usual_coins_depend_on_the_amount_alone(heaps: Sequence[Heap], amount: int) -> None:
    chosen = usual_heaps(heaps, amount, KEYSET)
    there = {heap.amount for heap in heaps if heap.id == KEYSET}
    assert (chosen is not None) is (set(split(amount)) <= there)
    if chosen is not None:
        assert [heap.amount for heap in chosen] == split(amount)[::-1]
        assert {(heap.id, heap.count) for heap in chosen} == {(KEYSET, 1)}


@given(st.integers(1, 5000), st.sampled_from([0, 100, 500, 1000]))
def test_usual_coins_pay_exactly_or_not_at_all(amount: int, per_coin: int) -> None:
    parts = split(amount + fee_included(amount, per_coin))
    heaps = [Heap(part, KEYSET, 1, per_coin) for part in parts]
    chosen = usual_heaps(heaps, amount, KEYSET)
    if chosen is not None:
        assert value_of(chosen) == amount + input_fee_of(chosen)


@pytest.mark.trio
async def test_wallets_of_all_sorts_pay_with_the_same_coins(
    tmp_path: Path, real_mint: RealMint, fee_mint: RealMint
) -> None:
    """Adversary: two ghosts lay their payments side by side. One wallet holds only small coins, one
    only a large one, one what funding gave it. Pass: for each amount all pay with the same coins,
    and twice the same: a second program of a wallet looks like another wallet."""
    for url in (real_mint.url, fee_mint.url):
        seen: dict[int, set[tuple[int, ...]]] = {}
        for name, coins in (("small", [1] * 90), ("large", [128]), ("funded", [])):
            folder = tmp_path / url.rpartition(":")[2]
            folder.mkdir(exist_ok=True)
            async with a_wallet(folder, name, url, fund_sat=240) as wallet:
                if coins:
                    await wallet.split_ahead(url, coins)
                for lot in (16, 21):
                    await wallet.keep_exact(url, lot, 2, 2)
                    for _program in range(2):
                        payment = await wallet.pay_prepare(url, lot)
                        assert payment.change_due_sat == 0
                        paid = tuple(sorted(proof.amount for proof in payment.proofs))
                        seen.setdefault(lot, set()).add(paid)
        assert all(len(kinds) == 1 for kinds in seen.values()), seen

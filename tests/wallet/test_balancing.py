"""Moves between mints with the fees known first, and evening out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.mint import RealMint
from tests.wallet.fake_mint import Refused
from tests.wallet.support import a_wallet, fund
from tests.wallet.test_quotes import ONE, TWO, Two
from wallet.errors import BadAmount, InsufficientFunds, MintProblem, UntrustedMint, WrongUnit
from wallet.parting import LEAST_MOVE, evened, parts_of, unevenness
from wallet.wallet import Wallet

NAMES = st.sampled_from("abcdef")
AMOUNTS = st.integers(0, 10**6)


async def by_mint(wallet: Wallet) -> list[int]:
    return [row.available_sat for row in await wallet.balances()]


# -- the arithmetic


@given(st.integers(1, 10**6), st.dictionaries(NAMES, AMOUNTS))
def test_parts_fit_and_add_up(amount: int, room: dict[str, int]) -> None:
    parts = parts_of(amount, room)
    if parts is None:
        assert sum(room.values()) < amount
        return
    assert sum(parts.values()) == amount
    assert all(0 < part <= room[mint] for mint, part in parts.items())
    richest = sorted(room.values(), reverse=True)
    assert sum(richest[: len(parts) - 1]) < amount, "fewer mints would have done"


@given(
    st.dictionaries(NAMES, AMOUNTS, max_size=6),
    st.dictionaries(NAMES, st.integers(0, 100), max_size=6),
)
def test_moves_lead_to_the_shares(balances: dict[str, int], shares: dict[str, int]) -> None:
    moves = evened(balances, shares)
    after = dict(balances)
    for move in moves:
        assert move.amount >= LEAST_MOVE
        after[move.source] = after.get(move.source, 0) - move.amount
        after[move.target] = after.get(move.target, 0) + move.amount
    assert sum(after.values()) == sum(balances.values())
    assert all(have >= 0 for have in after.values())
    assert len(moves) < max(1, len(shares))
    for mint, have in balances.items():
        if mint not in shares:
            assert after[mint] == have
    whole = sum(balances.get(mint, 0) for mint in shares)
    for mint, part in shares.items():
        if sum(shares.values()):
            off = abs(after.get(mint, 0) - whole * part / sum(shares.values()))
            assert off <= max(LEAST_MOVE, whole / 100) * len(shares) + len(shares)


def test_unevenness() -> None:
    assert unevenness({}) == unevenness({"a": 5, "b": 5}) == 0
    assert unevenness({"a": 10, "b": 0}) == 50
    assert unevenness({"a": 0}) == 0


# -- at mints


@pytest.mark.trio
async def test_a_move_is_made_as_it_was_shown(
    tmp_path: Path, real_mint: RealMint, fee_mint: RealMint
) -> None:
    async with a_wallet(tmp_path, "a", real_mint.url, fee_mint.url, fund_sat=300) as alice:
        quote = await alice.balancing.quote_move(real_mint.url, fee_mint.url, 100)
        assert await by_mint(alice) == [300, 0], "nothing moved yet"
        (moved,) = await alice.balancing.run([quote])
        assert moved.arrived
        assert 0 <= moved.cost_sat <= quote.fee_reserve_sat
        assert await by_mint(alice) == [200 - moved.cost_sat, 100]
        with pytest.raises(InsufficientFunds, match="more than there are"):
            await alice.balancing.quote_move(real_mint.url, fee_mint.url, 199)
        with pytest.raises(BadAmount, match="same mint"):
            await alice.balancing.quote_move(real_mint.url, real_mint.url, 9)


@pytest.mark.trio
@pytest.mark.usefixtures("quick")
async def test_evening_out(tmp_path: Path) -> None:
    both = Two()
    async with a_wallet(tmp_path, "a", ONE, TWO, transport=both, fund_sat=100) as alice:
        (move,) = await alice.balancing.quote_even()
        assert (move.source, move.target, move.amount_sat) == (ONE, TWO, 50)
        (done,) = await alice.balancing.run([move])
        assert (done.arrived, done.cost_sat) == (True, 1)
        assert await by_mint(alice) == [49, 50]
        assert await alice.balancing.quote_even() == []
        # All of it to one side: what the fees need stays out of the amount.
        (move,) = await alice.balancing.quote_even({ONE: 1, TWO: 0})
        assert (move.source, move.amount_sat) == (TWO, 46)
        await alice.balancing.run([move])
        assert sum(await by_mint(alice)) == sum(m.outstanding for m in both.mints.values())
        with pytest.raises(BadAmount):
            await alice.balancing.quote_even({ONE: 1})
        with pytest.raises(BadAmount):
            await alice.balancing.quote_even({ONE: 0, TWO: 0})
        with pytest.raises(UntrustedMint):
            await alice.balancing.quote_even({ONE: 1, "http://other.test": 1})
        with pytest.raises((WrongUnit, UntrustedMint)):
            await alice.balancing.quote_even({ONE: 1, f"{TWO}#usd": 1})


@pytest.mark.trio
@pytest.mark.usefixtures("quick")
async def test_one_move_that_fails_does_not_keep_the_next(tmp_path: Path) -> None:
    both = Two()
    async with a_wallet(tmp_path, "a", ONE, TWO, transport=both, fund_sat=100) as alice:
        first = await alice.balancing.quote_move(ONE, TWO, 20)
        second = await alice.balancing.quote_move(ONE, TWO, 30)
        refusals = iter([True])

        def refuse(path: str) -> None:
            if path == "/v1/melt/bolt11" and next(refusals, False):
                raise Refused(20004, "no route")

        both.mints["one.test"].before = refuse
        results = await alice.balancing.run([first, second])
        assert [result.arrived for result in results] == [False, True]
        assert results[0].trouble
        assert (await by_mint(alice))[1] >= 30


@pytest.mark.trio
@pytest.mark.usefixtures("quick")
async def test_by_policy_only_when_it_is_uneven_and_cheap(tmp_path: Path) -> None:
    both = Two()
    async with a_wallet(tmp_path, "a", ONE, TWO, transport=both, fund_sat=1000) as alice:
        assert await alice.balancing.keep_even(60) == []
        (done,) = await alice.balancing.keep_even(40)
        assert done.arrived
        assert await by_mint(alice) == [499, 500]
        await fund(alice, TWO, 60)
        assert await alice.balancing.keep_even(1) == [], "4 sat for 30 are too much"
        both.mints["two.test"].down = True
        with pytest.raises(MintProblem):
            await alice.refresh_mint(TWO)
        await fund(alice, ONE, 2000)
        assert await alice.balancing.keep_even(1) == [], "a mint that does not answer gets nothing"
        assert await alice.keep_even() == 0, "not asked for"

"""Coins rest, amounts are usual ones, funding is spread, payments are prepared in one swap."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.mint import RealMint
from tests.wallet.fake_mint import URL, FakeMint, an_invoice
from tests.wallet.support import fund
from wallet.ecash import tokens
from wallet.errors import BadAmount, InsufficientFunds, MintProblem
from wallet.policy import PRIVATE, Policy, decode, encode, standard
from wallet.store import KeyFile, Store
from wallet.wallet import Wallet

NAMES = [f"https://m{n}.example" for n in range(5)]


class Clock:
    """Time that only a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.tick: Callable[[], int] = itertools.count().__next__

    def __call__(self) -> float:
        return self.now + self.tick() * 1e-6


async def opened(folder: Path, mint: FakeMint, policy: Policy) -> tuple[Store, Wallet, Clock]:
    clock = Clock()
    key = KeyFile(folder / "key", create=True)
    store = await Store.open(folder / "store.db", key, create=True, clock=clock)
    wallet = Wallet(store, lambda _url: mint, policy=policy)
    await wallet.open()
    await wallet.add_mint(URL)
    return store, wallet, clock


def test_round_up() -> None:
    assert [standard(n) for n in (1, 2, 3, 5, 6, 10, 11, 99, 100, 137, 501, 4096)] == [
        1, 2, 5, 5, 10, 10, 20, 100, 100, 200, 1000, 5000,
    ]  # fmt: skip


@given(st.integers(1, 10**9))
def test_a_standard_amount_is_enough_and_not_much_more(amount: int) -> None:
    assert amount <= standard(amount) <= 2.5 * amount


@given(st.integers(1, 10**6), st.integers(1, 8), st.integers(1, 5), st.booleans(), st.integers())
def test_parts_add_up(amount: int, spread: int, mints: int, usual: bool, seed: int) -> None:
    policy = Policy(spread=spread, round_up=usual)
    parts = policy.parts(amount, NAMES[:mints], random.Random(seed))
    assert len({url for url, _ in parts}) == len(parts) <= min(spread, mints)
    assert all(part > 0 for _, part in parts)
    total = sum(part for _, part in parts)
    assert total >= amount
    assert usual or total == amount


def test_shares_are_unequal() -> None:
    parts = Policy(spread=3).parts(9000, NAMES, random.Random(1))
    assert len({part for _, part in parts}) == 3


@given(st.floats(0, 100), st.floats(0, 100), st.integers())
def test_the_rest_is_within_its_bounds(low: float, more: float, seed: int) -> None:
    policy = Policy(rest_min_s=low, rest_max_s=low + more)
    assert low <= policy.rest_s(random.Random(seed)) <= low + more


@pytest.mark.parametrize(
    "wrong",
    [
        {"rest_min_s": 5, "rest_max_s": 1},
        {"rest_min_s": -1},
        {"rest_max_s": 1e9},
        {"spread": 0},
        {"spread": 9},
        {"ahead": -1},
        {"ahead": 65},
        {"ahead_sat": 0},
    ],
)
def test_policies_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(BadAmount):
        Policy(**wrong).checked()  # type: ignore[arg-type]


def test_a_stored_policy_is_read_again_and_a_damaged_one_is_the_plain_one() -> None:
    assert decode(encode(PRIVATE)) == PRIVATE
    for text in ("", "{", '{"spread": 99}', '{"what": 1}'):
        assert decode(text) == Policy()
    assert all(cost for _, _, cost in PRIVATE.lines())


@pytest.mark.trio
async def test_fresh_coins_rest_and_then_do_not(tmp_path: Path, fake_mint: FakeMint) -> None:
    policy = Policy(rest_min_s=100, rest_max_s=100)
    store, wallet, clock = await opened(tmp_path, fake_mint, policy)
    await fund(wallet, URL, 64)
    (balance,) = await wallet.balances()
    assert (balance.available_sat, balance.resting_sat) == (0, 64)
    with pytest.raises(InsufficientFunds, match="rest for 100 s") as caught:
        await wallet.send(URL, 10)
    assert "--wake" in caught.value.hint
    with pytest.raises(InsufficientFunds, match="64 rest for"):
        await wallet.pay_quote(an_invoice(10))
    with pytest.raises(InsufficientFunds, match="75 sat and the fees; 0 are"):
        await wallet.pay_quote(an_invoice(75))
    clock.now += 101
    token = await wallet.send(URL, 10)  # and its change does not rest again
    (balance,) = await wallet.balances()
    assert (balance.available_sat, balance.resting_sat) == (54, 0)
    await wallet.receive(token)
    (balance,) = await wallet.balances()
    assert (balance.available_sat, balance.resting_sat) == (54, 10)
    assert await wallet.wake() == 10
    assert (await wallet.balances())[0].available_sat == 64
    await wallet.aclose()
    await store.aclose()


@pytest.mark.trio
async def test_the_choice_is_remembered(tmp_path: Path, fake_mint: FakeMint) -> None:
    store, wallet, _ = await opened(tmp_path, fake_mint, Policy())
    await wallet.set_policy(PRIVATE)
    with pytest.raises(BadAmount):
        await wallet.set_policy(Policy(spread=99))
    again = Wallet(store, lambda _url: fake_mint)
    await again.open()
    assert again.policy == PRIVATE
    for each in (wallet, again):
        await each.aclose()
    await store.aclose()


@pytest.mark.trio
async def test_coins_for_many_payments_in_one_swap(tmp_path: Path, fake_mint: FakeMint) -> None:
    policy = Policy(ahead=5, ahead_sat=21)
    store, wallet, _ = await opened(tmp_path, fake_mint, policy)
    await wallet.make_ready(URL)  # nothing there yet: nothing happens
    await fund(wallet, URL, 200)
    before = fake_mint.asked.count("/v1/swap")
    await wallet.make_ready(URL)
    await wallet.make_ready(URL)
    assert fake_mint.asked.count("/v1/swap") == before + 1
    for _ in range(5):
        payment = await wallet.pay_prepare(URL, 21)
        assert payment.total_sat == 21 + payment.fee_sat
    await wallet.aclose()
    await store.aclose()


@pytest.mark.trio
async def test_funding_is_spread_over_the_mints_that_answer(
    tmp_path: Path, real_mint: RealMint, fee_mint: RealMint
) -> None:
    key = KeyFile(tmp_path / "key", create=True)
    async with await Store.open(tmp_path / "store.db", key, create=True) as store:
        wallet = Wallet(store, policy=Policy(spread=2, round_up=True))
        await wallet.open()
        with pytest.raises(BadAmount):
            await wallet.request_spread(0)
        with pytest.raises(MintProblem, match="knows no mint"):
            await wallet.request_spread(300)
        for mint in (real_mint, fee_mint):
            await wallet.add_mint(mint.url)
        quotes = await wallet.request_spread(300)
        assert {quote.mint for quote in quotes} == {real_mint.url, fee_mint.url}
        assert all(standard(quote.amount_sat) == quote.amount_sat for quote in quotes)
        assert sum([await wallet.complete_mint(quote.quote_id) for quote in quotes]) >= 300
        token = await wallet.send(fee_mint.url, 8)
        assert tokens.decode(token).amount == 8
        await wallet.aclose()

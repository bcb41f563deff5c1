"""Coins locked to a ghost ahead of payments: paid, taken back, kept; at a real mint."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers.mint import RealMint
from tests.wallet.support import SESSION, available, fund, not_available
from wallet import chunks
from wallet.chunks import check_payable, lots_worth
from wallet.ecash import conditions
from wallet.ecash.types import Proof
from wallet.errors import InsufficientFunds, MintBusy, PaymentInvalid
from wallet.store import KeyFile, Store
from wallet.types import OutgoingPayment, Redeemed
from wallet.wallet import Wallet

LOT = 8


@dataclass
class Clock:
    """The mint's own clock, put back by so much."""

    behind_s: float = 0.0

    def __call__(self) -> float:
        return time.time() - self.behind_s


@dataclass
class Locked:
    """A client and a ghost whose clocks can be put back, at one mint."""

    client: Wallet
    ghost: Wallet
    store: Store
    ghost_store: Store
    clock: Clock
    url: str
    key: str

    async def redeem(self, payment: OutgoingPayment) -> Redeemed:
        return await self.ghost.redeem(
            self.url,
            payment.proofs,
            payment.amount_sat,
            payment.outputs,
            SESSION,
            payment.keyset_id,
        )

    async def pay(self, sat: int = LOT) -> OutgoingPayment:
        payment = await self.client.pay_locked(self.url, sat, self.key)
        assert payment is not None
        return payment

    async def ready(self) -> int:
        return len(await self.store.run(lambda tx: tx.locks.ready(self.url, self.key, 0.0)))


@asynccontextmanager
async def opened(folder: Path, name: str, clock: Clock, url: str) -> AsyncIterator[Wallet]:
    key = KeyFile(folder / f"{name}.key", create=True)
    store = await Store.open(folder / f"{name}.db", key, create=True, clock=clock)
    wallet = Wallet(store)
    await wallet.open()
    try:
        if url not in wallet.mints():
            await wallet.add_mint(url)
        yield wallet
    finally:
        await wallet.aclose()
        await store.aclose()


@asynccontextmanager
async def world(folder: Path, url: str, fund_sat: int = 200) -> AsyncIterator[Locked]:
    clock = Clock()
    async with (
        opened(folder, "ghost", clock, url) as ghost,
        opened(folder, "client", clock, url) as client,
    ):
        await fund(client, url, fund_sat)
        key = await ghost.lock_key()
        yield Locked(client, ghost, client._store, ghost._store, clock, url, key)


@pytest.mark.parametrize("fees", [False, True])
@pytest.mark.trio
async def test_a_lot_pays_exactly_and_only_the_ghost_can_take_it(
    tmp_path: Path, real_mint: RealMint, fee_mint: RealMint, fees: bool
) -> None:
    async with world(tmp_path, (fee_mint if fees else real_mint).url) as w:
        await w.client.chunks.keep(w.url, w.key, LOT, 4, 2)
        before = await available(w.client)
        payment = await w.pay()
        assert payment.total_sat == LOT + payment.fee_sat
        assert payment.outputs == []
        assert await available(w.client) == before, "what is handed over was set aside before"
        redeemed = await w.redeem(payment)
        assert (redeemed.received_sat, list(redeemed.change)) == (LOT, [])
        assert await w.client.pay_settle(payment.id, redeemed.change) == 0
        assert await w.ghost_store.credits.get(SESSION) == LOT * 1000
        assert await w.redeem(payment) == redeemed, "the same payment again has the same answer"
        assert await w.ready() == 3


@pytest.mark.trio
async def test_nobody_else_can_take_a_lot(tmp_path: Path, real_mint: RealMint) -> None:
    async with world(tmp_path, real_mint.url) as w:
        foreign = await w.client.lock_key()
        await w.client.chunks.make(w.url, foreign, LOT, 1)
        payment = await w.client.pay_locked(w.url, LOT, foreign)
        assert payment is not None
        with pytest.raises(PaymentInvalid, match="not ours"):
            await w.redeem(payment)
        with pytest.raises(MintBusy):  # nor we ourselves, before the lock has ended
            await w.client.pay_resolve(payment.id)
        assert await not_available(w.client) == LOT


@pytest.mark.trio
async def test_several_lots_make_one_payment(tmp_path: Path, fee_mint: RealMint) -> None:
    async with world(tmp_path, fee_mint.url) as w:
        await w.client.chunks.keep(w.url, w.key, LOT, 3, 1)
        payment = await w.pay(2 * LOT)
        redeemed = await w.redeem(payment)
        back = await w.client.pay_settle(payment.id, redeemed.change)
        assert redeemed.received_sat == 2 * LOT
        assert back == payment.total_sat - payment.fee_sat - 2 * LOT
        assert await w.client.pay_locked(w.url, 2 * LOT, w.key) is None
        assert await w.client.pay_locked(w.url, LOT + 1, w.key) is None
        assert await w.client.pay_locked(w.url, LOT, "02" + "11" * 32) is None


@pytest.mark.trio
async def test_lots_are_made_up_when_few_are_left(tmp_path: Path, real_mint: RealMint) -> None:
    async with world(tmp_path, real_mint.url) as w:
        await w.client.chunks.keep(w.url, w.key, LOT, 4, 2)
        for expected in (3, 2):
            await w.pay()
            await w.client.chunks.keep(w.url, w.key, LOT, 4, 2)
            assert await w.ready() == expected
        await w.pay()
        await w.client.chunks.keep(w.url, w.key, LOT, 4, 2)
        assert await w.ready() == 4


@pytest.mark.trio
async def test_lots_show_as_reserved_and_are_never_chosen(
    tmp_path: Path, real_mint: RealMint
) -> None:
    async with world(tmp_path, real_mint.url, 64) as w:
        await w.client.chunks.keep(w.url, w.key, 16, 2, 1)
        assert (await available(w.client), await not_available(w.client)) == (32, 32)
        await w.client.wake()
        with pytest.raises(InsufficientFunds):
            await w.client.pay_prepare(w.url, 33)
        with pytest.raises(InsufficientFunds):
            await w.client.send(w.url, 33)


@pytest.mark.trio
async def test_a_payment_that_was_not_sent_is_a_lot_again(
    tmp_path: Path, real_mint: RealMint
) -> None:
    async with world(tmp_path, real_mint.url) as w:
        await w.client.chunks.keep(w.url, w.key, LOT, 1, 1)
        payment = await w.pay()
        assert await w.ready() == 0
        await w.client.pay_abort(payment.id)
        assert await w.ready() == 1
        again = await w.pay()
        assert again.proofs == payment.proofs
        await w.redeem(again)


@pytest.mark.trio
async def test_what_nobody_used_comes_back_after_the_lock(
    tmp_path: Path, real_mint: RealMint
) -> None:
    async with world(tmp_path, real_mint.url) as w:
        w.clock.behind_s = 3 * chunks.LOCK_S
        await w.client.chunks.keep(w.url, w.key, LOT, 2, 1)
        given = await w.pay()
        assert await w.client.chunks.take_back_ended() == 0, "by its own clock it is too early"
        w.clock.behind_s = 0
        assert await w.client.pay_locked(w.url, LOT, w.key) is None, "too late to pay with"
        assert await w.client.chunks.take_back_ended() == LOT
        assert await w.client.chunks.take_back_ended() == 0
        outcome = await w.client.pay_resolve(given.id)
        assert (outcome.state, outcome.returned_sat) == ("reclaimed", LOT)
        assert (await available(w.client), await not_available(w.client)) == (200, 0)
        assert await w.client.chunks.take_back_ended() == 0
        assert await w.store.run(lambda tx: tx.rows("SELECT * FROM locked_coins")) == []


@pytest.mark.trio
async def test_a_payment_the_ghost_took_is_not_taken_back(
    tmp_path: Path, real_mint: RealMint
) -> None:
    async with world(tmp_path, real_mint.url) as w:
        await w.client.chunks.keep(w.url, w.key, LOT, 1, 1)
        payment = await w.pay()
        await w.redeem(payment)
        assert (await w.client.pay_resolve(payment.id)).state == "spent"
        assert await w.ready() == 0


@pytest.mark.trio
async def test_a_ghost_takes_no_lock_that_ends_soon(tmp_path: Path, real_mint: RealMint) -> None:
    async with world(tmp_path, real_mint.url) as w:
        w.clock.behind_s = chunks.LOCK_S + chunks.GRID_S
        await w.client.chunks.keep(w.url, w.key, LOT, 2, 1)
        late, early = await w.pay(), await w.pay()
        redeemed = await w.redeem(early)
        w.clock.behind_s = 0
        with pytest.raises(PaymentInvalid, match="too soon"):
            await w.redeem(late)
        assert await w.redeem(early) == redeemed, "what was taken is known at any time"


@pytest.mark.trio
async def test_each_lot_has_a_key_of_its_own_and_a_common_lock_time(
    tmp_path: Path, real_mint: RealMint
) -> None:
    async with world(tmp_path, real_mint.url) as w:
        await w.client.chunks.keep(w.url, w.key, 7, 3, 1)
        locks = [conditions.parse(p.secret) for _ in range(3) for p in (await w.pay(7)).proofs]
        assert len(locks) == 9
        assert len({lock.refund for lock in locks if lock}) == 3
        (until,) = {lock.locktime for lock in locks if lock}
        assert until is not None
        assert until % chunks.GRID_S == 0


def locked(lock: conditions.Lock) -> Proof:
    return Proof(1, "00" * 8, conditions.secret(lock, "aa" * 32), bytes(33))


KEYS = ["02" + "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"]
KEYS += ["02" + "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"]


@pytest.mark.parametrize(
    "lock",
    [
        conditions.lock_to_keys(KEYS),
        conditions.lock_to_keys(KEYS, n_sigs=2),
        conditions.lock_to_keys(KEYS[:1], sig_all=True),
        conditions.lock_to_hash("00" * 32, KEYS[:1]),
        conditions.lock_to_keys(KEYS[:1], locktime=1000 + chunks.TAKE_MARGIN_S - 1),
    ],
)
def test_locks_a_ghost_does_not_take(lock: conditions.Lock) -> None:
    with pytest.raises(PaymentInvalid):
        check_payable(locked(lock), 1000.0)


def test_locks_a_ghost_takes() -> None:
    assert check_payable(locked(conditions.lock_to_keys(KEYS[:1])), 1000.0) == KEYS[0]
    until = 1000 + chunks.TAKE_MARGIN_S
    lock = conditions.lock_to_keys(KEYS[:1], locktime=until, refund=KEYS[1:])
    assert check_payable(locked(lock), 1000.0) == KEYS[0]
    with pytest.raises(PaymentInvalid):
        check_payable(Proof(1, "00" * 8, "[not a lock", bytes(33)), 0.0)


@pytest.mark.parametrize(
    ("ready", "amount", "expected"),
    [
        ([], 8, None),
        ([("a", 8)], 8, ["a"]),
        ([("a", 8), ("b", 8)], 16, ["a", "b"]),
        ([("a", 8), ("b", 5)], 13, None),
        ([("a", 8), ("b", 5)], 5, ["b"]),
        ([("a", 8)], 12, None),
    ],
)
def test_lots_of_one_size_make_an_amount(
    ready: list[tuple[str, int]], amount: int, expected: list[str] | None
) -> None:
    assert lots_worth(ready, amount) == expected

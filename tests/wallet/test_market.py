"""Two wallets pay each other as client and ghost, against the real mint: every sat adds up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.helpers.mint import RealMint
from tests.wallet.support import SESSION, a_wallet, available, fund, not_available, open_store
from wallet.ecash import amounts
from wallet.ecash.curve import hash_to_curve
from wallet.ecash.types import BlindSignature
from wallet.errors import InsufficientFunds, PaymentInvalid, UntrustedMint, WalletError
from wallet.store import Store
from wallet.types import OutgoingPayment, Redeemed
from wallet.wallet import Wallet

pytestmark = pytest.mark.trio
OTHER_SESSION = bytes(32)


@dataclass
class Market:
    client: Wallet
    ghost: Wallet
    ghost_store: Store
    url: str

    async def redeem(
        self, payment: OutgoingPayment, session: bytes = SESSION, price: int | None = None
    ) -> Redeemed:
        return await self.ghost.redeem(
            self.url,
            payment.proofs,
            payment.amount_sat if price is None else price,
            payment.outputs,
            session,
            payment.keyset_id,
        )

    async def credit(self, session: bytes = SESSION) -> int:
        return await self.ghost_store.credits.get(session)


@pytest.fixture
def large_coins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wallet that keeps no small coins, so that payments need change."""
    monkeypatch.setattr(amounts, "WANTED_EACH", 0)


@asynccontextmanager
async def market(folder: Path, url: str, client_sat: int, ghost_sat: int) -> AsyncIterator[Market]:
    ghost_store = await open_store(folder, "ghost")
    ghost = Wallet(ghost_store)
    await ghost.open()
    await ghost.add_mint(url)
    if ghost_sat:
        await fund(ghost, url, ghost_sat)
    async with a_wallet(folder, "client", url, fund_sat=client_sat) as client:
        try:
            yield Market(client, ghost, ghost_store, url)
        finally:
            await ghost.aclose()
            await ghost_store.aclose()


@pytest.mark.usefixtures("large_coins")
async def test_pay_with_change_and_refund(tmp_path: Path, real_mint: RealMint) -> None:
    async with market(tmp_path, real_mint.url, 1000, 0) as m:
        first = await m.client.pay_prepare(m.url, 300)
        assert first.total_sat - first.change_due_sat == 300
        assert await available(m.client) == 1000 - first.total_sat
        assert await not_available(m.client) == first.total_sat
        redeemed = await m.redeem(first)
        assert redeemed.received_sat == 300
        parts = [signature.amount for signature in redeemed.change]
        assert parts == sorted(parts)
        assert await m.credit() == 300_000
        assert await m.client.pay_settle(first.id, redeemed.change) == first.change_due_sat
        assert await m.client.pay_settle(first.id, []) == first.change_due_sat
        assert (await available(m.client), await not_available(m.client)) == (700, 0)

        slot = await m.client.refund_outputs(m.url, 299)
        change = await m.ghost.refund(m.url, 123, slot.outputs, SESSION, slot.keyset_id)
        assert await m.credit() == 177_000
        assert await m.client.refund_settle(slot.id, change) == 123
        assert await m.client.refund_resolve(slot.id) == 123
        assert await available(m.client) == 823
        assert await available(m.ghost) == 177


async def test_fees_of_both_sides(tmp_path: Path, fee_mint: RealMint) -> None:
    async with market(tmp_path, fee_mint.url, 500, 100) as m:
        payment = await m.client.pay_prepare(m.url, 50)
        assert payment.fee_sat == (len(payment.proofs) * 100 + 999) // 1000
        redeemed = await m.redeem(payment)
        assert await m.client.pay_settle(payment.id, redeemed.change) == payment.change_due_sat
        assert await available(m.client) == 450 - payment.fee_sat
        assert await available(m.ghost) == 150
        slot = await m.client.refund_outputs(m.url, 20)
        change = await m.ghost.refund(m.url, 20, slot.outputs, SESSION)
        assert await m.client.refund_settle(slot.id, change) == 20
        assert 128 <= await available(m.ghost) <= 129  # the mint's fee is the ghost's
        assert await m.credit() == 30_000


@pytest.mark.usefixtures("large_coins")
async def test_a_repeated_payment_is_redeemed_once(tmp_path: Path, real_mint: RealMint) -> None:
    async with market(tmp_path, real_mint.url, 100, 0) as m:
        payment = await m.client.pay_prepare(m.url, 33)
        first = await m.redeem(payment)
        assert await m.redeem(payment) == first
        assert await m.credit() == 33_000
        with pytest.raises(PaymentInvalid):
            await m.redeem(payment, session=OTHER_SESSION)
        with pytest.raises(PaymentInvalid):
            await m.redeem(payment, price=32)
        with pytest.raises(PaymentInvalid):
            await m.redeem(replace(payment, outputs=list(reversed(payment.outputs))))
        assert (await m.credit(), await m.credit(OTHER_SESSION)) == (33_000, 0)


async def test_a_repeated_refund_is_made_once(tmp_path: Path, real_mint: RealMint) -> None:
    async with market(tmp_path, real_mint.url, 100, 64) as m:
        await m.ghost_store.credits.add(SESSION, 50_000)
        slot = await m.client.refund_outputs(m.url, 40)
        first = await m.ghost.refund(m.url, 40, slot.outputs, SESSION)
        assert await m.ghost.refund(m.url, 40, slot.outputs, SESSION) == first
        assert await m.credit() == 10_000
        with pytest.raises(PaymentInvalid):
            await m.ghost.refund(m.url, 10, slot.outputs, SESSION)
        with pytest.raises(PaymentInvalid):  # in another order: the client looks for no more
            await m.ghost.refund(m.url, 10, slot.outputs[::-1], SESSION)
        other = await m.client.refund_outputs(m.url, 40)
        with pytest.raises(InsufficientFunds):
            await m.ghost.refund(m.url, 11, other.outputs, SESSION)
        assert await m.credit() == 10_000
        assert (await available(m.ghost), await not_available(m.ghost)) == (24, 0)


async def test_a_ghost_without_ecash_keeps_the_credit(tmp_path: Path, real_mint: RealMint) -> None:
    async with market(tmp_path, real_mint.url, 10, 0) as m:
        await m.ghost_store.credits.add(SESSION, 50_000)
        slot = await m.client.refund_outputs(m.url, 40)
        with pytest.raises(InsufficientFunds):
            await m.ghost.refund(m.url, 40, slot.outputs, SESSION)
        assert await m.credit() == 50_000


@pytest.mark.usefixtures("large_coins")
async def test_payments_that_are_not_right(tmp_path: Path, real_mint: RealMint) -> None:
    async with market(tmp_path, real_mint.url, 200, 0) as m:
        payment = await m.client.pay_prepare(m.url, 30)
        proof = payment.proofs[0]
        stranger = hash_to_curve(b"stranger").format()
        wrong = [
            replace(payment, proofs=[]),
            replace(payment, proofs=[proof, proof]),
            replace(payment, proofs=[replace(proof, amount=3)]),
            replace(payment, proofs=[replace(proof, id="00" + "ab" * 7)]),
            replace(payment, proofs=[replace(proof, id="nonsense")]),
            replace(payment, proofs=[replace(proof, C=b"\x02" + b"\xff" * 32)]),
            replace(payment, proofs=[replace(proof, secret='["P2PK",{}]')]),
            replace(payment, proofs=[replace(proof, secret="")]),
            replace(payment, amount_sat=payment.total_sat + 1),
            replace(payment, amount_sat=0),
            replace(payment, outputs=[b"\x00" * 33]),
            replace(payment, outputs=[stranger, stranger]),
            replace(payment, outputs=[stranger] * 65),
            replace(payment, keyset_id="00" + "ab" * 7),
        ]
        wrong.append(replace(payment, outputs=[]))
        for bad in wrong:
            with pytest.raises(PaymentInvalid):
                await m.redeem(bad)
        forged = replace(payment, proofs=[replace(p, C=stranger) for p in payment.proofs])
        with pytest.raises(WalletError):
            await m.redeem(forged)
        with pytest.raises(UntrustedMint):
            await m.ghost.redeem("http://127.0.0.1:9", payment.proofs, 1, [], SESSION)
        assert await m.credit() == 0
        assert (await m.redeem(payment)).received_sat == 30


async def test_spent_ecash_buys_nothing(tmp_path: Path, real_mint: RealMint) -> None:
    async with market(tmp_path, real_mint.url, 64, 0) as m:
        payment = await m.client.pay_prepare(m.url, 20)
        assert (await m.client.pay_resolve(payment.id)).state == "reclaimed"
        with pytest.raises(WalletError):
            await m.redeem(payment)
        assert await m.credit() == 0
        assert await available(m.client) == 64


@pytest.mark.usefixtures("large_coins")
async def test_a_ghost_that_keeps_the_change(tmp_path: Path, real_mint: RealMint) -> None:
    """It cannot: the change is signed at the mint in the same swap, and found there."""
    async with market(tmp_path, real_mint.url, 300, 0) as m:
        payment = await m.client.pay_prepare(m.url, 70)
        await m.redeem(payment)
        outcome = await m.client.pay_resolve(payment.id)
        assert (outcome.state, outcome.change_sat) == ("spent", payment.change_due_sat)
        assert (await m.client.pay_resolve(payment.id)).state == "settled"
        assert await available(m.client) == 230


@pytest.mark.usefixtures("large_coins")
async def test_a_ghost_that_keeps_too_much(tmp_path: Path, real_mint: RealMint) -> None:
    async with market(tmp_path, real_mint.url, 300, 0) as m:
        payment = await m.client.pay_prepare(m.url, 200)
        assert payment.change_due_sat > 0
        greedy = await m.redeem(payment, price=payment.total_sat)
        assert greedy.change == []
        with pytest.raises(PaymentInvalid):
            await m.client.pay_settle(payment.id, greedy.change)
        assert await not_available(m.client) == 0


@pytest.mark.usefixtures("large_coins")
async def test_forged_change_leaves_the_payment_open(tmp_path: Path, real_mint: RealMint) -> None:
    async with market(tmp_path, real_mint.url, 512, 0) as m:
        payment = await m.client.pay_prepare(m.url, 300)
        redeemed = await m.redeem(payment)
        assert redeemed.change
        true = redeemed.change[0]
        for forged in (
            replace(true, C_=hash_to_curve(b"x").format()),
            replace(true, e=true.s),
            replace(true, amount=true.amount * 2),
            replace(true, id="00" + "ab" * 7),
        ):
            with pytest.raises(WalletError):
                await m.client.pay_settle(payment.id, [forged, *redeemed.change[1:]])
        too_many: list[BlindSignature] = [true] * 65
        with pytest.raises(PaymentInvalid):
            await m.client.pay_settle(payment.id, too_many)
        assert await not_available(m.client) == payment.total_sat
        outcome = await m.client.pay_resolve(payment.id)
        assert outcome.change_sat == payment.change_due_sat


async def test_a_payment_never_handed_over(tmp_path: Path, real_mint: RealMint) -> None:
    async with market(tmp_path, real_mint.url, 100, 0) as m:
        payment = await m.client.pay_prepare(m.url, 60)
        await m.client.pay_abort(payment.id)
        await m.client.pay_abort(payment.id)
        assert (await available(m.client), await not_available(m.client)) == (100, 0)


async def test_an_unanswered_payment_is_taken_back(tmp_path: Path, fee_mint: RealMint) -> None:
    async with market(tmp_path, fee_mint.url, 100, 0) as m:
        payment = await m.client.pay_prepare(m.url, 60)
        outcome = await m.client.pay_resolve(payment.id)
        assert outcome.state == "reclaimed"
        assert outcome.returned_sat == payment.total_sat - payment.fee_sat
        assert await available(m.client) == 100 - payment.fee_sat
        again = await m.client.pay_resolve(payment.id)
        assert again == outcome


async def test_an_unsigned_slot_stays_open(tmp_path: Path, real_mint: RealMint) -> None:
    async with market(tmp_path, real_mint.url, 10, 50) as m:
        slot = await m.client.refund_outputs(m.url, 40)
        assert await m.client.refund_resolve(slot.id) == 0
        await m.ghost_store.credits.add(SESSION, 40_000)
        await m.ghost.refund(m.url, 40, slot.outputs, SESSION)
        assert await m.client.refund_resolve(slot.id) == 40
        assert await available(m.client) == 50


async def test_nothing_of_a_payment_is_printed(tmp_path: Path, real_mint: RealMint) -> None:
    async with market(tmp_path, real_mint.url, 100, 0) as m:
        payment = await m.client.pay_prepare(m.url, 33)
        redeemed = await m.redeem(payment)
        slot = await m.client.refund_outputs(m.url, 10)
        shown = f"{payment!r} {redeemed!r} {slot!r}"
        assert payment.proofs[0].secret not in shown
        assert repr(payment.outputs[0])[2:20] not in shown if payment.outputs else True
        assert "C_=" not in shown

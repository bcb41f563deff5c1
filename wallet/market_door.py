"""The half of the wallet's door that ghosts and their clients use: payments, refunds, earning.

Asks the parts and decides nothing; `wallet.wallet` opens them.
"""

from __future__ import annotations

from collections.abc import Sequence

from wallet.chunks import Chunks
from wallet.earning import Earning
from wallet.ecash.types import BlindSignature, Proof
from wallet.handover import Handover
from wallet.market import Market
from wallet.mints import MintBook
from wallet.policy import Policy
from wallet.types import OutgoingPayment, PaymentOutcome, Redeemed, RefundSlot


class MarketDoor:
    """What is paid and earned between a client and a ghost. All of it may be repeated."""

    # Coins locked to a ghost ahead of the payments they are for.
    chunks: Chunks
    _earning: Earning
    _handover: Handover
    _market: Market
    _mints: MintBook
    _policy: Policy

    @property
    def lock_chunks(self) -> str:
        """Whether payments are locked to a ghost's key: off, when-offered or always."""
        return self._policy.lock_chunks

    @property
    def max_chunk_sat(self) -> int:
        """The most a ghost may want ahead of an answer."""
        return self._policy.max_chunk_sat

    def fee_ppk(self, url: str) -> int:
        """What the mint takes for each coin that is made now, when it is spent (NUT-02), in 1/1000
        sat. Raises a MintProblem, or UntrustedMint."""
        return self._mints.active(self._mints.require_sat(url)).input_fee_ppk

    async def keep_exact(self, url: str, lot_sat: int, lots: int, least: int) -> None:
        """Have coins for payments of exactly `lot_sat`, so that a ghost is never handed more than
        it is paid. Asks the mint only when fewer than `least` can be made, then for `lots`; does
        what it can when the money is too little."""
        await self._handover.keep_exact(url, lot_sat, lots, least)

    async def keep_locked(self, url: str, key: str, lot_sat: int, lots: int, least: int) -> None:
        """As `keep_exact`, of coins that only `key` (hex) can spend."""
        await self.chunks.keep(url, key, lot_sat, lots, least)

    async def make_locked(self, url: str, key: str, amount_sat: int) -> None:
        """Lock coins for one payment of this amount."""
        await self.chunks.make(url, key, amount_sat, 1)

    async def pay_prepare(
        self, url: str, amount_sat: int, purpose: str = "chunk"
    ) -> OutgoingPayment:
        """Choose, reserve and journal ecash for a ghost. Asks no mint."""
        return await self._market.prepare(url, amount_sat, purpose)

    async def pay_locked(
        self, url: str, amount_sat: int, key: str, purpose: str = "chunk"
    ) -> OutgoingPayment | None:
        """As `pay_prepare`, of coins locked to this key (hex); None when none of them are ready
        that make up the amount. Asks no mint."""
        return await self._market.prepare_locked(url, amount_sat, key, purpose)

    async def pay_settle(self, payment_id: str, change: Sequence[BlindSignature]) -> int:
        """The ghost took the payment; book its change; sat."""
        return await self._market.settle(payment_id, change)

    async def pay_abort(self, payment_id: str) -> None:
        """The payment was never sent."""
        await self._market.abort(payment_id)

    async def pay_resolve(self, payment_id: str) -> PaymentOutcome:
        """Ask the mint what became of a payment."""
        return await self._market.resolve(payment_id)

    async def refund_outputs(self, url: str, max_sat: int) -> RefundSlot:
        """Blank outputs for a refund of up to `max_sat`."""
        return await self._market.slot(url, max_sat)

    async def refund_settle(self, slot_id: str, change: Sequence[BlindSignature]) -> int:
        """Book a refund; sat."""
        return await self._market.fill(slot_id, change)

    async def refund_resolve(self, slot_id: str) -> int:
        """Ask the mint whether a refund was signed; sat."""
        return await self._market.resolve_slot(slot_id)

    async def redeem(
        self,
        url: str,
        proofs: Sequence[Proof],
        price_sat: int,
        blank_outputs: Sequence[bytes],
        credit_session: bytes,
        keyset_id: str | None = None,
    ) -> Redeemed:
        """Ghost: take a payment in and credit its session. `keyset_id` is that of the blanks."""
        return await self._earning.redeem(
            url, proofs, price_sat, blank_outputs, credit_session, keyset_id
        )

    async def refund(
        self,
        url: str,
        amount_sat: int,
        blank_outputs: Sequence[bytes],
        credit_session: bytes,
        keyset_id: str | None = None,
    ) -> list[BlindSignature]:
        """Ghost: give a session's unspent credit back."""
        return await self._earning.refund(url, amount_sat, blank_outputs, credit_session, keyset_id)

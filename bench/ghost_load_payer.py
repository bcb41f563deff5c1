"""The clients' wallet in bench.ghost_load: exact coins, made beforehand at the mint."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence

import trio

from wallet.ecash.amounts import split
from wallet.ecash.curve import unblind
from wallet.ecash.deterministic import Seed
from wallet.ecash.keysets import Keyset
from wallet.ecash.types import BlindedMessage, BlindSignature, Proof
from wallet.errors import WalletError
from wallet.mint import MintClient
from wallet.types import OutgoingPayment, PaymentOutcome

COINS_AT_ONCE = 400


class ReadyPayer:
    """The paying half of a wallet: exact coins, made beforehand, given out in order."""

    def __init__(self, mint: MintClient, keyset: Keyset) -> None:
        self.payments = 0
        self.lock_chunks = "off"
        self.max_chunk_sat = 1_000
        self._mint = mint
        self._keyset = keyset
        self._seed = Seed(os.urandom(64))
        self._counter = itertools.count()
        self._coins: dict[int, list[Proof]] = {}

    async def fill(self, sat: int, payments: int) -> None:
        """Make coins for so many payments of up to `sat`."""
        sizes = [1 << bit for bit in range(sat.bit_length())]
        wanted = [size for size in sizes for _ in range(payments)]
        for start in range(0, len(wanted), COINS_AT_ONCE):
            await self._make(wanted[start : start + COINS_AT_ONCE])

    async def _make(self, amounts: Sequence[int]) -> None:
        keyset = self._keyset
        quote = await self._mint.request_mint(sum(amounts), None)
        outputs = [self._seed.output(keyset.id, next(self._counter), size) for size in amounts]
        asked = [BlindedMessage(output.amount, keyset.id, output.B_) for output in outputs]
        made = await self._mint.mint(quote.quote, asked, None)
        for output, signature in zip(outputs, made, strict=True):
            point = unblind(signature.C_, output.r, keyset.key(output.amount))
            coin = Proof(output.amount, keyset.id, output.secret, point)
            self._coins.setdefault(output.amount, []).append(coin)

    async def pay_prepare(
        self, url: str, amount_sat: int, purpose: str = "chunk"
    ) -> OutgoingPayment:
        await trio.lowlevel.checkpoint()
        coins = [self._coins[size].pop() for size in split(amount_sat)]
        self.payments += 1
        name = f"{purpose}{self.payments}"
        return OutgoingPayment(name, url, amount_sat, amount_sat, 0, self._keyset.id, coins, [])

    def fee_ppk(self, _url: str) -> int:
        return self._keyset.input_fee_ppk

    async def keep_exact(self, _url: str, _lot_sat: int, _lots: int, _least: int) -> None:
        await trio.lowlevel.checkpoint()  # they are

    async def pay_settle(self, _payment_id: str, change: Sequence[BlindSignature]) -> int:
        await trio.lowlevel.checkpoint()
        return sum(item.amount for item in change)

    async def pay_abort(self, _payment_id: str) -> None:
        await trio.lowlevel.checkpoint()

    async def pay_resolve(self, _payment_id: str) -> PaymentOutcome:
        await trio.lowlevel.checkpoint()
        return PaymentOutcome("spent", 0, 0)

    def __getattr__(self, name: str) -> object:
        raise WalletError(f"The load's wallet cannot {name}.")

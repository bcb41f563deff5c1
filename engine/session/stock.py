"""Coins for the payments of one session, of the right size before they are needed.

A ghost is handed what it is paid and no more: a coin that is too large would put its change at
stake too. So coins for several payments are swapped at once beside the answer, locked to the
ghost's key when that is the grade of the session. Every swap is journalled by the wallet.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from engine.market.grade import LOTS, Grade
from engine.market.seams import PayingWallet, Payment
from wallet.errors import MintBusy

SWAP_S = 5.0
"""How long a swap that has begun is waited for when the answer is over: left alone it would hold
its coins until the wallet's recovery comes by."""


class Stock:
    """Of one session. `grade` is set from each quote."""

    def __init__(self, wallet: PayingWallet) -> None:
        self.grade = Grade()
        self._wallet = wallet
        self._lock = trio.Lock()

    async def keep(self, mint: str, lot_sat: int) -> None:
        """Have coins for the next payments ready. Raises a WalletError."""
        await self._fill(mint, lot_sat, LOTS // 2)

    async def make_ready(self, mint: str, sat: int, lot_sat: int) -> None:
        """Have the coins for this payment when it can be made in no other way, which costs nothing
        while they are there. Raises a WalletError."""
        if self.grade.key and not self.grade.must:
            return  # what is not ready is paid open
        if sat in (lot_sat, 2 * lot_sat):
            await self._fill(mint, lot_sat, sat // lot_sat)
            return
        with trio.move_on_after(SWAP_S, shield=True):
            if self.grade.must:
                await self._wallet.make_locked(mint, self.grade.key, sat)
            else:
                await self._wallet.keep_exact(mint, sat, 1, 1)

    async def _fill(self, mint: str, lot: int, least: int) -> None:
        async with self._lock:
            with trio.move_on_after(SWAP_S, shield=True):
                if self.grade.key:
                    await self._wallet.keep_locked(mint, self.grade.key, lot, LOTS, least)
                else:
                    await self._wallet.keep_exact(mint, lot, LOTS, least)

    async def payment(self, mint: str, sat: int, room_sat: Callable[[], int]) -> Payment | None:
        """A payment, journalled, or None when it has to be locked and no coins are ready. Its coins
        are worth no more than `room_sat`, asked when they are chosen. Raises a WalletError, also
        when no coins of the right size are to be had."""
        if self.grade.key:
            payment = await self._wallet.pay_locked(mint, sat, self.grade.key)
            if payment is not None and payment.total_sat <= room_sat():
                return payment
            if payment is not None:
                await self._wallet.pay_abort(payment.id)
            if self.grade.must:
                return None
            with trio.move_on_after(SWAP_S, shield=True):
                await self._wallet.keep_exact(mint, sat, 1, 1)
        return await self._exactly(mint, sat, room_sat)

    async def _exactly(self, mint: str, sat: int, room_sat: Callable[[], int]) -> Payment:
        payment = await self._wallet.pay_prepare(mint, sat)
        if payment.change_due_sat or payment.total_sat > room_sat():
            await self._wallet.pay_abort(payment.id)
            raise MintBusy(
                "The mint gave no coins of the right size in time.",
                kept="Nothing was handed to the ghost: a larger coin would put more at stake.",
                hint="Try again, or keep coins ready: peer2prompt wallet policy --ahead 8",
            )
        return payment

"""Payout of a ghost's earnings: melted at their mint to a Lightning address, each exactly once.

Written down before anybody is asked; paid by one quote of one mint for one invoice, whatever
happens in between. Bounded by the day, by the fee, and by what was earned: money that the wallet's
owner put there himself is never touched, nor what clients have prepaid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from engine.errors import ConfigError
from engine.exit.settings_rules import PayoutSettings
from engine.log import say
from engine.log.events import PayoutFailed, PayoutMade, PayoutWaits
from engine.log.words import Code
from wallet.address_form import is_lightning_address
from wallet.errors import WalletError
from wallet.store import Store
from wallet.store.payouts import PayoutRow
from wallet.types import MeltQuote, MeltResult, MintBalance

CHECK_S = 60.0
RETRY_S = 3_600.0
"""After a payout that failed, by itself none begins for so long."""
GIVE_UP_S = 3_600.0
"""A quote whose payment could not be begun for so long has ended."""
DAY_S = 86_400
LEAST_FEE_SAT = 2
MSAT = 1000
AWAY = frozenset({"mint_unreachable", "mint_busy", "payment_pending"})
"""Errors that leave open whether the mint has paid."""


class PayingWallet(Protocol):
    """What payout needs of the wallet."""

    async def balances(self) -> list[MintBalance]: ...
    async def melt_quote(
        self, url: str, invoice: str, amount_sat: int | None = None
    ) -> MeltQuote: ...
    async def melt(self, quote_id: str, mint: str = "") -> MeltResult: ...
    async def melt_is_open(self, quote_id: str, mint: str = "") -> bool: ...


class Payouts:
    """Pays out by hand and, above a threshold, by itself."""

    def __init__(
        self,
        wallet: PayingWallet,
        store: Store,
        settings: Callable[[], PayoutSettings],
        *,
        now: Callable[[], float],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._wallet = wallet
        self._store = store
        self._settings = settings
        self._now = now
        self._on_change = on_change
        self._turn = trio.Lock()

    async def run(self) -> None:
        """Finish what an earlier run left, then look for something to pay; for ever."""
        while True:
            try:
                await self.tick()
            except WalletError as error:
                say(PayoutWaits(Code.of(error)))
            await trio.sleep(CHECK_S)

    async def tick(self) -> None:
        """One round."""
        async with self._turn:
            await self._finish()
            settings = self._settings()
            if settings.address and not await self._failed_lately():
                await self._pay_all(settings, settings.address, settings.threshold_sat)

    async def pay(self, address: str = "", amount_sat: int | None = None) -> list[PayoutRow]:
        """By hand: this amount, or all above what is kept. The payouts this came to. Raises
        ConfigError or a WalletError when there is nothing to be paid."""
        settings = self._settings()
        target = address or settings.address
        if not is_lightning_address(target):
            raise ConfigError(
                "There is no Lightning address to pay to.",
                kept="Nothing was paid.",
                hint="Set ghost.payout.address, or use --to name@example.com.",
            )
        async with self._turn:
            await self._finish()
            if amount_sat is None:
                made = await self._pay_all(settings, target, 1)
            else:
                made = [await self._pay_one(settings, target, amount_sat)]
        rows = [row for row in made if row is not None]
        if not rows:
            raise ConfigError(
                "There is nothing to pay out.",
                kept="Nothing was paid.",
                hint="Your own ecash, what clients have prepaid, keep_sat and what is above the "
                "day's most stay untouched.",
            )
        return rows

    # -- how much

    async def _pay_all(
        self, settings: PayoutSettings, address: str, least_sat: int
    ) -> list[PayoutRow | None]:
        made: list[PayoutRow | None] = []
        for balance in await self._wallet.balances():
            amount = min(self._at(settings, balance, await self._owed()), await self._earned())
            amount = _net(settings, amount)
            if amount >= least_sat:
                made.append(await self._pay(settings, balance.url, address, amount))
        return made

    async def _pay_one(
        self, settings: PayoutSettings, address: str, amount_sat: int
    ) -> PayoutRow | None:
        """At the first mint that has enough, of what was earned."""
        owed, earned = await self._owed(), await self._earned()
        for balance in await self._wallet.balances():
            most = min(self._at(settings, balance, owed), earned)
            if _net(settings, most) >= amount_sat:
                return await self._pay(settings, balance.url, address, amount_sat)
        return None

    @staticmethod
    def _at(settings: PayoutSettings, balance: MintBalance, owed_sat: int) -> int:
        return max(0, balance.available_sat - settings.keep_sat - owed_sat)

    async def _owed(self) -> int:
        """Sat that clients may ask back, rounded up."""
        return -(-await self._store.credits.total_msat() // MSAT)

    async def _earned(self) -> int:
        """Sat that were earned and not paid out."""
        total = await self._store.earnings.totals()
        return max(0, total.msat // MSAT - await self._store.payouts.total_sat())

    async def _failed_lately(self) -> bool:
        latest = await self._store.payouts.latest(1)
        return bool(
            latest and latest[0].state == "failed" and self._now() - latest[0].updated < RETRY_S
        )

    # -- one payout

    async def _pay(
        self, settings: PayoutSettings, mint: str, address: str, amount_sat: int
    ) -> PayoutRow | None:
        row = await self._store.payouts.plan(
            int(self._now() // DAY_S),
            mint,
            address,
            amount_sat,
            _most_fee(settings, amount_sat),
            most_per_day_sat=settings.most_per_day_sat,
        )
        if row is None:
            return None
        await self._quote(row)
        return await self._store.payouts.get(row.payout_id)

    async def _finish(self) -> None:
        """Those that an earlier run, or a mint that was away, left open."""
        for row in await self._store.payouts.open():
            if row.state == "planned":
                # Nobody was asked with anything that could be paid: it is begun anew by itself.
                await self._store.payouts.failed(row.payout_id, "It was not begun.")
            else:
                await self._melt(row)

    async def _quote(self, row: PayoutRow) -> None:
        book = self._store.payouts
        try:
            quote = await self._wallet.melt_quote(row.mint, row.address, row.amount_sat)
        except WalletError as error:
            await self._fail(row, error.message)
            return
        if quote.fee_reserve_sat > row.most_fee_sat:
            said = f"The fee may be {quote.fee_reserve_sat} sat, above the {row.most_fee_sat} set."
            await self._fail(row, said)
            return
        await book.quoted(row.payout_id, quote.quote_id)
        found = await book.get(row.payout_id)
        if found is not None:
            await self._melt(found)

    async def _melt(self, row: PayoutRow) -> None:
        """Pay by the quote. Asked again for a quote that was paid, the wallet says so and pays
        nothing."""
        try:
            result = await self._wallet.melt(row.quote_id, row.mint)
        except WalletError as error:
            if await self._wallet.melt_is_open(row.quote_id, row.mint):
                return  # the wallet's journal brings it to its end; asked again next time
            if error.code in AWAY and self._now() - row.updated < GIVE_UP_S:
                return
            await self._fail(row, error.message)
            return
        if result.paid:
            await self._store.payouts.paid(row.payout_id, result.fee_sat)
            say(PayoutMade())
            self._on_change()

    async def _fail(self, row: PayoutRow, why: str) -> None:
        await self._store.payouts.failed(row.payout_id, why)
        say(PayoutFailed())
        self._on_change()


def _most_fee(settings: PayoutSettings, amount_sat: int) -> int:
    return max(LEAST_FEE_SAT, amount_sat * settings.fee_percent // 100)


def _net(settings: PayoutSettings, gross_sat: int) -> int:
    """The most that can be sent of so much: fees of the payment and of its coins come on top."""
    coins = 2 + gross_sat // 200
    amount = (gross_sat - coins) * 100 // (100 + settings.fee_percent)
    return max(0, min(amount, gross_sat - coins - LEAST_FEE_SAT))

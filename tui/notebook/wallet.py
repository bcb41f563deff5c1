"""The wallet: what it holds and what moved, ecash in and out, Lightning in.

Amounts are sat, or the unit of an account at a mint where it has one (`#usd` counts cents). Ecash
is money for whoever reads it, so a token is handed over but never shown by itself.
"""

from __future__ import annotations

from engine.control.protocol.tokens import Waited
from engine.control.protocol.wallet import (
    FundQuote,
    HistoryEntry,
    MintInfo,
    SendResult,
    WalletBalance,
)
from engine.control.protocol.wallet import ReceiveResult as ReceivedShape
from tui.app.text import money, percent, sat, took
from tui.cli.style import moment
from tui.notebook.drawings import qr
from tui.notebook.errors import wrong_use
from tui.notebook.link import Link
from tui.notebook.now import Now
from tui.notebook.view import (
    Facts,
    Guarded,
    GuardedShelf,
    Shelf,
    Shown,
    Table,
    Verbatim,
    View,
    Words,
)


class Mints(Shelf[MintInfo]):
    """What lies at each mint, and how the mint fares."""

    __slots__ = ()

    def _view(self) -> View:
        rows = [
            (
                one.name or one.url,
                money(one.available_sat, one.unit),
                money(one.reserved_sat + one.held_sat + one.resting_sat, one.unit),
                took(one.latency_ms) if one.latency_ms is not None else None,
                percent(one.failures_percent / 100),
                "; ".join([*([] if one.healthy else ["not well"]), *one.warnings]) or "well",
            )
            for one in self
        ]
        heads = ("mint", "free", "bound", "answers in", "failures", "state")
        return View("", [Table(heads, rows, "The wallet knows no mint: p.wallet.add_mint(url).")])


class Balance(Shown, WalletBalance, frozen=True):
    """All that the wallet holds in sat, and the mints it lies at."""

    def _view(self) -> View:
        return View(f"Wallet: {sat(self.total_sat)}", Mints(self.mints)._view().blocks)


class History(GuardedShelf[HistoryEntry]):
    """What moved, the newest first."""

    __slots__ = ()

    def _view(self) -> View:
        rows = [
            (moment(e.ts), e.kind, money(e.amount_sat, e.unit, sign=True), e.mint, e.detail)
            for e in self
        ]
        heads = ("when", "what", "amount", "mint", "detail")
        return View("", [Table(heads, rows, "Nothing has moved yet.")])


class Token(Guarded, SendResult, frozen=True):
    """Ecash that left the wallet. Who has `token` has the money; it is not shown by itself, since
    notebooks are saved and shown around."""

    amount_sat: int = 0

    def _summary(self) -> str:
        return sat(self.amount_sat)

    def _view(self) -> View:
        how = "Hand over its .token: who has it has the money, so it is not shown here."
        return View(f"Ecash worth {sat(self.amount_sat)}", [Words(how)])


class Received(Shown, ReceivedShape, frozen=True):
    """Ecash that came in."""

    def _view(self) -> View:
        return View("", [Facts([("received", sat(self.amount_sat)), ("at", self.mint)])])


class Invoice(Shown):
    """A Lightning invoice that fills the wallet when it is paid. `await invoice.paid()` waits."""

    def __init__(self, link: Link, quote: FundQuote) -> None:
        self._link = link
        self.quote = quote
        self.invoice = quote.invoice
        """The BOLT 11 text."""
        self.amount_sat = quote.amount_sat

    async def paid(self, timeout_s: float = 600.0) -> int:
        """Wait until it is paid and its ecash is in the wallet; the amount in sat, 0 when
        `timeout_s` seconds went by first."""
        waited = await self._link.call_as(
            Waited,
            "wallet.wait",
            kind="fund",
            id=self.quote.quote_id,
            mint=self.quote.mint,
            timeout_s=timeout_s,
        )
        return waited.minted_sat

    def _view(self) -> View:
        code = qr(self.invoice)
        expiry = moment(self.quote.expiry) if self.quote.expiry else None
        facts = Facts([("amount", sat(self.amount_sat)), ("mint", self.quote.mint)])
        until = Facts([("pay until", expiry)])
        drawn = [code] if code is not None else []
        return View("Lightning invoice", [facts, *drawn, Verbatim(self.invoice), until])


class WalletFace(Now[Balance]):
    """`await p.wallet` is the balance; the rest are its methods."""

    def __init__(self, link: Link) -> None:
        super().__init__(self.balance)
        self._link = link

    async def balance(self) -> Balance:
        """What the wallet holds, in all and at each mint."""
        return await self._link.call_as(Balance, "wallet.balance")

    async def mints(self) -> Mints:
        """The mints of the wallet, with what lies there and how they fare."""
        return Mints((await self.balance()).mints)

    async def add_mint(self, url: str) -> None:
        """Put a mint on the list of those the wallet may use: that is to trust it with money."""
        await self._link.call("wallet.mints.add", url=url)

    async def history(self, limit: int = 50, *, text: str = "", mint: str = "") -> History:
        """What moved, the newest first; with `text` only what has it in its words."""
        found = await self._link.call_as(
            list[HistoryEntry], "wallet.history", limit=limit, text=text, mint=mint
        )
        return History(found)

    async def fund(self, amount_sat: int, *, mint: str | None = None) -> Invoice:
        """A Lightning invoice for this many sat. Nothing happens until somebody pays it."""
        quote = await self._link.call_as(
            FundQuote, "wallet.fund", amount_sat=_positive(amount_sat), mint=mint
        )
        return Invoice(self._link, quote)

    async def send(self, amount_sat: int, *, mint: str | None = None) -> Token:
        """Take ecash out of the wallet, to be handed over as `.token`."""
        sent = await self._link.call_as(
            SendResult, "wallet.send", amount_sat=_positive(amount_sat), mint=mint
        )
        return Token(token=sent.token, amount_sat=amount_sat)

    async def receive(self, token: str | Token, *, allow_new_mint: bool = False) -> Received:
        """Take in ecash. It is swapped for coins of our own at once, so it cannot be spent twice.

        A token of a mint that is not on the list is refused unless `allow_new_mint`.
        """
        text = token.token if isinstance(token, Token) else token
        return await self._link.call_as(
            Received, "wallet.receive", token=text.strip(), allow_new_mint=allow_new_mint
        )


def _positive(amount_sat: int) -> int:
    if amount_sat < 1:
        raise wrong_use("An amount is at least 1 sat.")
    return amount_sat

"""One invoice paid by several mints at once, each a part of it (NUT-15).

Every part is an ordinary payment of the journal at its own mint. The receiver of a Lightning
payment takes all parts or none, so a part whose fellows fail comes back; until its mint says so it
is held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import trio

from wallet.accounts import SAT, unit_of
from wallet.ecash import amounts
from wallet.ecash.amounts import Heap
from wallet.errors import (
    BadAmount,
    InsufficientFunds,
    MintError,
    MintProblem,
    MintUnreachable,
    WalletError,
)
from wallet.invoices import asked_msat, plain
from wallet.mints import MintBook
from wallet.parting import parts_of
from wallet.prepare import heaps_at, still_resting
from wallet.store import Store
from wallet.transfers import Transfers
from wallet.types import MeltQuote, MeltResult

MSAT = 1000
ROUNDS = 4
# A mint ("" for the only one it can be) and the name it gave the payment.
Part = tuple[str, str]


async def quote_parts(
    transfers: Transfers, mints: MintBook, invoice: str, parts: Mapping[str, int]
) -> list[MeltQuote]:
    """What each part costs; `parts` is sat by mint and must add up to the invoice. Raises BadAmount
    when it does not or a mint cannot pay parts, WrongUnit, MintProblem."""
    asked = asked_msat(plain(invoice))
    accounts = {mints.require_sat(url, "Parts are paid"): sat for url, sat in parts.items()}
    if len(accounts) < 2 or min(accounts.values()) <= 0:
        raise BadAmount("A payment in parts needs an amount from at least two mints.")
    if asked != sum(accounts.values()) * MSAT:
        raise BadAmount("The parts do not add up to the invoice.", kept="Nothing was paid.")
    for url in accounts:
        if not mints.pays_parts(url):
            raise BadAmount(
                f"The mint {url} does not pay parts of invoices.", kept="Nothing was paid."
            )
    return [await transfers.melt_quote(url, invoice, part_sat=sat) for url, sat in accounts.items()]


async def quote_best(
    transfers: Transfers, mints: MintBook, store: Store, invoice: str
) -> list[MeltQuote]:
    """How the wallet would pay an invoice: from one mint where one has enough, the richest first,
    else in parts of as few mints as can. Mints that do not answer are passed over. Raises
    InsufficientFunds, BadAmount."""
    asked = asked_msat(plain(invoice))
    amount = -(-asked // MSAT)
    purse = _Purse(transfers, mints, store, invoice)
    await purse.fill()
    found = await purse.whole(amount)
    if found is None and asked % MSAT == 0:
        found = await purse.parts(amount)
    if found is None and purse.trouble is not None:
        raise purse.trouble
    if found is None:
        have = sum(purse.have.values())
        resting = await store.run(lambda tx: still_resting(tx, list(purse.have), amount, have))
        raise resting or InsufficientFunds(
            f"This needs {amount} sat and the fees; {have} are available.",
            needed_sat=amount,
            available_sat=have,
            kept="Nothing was paid.",
            hint="Fund the wallet, or move ecash to mints that pay parts.",
        )
    return found


class _Purse:
    """What each mint can pay of one invoice; `room` shrinks as its fees become known."""

    def __init__(self, transfers: Transfers, mints: MintBook, store: Store, invoice: str) -> None:
        self._transfers = transfers
        self._mints = mints
        self._store = store
        self._invoice = invoice
        self._heaps: dict[str, list[Heap]] = {}
        self.have: dict[str, int] = {}
        self.room: dict[str, int] = {}
        self.trouble: MintProblem | None = None

    async def fill(self) -> None:
        urls = [url for url in self._mints.urls() if unit_of(url) == SAT]
        self._heaps = await self._store.run(
            lambda tx: {url: heaps_at(tx, self._mints, url) for url in urls}
        )
        self.have = {url: amounts.value_of(heaps) for url, heaps in self._heaps.items()}
        self.room = dict(self.have)

    async def whole(self, amount: int) -> list[MeltQuote] | None:
        """From one mint."""
        for url in sorted(self.room, key=lambda url: -self.room[url]):
            if self.room[url] >= amount:
                quote = await self._quote(url, None)
                if quote is not None and self._fits(quote):
                    return [quote]
        return None

    async def parts(self, amount: int) -> list[MeltQuote] | None:
        """From several. Each round asks for parts that fit what is known of the fees."""
        self.room = {url: have for url, have in self.room.items() if self._mints.pays_parts(url)}
        for _ in range(ROUNDS):
            shares = parts_of(amount, self.room)
            if shares is None or len(shares) < 2:
                return None
            quotes = [await self._quote(url, share) for url, share in shares.items()]
            kept = [quote for quote in quotes if quote is not None and self._fits(quote)]
            if len(kept) == len(shares):
                return kept
        return None

    async def _quote(self, url: str, part_sat: int | None) -> MeltQuote | None:
        try:
            return await self._transfers.melt_quote(url, self._invoice, part_sat=part_sat)
        except (MintUnreachable, MintError) as exc:
            self.room[url] = 0
            self.trouble = exc
            return None

    def _fits(self, quote: MeltQuote) -> bool:
        """Whether the mint's coins cover it; if not, what they would cover is written down."""
        heaps = self._heaps[quote.mint]
        needed = quote.amount_sat + quote.fee_reserve_sat
        if amounts.select_heaps(heaps, needed) is not None:
            return True
        most = amounts.value_of(heaps) - quote.fee_reserve_sat - amounts.input_fee_of(heaps)
        self.room[quote.mint] = max(0, min(self.room[quote.mint] - 1, most))
        return False


async def pay_parts(transfers: Transfers, parts: Sequence[Part]) -> list[MeltResult]:
    """Pay all parts at once; in their order. A part that failed or waits has `paid` False: `state`
    says UNPAID (its ecash is back) or PENDING (held until its mint decides)."""
    for mint, quote_id in parts:
        await transfers.melt_row(quote_id, mint)  # none is paid when one is not known
    results: dict[Part, MeltResult] = {}

    async def one(part: Part) -> None:
        mint, quote_id = part
        try:
            results[part] = await transfers.melt(quote_id, mint)
        except WalletError:
            state = "PENDING" if await transfers.is_open(quote_id, mint) else "UNPAID"
            results[part] = MeltResult(False, 0, 0, state)

    async with trio.open_nursery() as nursery:
        for part in parts:
            nursery.start_soon(one, part)
    return [results[part] for part in parts]

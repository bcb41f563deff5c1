"""Money in and out by Lightning invoices (NUT-04, 05, 08, 20, 23).

Every method journals first and then lets the executor talk to the mint. Tokens are the business of
`wallet.handover`, peers that pay each other that of `wallet.market` and `wallet.earning`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from wallet import invoices, journal
from wallet.accounts import unit_of
from wallet.ecash import amounts, quotes
from wallet.errors import MintBusy, MintLied, QuoteNotPaid, UnknownOperation
from wallet.executor import Executor
from wallet.journal import Body, Kind, Role, State
from wallet.mints import MintBook
from wallet.prepare import choose, keep_outputs, own_outputs, positive, write
from wallet.store import Store, Transaction
from wallet.store.ledger import MeltQuoteRow, MintQuoteRow
from wallet.types import MeltQuote, MeltResult, MintQuote

T = TypeVar("T")


class Transfers:
    def __init__(
        self, store: Store, mints: MintBook, executor: Executor, rest_s: Callable[[], float]
    ) -> None:
        """`rest_s` says how long the coins of a funding rest."""
        self._store = store
        self._rest_s = rest_s
        self._mints = mints
        self._executor = executor

    async def request_mint(self, url: str, amount_sat: int) -> MintQuote:
        """Ask for an invoice that brings this much (NUT-04), locked to a key of ours where the mint
        can (NUT-20). Raises BadAmount, UntrustedMint, and MintLied for an invoice of another
        amount."""
        url = self._mints.require(url)
        positive(amount_sat)
        key = secrets.token_bytes(32) if self._mints.locks_quotes(url) else None
        answer = await self._mints.client(url).request_mint(
            amount_sat, quotes.public_key(key) if key else None
        )
        if answer.amount not in (None, amount_sat):
            raise MintLied("The mint made an invoice for another amount.", kept="Nothing was paid.")
        invoices.check_made(url, unit_of(url), answer.request, amount_sat)
        row = MintQuoteRow(
            url, answer.quote, amount_sat, answer.request, answer.expiry, key, answer.state
        )
        if not await self._store.run(lambda tx: tx.quotes.put_mint(row)):
            raise _twice(url)
        return _mint_quote(row)

    async def check_mint(self, quote_id: str, mint: str = "") -> MintQuote:
        """Ask the mint whether the invoice is paid; nothing is taken. Raises UnknownOperation."""
        row = await self.mint_row(quote_id, mint)
        if row.state == "ISSUED":
            return _mint_quote(row)
        state = (await self._mints.client(row.mint).mint_quote(quote_id)).state
        return await self.note_mint(row, state)

    async def note_mint(self, row: MintQuoteRow, state: str) -> MintQuote:
        """Write down what the mint has said of an invoice."""
        # The mint says ISSUED as soon as it has signed; for us it is so when it is booked.
        shown = "PAID" if state == "ISSUED" else state
        await self._store.run(lambda tx: tx.quotes.set_mint_state(row.mint, row.quote_id, shown))
        return _mint_quote(replace(row, state=shown))

    async def complete_mint(self, quote_id: str, mint: str = "") -> int:
        """Take the ecash of a paid invoice, once; sat. Raises QuoteNotPaid before it is paid."""
        row = await self.mint_row(quote_id, mint)
        dedup = f"mint:{row.mint} {quote_id}"
        known = await self._store.run(lambda tx: tx.operations.by_dedup(dedup))
        if known is None:
            # Asked before anything is journalled: an op exists only for a paid invoice.
            state = (await self._mints.client(row.mint).mint_quote(quote_id)).state
            if state == "UNPAID":
                raise QuoteNotPaid("The invoice is not paid yet.", hint="Pay it and try again.")
        op_id = await self._store.run(lambda tx: self._prepare_mint(tx, row, dedup))
        return (await self._executor.drive(op_id)).amount_sat

    def _prepare_mint(self, tx: Transaction, row: MintQuoteRow, dedup: str) -> str:
        known = tx.operations.by_dedup(dedup)
        if known is not None:
            return known.op_id
        body = Body(
            amount_sat=row.amount,
            outputs=keep_outputs(tx, self._mints, row.mint, row.amount),
            quote_id=row.quote_id,
            rest_s=self._rest_s(),
        )
        return write(tx, Kind.MINT, row.mint, body, dedup)

    async def melt_quote(self, url: str, invoice: str, *, part_sat: int | None = None) -> MeltQuote:
        """What paying the invoice, or `part_sat` of it (NUT-15), costs at most (NUT-05). Raises
        BadAmount for what is no invoice, and MintLied for a price that is not what it asks."""
        url = self._mints.require(url)
        invoice = invoices.plain(invoice)
        msat = invoices.asked_msat(invoice)
        part_msat = None if part_sat is None else part_sat * 1000
        answer = await self._mints.client(url).request_melt(invoice, part_msat)
        if part_sat is None:
            invoices.check_price(url, unit_of(url), msat, answer.amount)
        elif answer.amount != part_sat:
            raise MintLied(
                f"The mint {url} wants {answer.amount} sat for a part of {part_sat}.",
                kept="Nothing was paid.",
            )
        row = MeltQuoteRow(
            url,
            answer.quote,
            answer.amount,
            answer.fee_reserve,
            invoice,
            answer.expiry,
            answer.state,
        )
        if not await self._store.run(lambda tx: tx.quotes.put_melt(row)):
            raise _twice(url)
        return MeltQuote(row.quote_id, url, row.amount, row.fee_reserve, row.state)

    async def melt(self, quote_id: str, mint: str = "") -> MeltResult:
        """Pay what was quoted, once. PENDING while the mint has not decided: `recover` goes on.
        Raises InsufficientFunds, and MintError when the payment failed."""
        quote = await self.melt_row(quote_id, mint)
        op_id = await self._store.run(lambda tx: self._prepare_melt(tx, quote))
        try:
            result = await self._executor.drive(op_id)
        except MintBusy:
            return MeltResult(False, 0, 0, "PENDING")
        return MeltResult(True, result.fee_sat, result.change_sat, "PAID")

    def _prepare_melt(self, tx: Transaction, quote: MeltQuoteRow) -> str:
        dedup = _melt_key(quote)
        known = tx.operations.by_dedup(dedup)
        if known is not None:
            return known.op_id
        needed = quote.amount + quote.fee_reserve
        chosen, fee = choose(tx, self._mints, quote.mint, needed)
        spare = amounts.total(chosen) - fee - quote.amount
        blanks = [0] * amounts.blanks_for(spare)
        body = Body(
            amount_sat=quote.amount,
            fee_sat=fee,
            inputs=journal.input_specs(chosen),
            outputs=own_outputs(tx, self._mints, quote.mint, blanks, Role.KEEP),
            quote_id=quote.quote_id,
        )
        op_id = write(tx, Kind.MELT, quote.mint, body, dedup)
        tx.proofs.reserve(chosen, op_id)
        return op_id

    async def require_begun(self, quote: MeltQuoteRow) -> None:
        """Raises UnknownOperation for a quote of which nothing was paid yet."""
        row = await self._store.run(lambda tx: tx.operations.by_dedup(_melt_key(quote)))
        if row is None:
            raise UnknownOperation("This payment was not begun.", hint="Pay it first.")

    async def is_open(self, quote_id: str, mint: str = "") -> bool:
        """Whether a payment of this quote is in the journal and not at its end."""
        key = _melt_key(await self.melt_row(quote_id, mint))
        row = await self._store.run(lambda tx: tx.operations.by_dedup(key))
        return row is not None and row.state != State.DONE

    async def mint_row(self, quote_id: str, mint: str = "") -> MintQuoteRow:
        """The invoice that a mint gave this name; without a mint, of the only one that did."""
        if mint:
            url = self._mints.require(mint)
            row = await self._store.run(lambda tx: tx.quotes.get_mint(url, quote_id))
            return _only([row] if row else [], "invoice")
        return _only(await self._store.run(lambda tx: tx.quotes.mint_named(quote_id)), "invoice")

    async def melt_row(self, quote_id: str, mint: str = "") -> MeltQuoteRow:
        """As `mint_row`, for a payment."""
        if mint:
            url = self._mints.require(mint)
            row = await self._store.run(lambda tx: tx.quotes.get_melt(url, quote_id))
            return _only([row] if row else [], "payment quote")
        rows = await self._store.run(lambda tx: tx.quotes.melt_named(quote_id))
        return _only(rows, "payment quote")


def _melt_key(quote: MeltQuoteRow) -> str:
    return f"melt:{quote.mint} {quote.quote_id}"


def _only(rows: Sequence[T], what: str) -> T:
    if not rows:
        raise UnknownOperation(f"There is no such {what} in this wallet.")
    if len(rows) > 1:
        raise UnknownOperation(
            f"Several mints gave the name of this {what}.", hint="Say the mint, too: --mint URL"
        )
    return rows[0]


def _twice(url: str) -> MintLied:
    return MintLied(
        f"The mint {url} gave one name to two different things.",
        kept="Nothing was paid.",
        hint="Try again; if it stays so, do not use this mint.",
    )


def _mint_quote(row: MintQuoteRow) -> MintQuote:
    return MintQuote(row.quote_id, row.mint, row.amount, row.invoice, row.expiry, row.state)

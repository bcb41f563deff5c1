"""Moving money in and out: invoices and tokens.

Every method journals first and then lets the executor talk to the mint. Peers of the market are
the business of `wallet.market`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from wallet import journal
from wallet.ecash import amounts, quotes, tokens
from wallet.ecash.errors import EcashError
from wallet.ecash.tokens import Token
from wallet.ecash.types import Proof
from wallet.errors import (
    MintBusy,
    MintError,
    MintLied,
    QuoteNotPaid,
    TokenInvalid,
    UnknownOperation,
)
from wallet.executor import Executor
from wallet.journal import Body, Kind, Result, Role, State
from wallet.mints import MintBook, normal_url
from wallet.prepare import choose, keep_outputs, own_outputs, positive, proofs_key, write
from wallet.store import Store, Transaction
from wallet.store.ledger import MeltQuoteRow, MintQuoteRow
from wallet.types import MeltQuote, MeltResult, MintQuote

Prepare = Callable[[Transaction], str | None]


class Transfers:
    def __init__(self, store: Store, mints: MintBook, executor: Executor) -> None:
        self._store = store
        self._mints = mints
        self._executor = executor

    # -- invoices

    async def request_mint(self, url: str, amount_sat: int) -> MintQuote:
        url = self._mints.require(url)
        positive(amount_sat)
        key = secrets.token_bytes(32) if self._mints.locks_quotes(url) else None
        answer = await self._mints.client(url).request_mint(
            amount_sat, quotes.public_key(key) if key else None
        )
        if answer.amount not in (None, amount_sat):
            raise MintLied("The mint made an invoice for another amount.", kept="Nothing was paid.")
        row = MintQuoteRow(
            answer.quote, url, amount_sat, answer.request, answer.expiry, key, answer.state
        )
        await self._store.run(lambda tx: tx.quotes.put_mint(row))
        return _mint_quote(row)

    async def check_mint(self, quote_id: str) -> MintQuote:
        row = await self._mint_row(quote_id)
        if row.state == "ISSUED":
            return _mint_quote(row)
        state = (await self._mints.client(row.mint).mint_quote(quote_id)).state
        # The mint says ISSUED as soon as it has signed; for us it is so when it is booked.
        shown = "PAID" if state == "ISSUED" else state
        await self._store.run(lambda tx: tx.quotes.set_mint_state(quote_id, shown))
        return _mint_quote(await self._mint_row(quote_id))

    async def complete_mint(self, quote_id: str) -> int:
        row = await self._mint_row(quote_id)
        dedup = f"mint:{quote_id}"
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
        )
        return write(tx, Kind.MINT, row.mint, body, dedup)

    async def melt_quote(self, url: str, invoice: str) -> MeltQuote:
        url = self._mints.require(url)
        answer = await self._mints.client(url).request_melt(invoice.strip())
        row = MeltQuoteRow(
            answer.quote,
            url,
            answer.amount,
            answer.fee_reserve,
            invoice.strip(),
            answer.expiry,
            answer.state,
        )
        await self._store.run(lambda tx: tx.quotes.put_melt(row))
        return MeltQuote(row.quote_id, url, row.amount, row.fee_reserve, row.state)

    async def melt(self, quote_id: str) -> MeltResult:
        row = await self._store.run(lambda tx: tx.quotes.get_melt(quote_id))
        if row is None:
            raise UnknownOperation("There is no such payment quote in this wallet.")
        quote = row
        op_id = await self._store.run(lambda tx: self._prepare_melt(tx, quote))
        try:
            result = await self._executor.drive(op_id)
        except MintBusy:
            return MeltResult(False, 0, 0, "PENDING")
        return MeltResult(True, result.fee_sat, result.change_sat, "PAID")

    def _prepare_melt(self, tx: Transaction, quote: MeltQuoteRow) -> str:
        dedup = f"melt:{quote.quote_id}"
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

    # -- tokens

    async def send(self, url: str, amount_sat: int, memo: str = "") -> str:
        url = self._mints.require(url)
        positive(amount_sat)
        return (
            await self._swap(url, lambda tx: self._prepare_send(tx, url, amount_sat, memo))
        ).token

    def _prepare_send(self, tx: Transaction, url: str, amount: int, memo: str) -> str:
        available = tx.proofs.available(url)
        exact = amounts.select(available, amount, lambda _: 0)
        if exact is not None and amounts.total(exact) == amount:
            return self._send_exact(tx, url, exact, memo)
        chosen, fee = choose(tx, self._mints, url, amount)
        rest = amounts.total(chosen) - fee - amount
        outputs = own_outputs(tx, self._mints, url, amounts.split(amount), Role.SEND)
        outputs += keep_outputs(tx, self._mints, url, rest)
        body = Body(
            amount_sat=amount,
            fee_sat=fee,
            inputs=journal.input_specs(chosen),
            outputs=sorted(outputs, key=lambda spec: spec.amount),
            note=memo,
        )
        op_id = write(tx, Kind.SEND, url, body)
        tx.proofs.reserve(chosen, op_id)
        return op_id

    def _send_exact(self, tx: Transaction, url: str, proofs: list[Proof], memo: str) -> str:
        """The right coins are there: no mint is needed."""
        amount = amounts.total(proofs)
        op_id = write(tx, Kind.SEND, url, Body(amount_sat=amount, note=memo))
        tx.proofs.reserve(proofs, op_id)
        tx.proofs.mark_sent(op_id)
        token = tokens.encode_v4(Token(url, tuple(proofs), memo=memo))
        tx.operations.finish(op_id, journal.encode(Result(amount_sat=amount, token=token)))
        tx.history.add(Kind.SEND.value, url, -amount, "sent as a token", op_id)
        return op_id

    async def receive(self, text: str, *, allow: bool = False) -> int:
        try:
            token = tokens.decode(text)
        except EcashError as exc:
            raise TokenInvalid(
                f"This is not a valid token: {exc}.", hint="Copy the whole text of it."
            ) from exc
        url = normal_url(token.mint)
        if token.unit != "sat":
            raise TokenInvalid("The token is not in sat.", hint="Only sat is supported.")
        if any(proof.secret.startswith("[") for proof in token.proofs):
            raise TokenInvalid("The token is locked to a key.", hint="Ask for an unlocked one.")
        if allow and url not in self._mints.urls():
            await self._mints.add(url)
        self._mints.require(url)
        proofs = await self._complete(url, token.proofs)
        dedup = "receive:" + proofs_key(proofs)
        result = await self._swap(url, lambda tx: self._prepare_receive(tx, url, proofs, dedup))
        return result.amount_sat

    async def _complete(self, url: str, proofs: Sequence[Proof]) -> list[Proof]:
        """Full keyset ids, asking the mint once when one is not known yet."""
        try:
            return self._with_full_ids(url, proofs)
        except EcashError:
            await self._mints.refresh(url)
        try:
            return self._with_full_ids(url, proofs)
        except EcashError as exc:
            raise TokenInvalid(f"This token cannot be taken: {exc}.") from exc

    def _with_full_ids(self, url: str, proofs: Sequence[Proof]) -> list[Proof]:
        complete = self._mints.complete_id
        return [Proof(p.amount, complete(url, p.id), p.secret, p.C) for p in proofs]

    def _prepare_receive(self, tx: Transaction, url: str, proofs: list[Proof], dedup: str) -> str:
        known = tx.operations.by_dedup(dedup)
        if known is not None:
            if known.state == State.DONE:
                raise TokenInvalid("This token was received before.", kept="It is in the balance.")
            return known.op_id
        fee = amounts.input_fee(map(self._mints.fee_ppk(url), proofs))
        value = amounts.total(proofs) - fee
        if value <= 0:
            raise TokenInvalid("The token is worth less than the mint's fee for taking it.")
        outputs = keep_outputs(tx, self._mints, url, value)
        body = Body(
            amount_sat=value,
            fee_sat=fee,
            own=False,
            inputs=journal.input_specs(proofs),
            outputs=outputs,
        )
        return write(tx, Kind.RECEIVE, url, body, dedup)

    async def split_ahead(self, url: str, wanted: Sequence[int]) -> None:
        """Swap so that each of these payments can be made without overpaying. Asks the mint only
        when the coins at hand do not do."""
        url = self._mints.require(url)
        for amount in wanted:
            positive(amount)
        await self._swap(url, lambda tx: self._prepare_split(tx, url, wanted))

    def _prepare_split(self, tx: Transaction, url: str, wanted: Sequence[int]) -> str | None:
        available = tx.proofs.available(url)
        if amounts.payable_exactly(available, wanted, self._mints.fee_ppk(url)):
            return None
        per_coin = self._mints.active(url).input_fee_ppk
        parts: list[int] = []
        for amount in wanted:
            parts += amounts.split(amount + amounts.fee_included(amount, per_coin))
        chosen, fee = choose(tx, self._mints, url, sum(parts))
        parts += amounts.split(amounts.total(chosen) - fee - sum(parts))
        body = Body(
            amount_sat=sum(parts),
            fee_sat=fee,
            inputs=journal.input_specs(chosen),
            outputs=own_outputs(tx, self._mints, url, sorted(parts), Role.KEEP),
        )
        op_id = write(tx, Kind.SPLIT, url, body)
        tx.proofs.reserve(chosen, op_id)
        return op_id

    async def _swap(self, url: str, prepare: Prepare) -> Result:
        """Prepare and drive; when the mint has retired a keyset meanwhile, once more."""
        before = self._mints.active(url).id
        op_id = await self._store.run(prepare)
        if op_id is None:
            return Result()
        try:
            return await self._executor.drive(op_id)
        except MintError:
            await self._mints.refresh(url)
            if self._mints.active(url).id == before:
                raise
        op_id = await self._store.run(prepare)
        return await self._executor.drive(op_id) if op_id is not None else Result()

    async def _mint_row(self, quote_id: str) -> MintQuoteRow:
        row = await self._store.run(lambda tx: tx.quotes.get_mint(quote_id))
        if row is None:
            raise UnknownOperation("There is no such invoice in this wallet.")
        return row


def _mint_quote(row: MintQuoteRow) -> MintQuote:
    return MintQuote(row.quote_id, row.mint, row.amount, row.invoice, row.expiry, row.state)

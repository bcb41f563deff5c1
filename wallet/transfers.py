"""Moving money in and out: invoices, tokens, restore from the seed words.

Every method journals first and then lets the executor talk to the mint. Peers of the market are
the business of `wallet.market`.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence

from wallet import journal
from wallet.ecash import amounts, quotes, tokens
from wallet.ecash.curve import secret_to_y, unblind
from wallet.ecash.deterministic import Output, Seed
from wallet.ecash.dleq import verify
from wallet.ecash.errors import EcashError
from wallet.ecash.keysets import Keyset
from wallet.ecash.tokens import Token
from wallet.ecash.types import BlindedMessage, BlindSignature, Proof, ProofState
from wallet.errors import (
    InsufficientFunds,
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
from wallet.reclaim import keep_outputs, own_outputs
from wallet.store import Store, Transaction
from wallet.store.ledger import MeltQuoteRow, MintQuoteRow
from wallet.types import MeltQuote, MeltResult, MintQuote, RestoreReport

# NUT-13: restore in batches, stop after three empty ones.
RESTORE_BATCH, RESTORE_EMPTY = 100, 3
MAX_SAT = 21_000_000 * 100_000_000


class Transfers:
    def __init__(self, store: Store, seed: Seed, mints: MintBook, executor: Executor) -> None:
        self._store = store
        self._seed = seed
        self._mints = mints
        self._executor = executor

    # -- invoices

    async def request_mint(self, url: str, amount_sat: int) -> MintQuote:
        url = self._mints.require(url)
        _positive(amount_sat)
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
        return _journal(tx, Kind.MINT, row.mint, body, dedup)

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
        op = await self._executor.load(op_id)
        spent = sum(spec.amount for spec in op.body.inputs)
        try:
            result = await self._executor.drive(op_id)
        except MintBusy:
            return MeltResult(False, 0, 0, "PENDING")
        # A repeated question about a finished payment finds its figures in the result alone.
        fee = spent - quote.amount - result.change_sat if spent else 0
        return MeltResult(True, fee, result.change_sat, "PAID")

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
        op_id = _journal(tx, Kind.MELT, quote.mint, body, dedup)
        tx.proofs.reserve(chosen, op_id)
        return op_id

    # -- tokens

    async def send(self, url: str, amount_sat: int, memo: str = "") -> str:
        url = self._mints.require(url)
        _positive(amount_sat)
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
        op_id = _journal(tx, Kind.SEND, url, body)
        tx.proofs.reserve(chosen, op_id)
        return op_id

    def _send_exact(self, tx: Transaction, url: str, proofs: list[Proof], memo: str) -> str:
        """The right coins are there: no mint is needed."""
        amount = amounts.total(proofs)
        op_id = _journal(tx, Kind.SEND, url, Body(amount_sat=amount, note=memo))
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
        return _journal(tx, Kind.RECEIVE, url, body, dedup)

    async def _swap(self, url: str, prepare: Prepare) -> Result:
        """Prepare and drive; when the mint has retired a keyset meanwhile, once more."""
        before = self._mints.active(url).id
        op_id = await self._store.run(prepare)
        try:
            return await self._executor.drive(op_id)
        except MintError:
            await self._mints.refresh(url)
            if self._mints.active(url).id == before:
                raise
        op_id = await self._store.run(prepare)
        return await self._executor.drive(op_id)

    async def _mint_row(self, quote_id: str) -> MintQuoteRow:
        row = await self._store.run(lambda tx: tx.quotes.get_mint(quote_id))
        if row is None:
            raise UnknownOperation("There is no such invoice in this wallet.")
        return row

    # -- restore

    async def restore(self, url: str) -> RestoreReport:
        """Find all ecash of the seed words at one mint: NUT-13 secrets, NUT-09, NUT-07."""
        url = self._mints.require(url)
        await self._mints.refresh(url)
        recovered = proofs = spent = 0
        keysets = self._mints.keysets(url)
        for keyset in keysets:
            found, gone = await self._restore_keyset(url, keyset)
            recovered += amounts.total(found)
            proofs += len(found)
            spent += gone
        if recovered:
            await self._store.run(
                lambda tx: tx.history.add("restore", url, recovered, "found by the seed words")
            )
        return RestoreReport(url, recovered, proofs, spent, len(keysets))

    async def _restore_keyset(self, url: str, keyset: Keyset) -> tuple[list[Proof], int]:
        """(new unspent proofs, how many were spent) of one keyset."""
        new: list[Proof] = []
        gone = empty = start = 0
        while empty < RESTORE_EMPTY:
            outputs = [
                self._seed.output(keyset.id, start + index, 0) for index in range(RESTORE_BATCH)
            ]
            found = await self._mints.client(url).restore(
                [BlindedMessage(0, keyset.id, output.B_) for output in outputs]
            )
            signed = [output for output in outputs if output.B_ in found]
            empty = 0 if signed else empty + 1
            proofs = [_unblinded(output, found[output.B_], keyset) for output in signed]
            kept, dead = await self._keep_unspent(url, proofs)
            new += kept
            gone += dead
            if signed:
                await self._raise_counter(keyset.id, signed[-1].counter + 1)
            start += RESTORE_BATCH
        return new, gone

    async def _raise_counter(self, keyset_id: str, counter: int) -> None:
        await self._store.run(lambda tx: tx.counters.raise_to(keyset_id, counter))

    async def _keep_unspent(self, url: str, proofs: list[Proof]) -> tuple[list[Proof], int]:
        if not proofs:
            return [], 0
        ys = [secret_to_y(proof.secret) for proof in proofs]
        states = await self._mints.client(url).states(ys)
        unspent = [p for p, s in zip(proofs, states, strict=True) if s is ProofState.UNSPENT]
        spent = sum(state is ProofState.SPENT for state in states)

        def work(tx: Transaction) -> list[Proof]:
            new = [proof for proof in unspent if not tx.proofs.known(proof.secret)]
            tx.proofs.add(url, new)
            return new

        return await self._store.run(work), spent


Prepare = Callable[[Transaction], str]


def choose(tx: Transaction, mints: MintBook, url: str, amount: int) -> tuple[list[Proof], int]:
    """(proofs that cover `amount` and their fee, that fee). Raises InsufficientFunds."""
    fee_ppk = mints.fee_ppk(url)
    available = tx.proofs.available(url)
    chosen = amounts.select(available, amount, fee_ppk)
    if chosen is None:
        have = amounts.total(available)
        raise InsufficientFunds(
            f"This needs {amount} sat and the mint's fee; {have} sat are available at {url}.",
            needed_sat=amount,
            available_sat=have,
            kept="Nothing was spent.",
            hint="Fund the wallet: peer2prompt wallet fund AMOUNT",
        )
    return chosen, amounts.input_fee(map(fee_ppk, chosen))


def proofs_key(proofs: Sequence[Proof]) -> str:
    """A name for a set of proofs that tells nothing about them."""
    secrets_ = sorted(proof.secret for proof in proofs)
    return hashlib.sha256("\n".join(secrets_).encode()).hexdigest()


def _journal(tx: Transaction, kind: Kind, url: str, body: Body, dedup: str | None = None) -> str:
    op_id = journal.new_id()
    tx.operations.add(op_id, kind.value, State.PREPARED.value, url, journal.encode(body), dedup)
    return op_id


def _positive(amount_sat: int) -> None:
    if not 0 < amount_sat <= MAX_SAT:
        raise UnknownOperation(
            "The amount must be a positive number of sat.", hint="Give whole sat, at least 1."
        )


def _mint_quote(row: MintQuoteRow) -> MintQuote:
    return MintQuote(row.quote_id, row.mint, row.amount, row.invoice, row.expiry, row.state)


def _unblinded(output: Output, signature: BlindSignature, keyset: Keyset) -> Proof:
    try:
        key = keyset.key(signature.amount)
        right = signature.id == keyset.id and verify(
            output.B_, signature.C_, key, signature.e, signature.s
        )
        if not right:
            raise EcashError("its proof (NUT-12) does not fit its signature")
        return Proof(
            signature.amount, keyset.id, output.secret, unblind(signature.C_, output.r, key)
        )
    except EcashError as exc:
        raise MintLied(
            f"The mint restored a wrong signature: {exc}.", kept="Nothing was changed."
        ) from exc

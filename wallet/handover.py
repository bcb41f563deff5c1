"""Ecash that changes hands as text: tokens out and in, locked ones too, and coins split ahead.

Every method journals first and then lets the executor talk to the mint. What is in a token, a lock
or a request is the business of `wallet.ecash`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

import trio

from wallet import accounts, journal
from wallet.ecash import amounts, conditions, dleq, requests, tokens
from wallet.ecash.amounts import Heap
from wallet.ecash.conditions import Lock
from wallet.ecash.errors import EcashError
from wallet.ecash.tokens import Token
from wallet.ecash.types import Proof
from wallet.errors import InsufficientFunds, MintError, TokenInvalid
from wallet.executor import Executor
from wallet.journal import Body, Kind, Result, Role, State
from wallet.mints import MintBook
from wallet.opening import Opener, Seal
from wallet.prepare import (
    choose,
    heaps_at,
    keep_outputs,
    own_outputs,
    pick,
    positive,
    proofs_key,
    write,
)
from wallet.store import Store, Transaction

RENEWED_AT_ONCE = 100
Prepare = Callable[[Transaction], str | None]


class Handover:
    def __init__(
        self,
        store: Store,
        mints: MintBook,
        executor: Executor,
        opener: Opener,
        rest_s: Callable[[], float],
    ) -> None:
        """`rest_s` says how long the coins of a received token rest."""
        self._store = store
        self._rest_s = rest_s
        self._mints = mints
        self._executor = executor
        self._opener = opener

    # -- out

    async def send(
        self, url: str, amount_sat: int, memo: str = "", lock: Lock | None = None
    ) -> str:
        """A token (NUT-00, V4) worth exactly this, locked where `lock` says so. Raises
        InsufficientFunds, BadAmount, TokenInvalid for a lock that nobody could open."""
        url = self._mints.require(url)
        positive(amount_sat)
        if lock is not None:
            _checked(lock)
        done = await self._swap(url, lambda tx: self._prepare_send(tx, url, amount_sat, memo, lock))
        return done.token

    def _prepare_send(
        self, tx: Transaction, url: str, amount: int, memo: str, lock: Lock | None
    ) -> str:
        free = [replace(heap, fee_ppk=0) for heap in heaps_at(tx, self._mints, url)]
        exact = None if lock else amounts.select_heaps(free, amount)
        if exact is not None and amounts.value_of(exact) == amount:
            return self._send_exact(tx, url, pick(tx, url, exact), memo)
        chosen, fee = choose(tx, self._mints, url, amount)
        rest = amounts.total(chosen) - fee - amount
        outputs = own_outputs(tx, self._mints, url, amounts.split(amount), Role.SEND, lock)
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
        token = tokens.encode_v4(accounts.token(url, proofs, memo))
        tx.operations.finish(op_id, journal.encode(Result(amount_sat=amount, token=token)))
        tx.history.add(Kind.SEND.value, url, -amount, "sent as a token", op_id)
        return op_id

    # -- in

    async def receive(self, text: str, *, allow: bool = False, preimage: str = "") -> int:
        """Swap a token to coins of our own (NUT-03), once; sat after the mint's fee. Raises
        TokenInvalid, UntrustedMint."""
        token = parse(text)
        url = account_of(token)
        if allow and url not in self._mints.urls():
            await self._mints.add(url)
        self._mints.require(url)
        proofs = await self._complete(url, token.proofs)
        await trio.to_thread.run_sync(self._check_dleq, url, proofs)
        seal = await self._opener.open(proofs, preimage)
        dedup = "receive:" + proofs_key(url, proofs)
        result = await self._swap(
            url, lambda tx: self._prepare_receive(tx, url, proofs, seal, dedup)
        )
        return result.amount_sat

    async def cosign(self, text: str) -> str:
        """The token with our signatures on what is locked to several keys, for the next signer."""
        token = parse(text)
        signed = await self._opener.cosign(token.proofs)
        return tokens.encode_v4(replace(token, proofs=tuple(signed)))

    def _check_dleq(self, url: str, proofs: Sequence[Proof]) -> None:
        """NUT-12 of those that carry it: a wrong one was made to be found out only by the mint."""
        for proof in proofs:
            if proof.dleq is None:
                continue
            try:
                key = self._mints.keyset(url, proof.id).key(proof.amount)
            except EcashError as exc:
                raise TokenInvalid(f"This token cannot be taken: {exc}.") from exc
            if not dleq.verify_proof(proof, key):
                raise TokenInvalid("The token's proofs (NUT-12) are not the mint's.")

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
        return [replace(p, id=self._mints.complete_id(url, p.id)) for p in proofs]

    def _prepare_receive(
        self, tx: Transaction, url: str, proofs: list[Proof], seal: Seal, dedup: str
    ) -> str:
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
            inputs=journal.input_specs(seal(outputs)),
            outputs=outputs,
            rest_s=self._rest_s(),
        )
        return write(tx, Kind.RECEIVE, url, body, dedup)

    # -- coins of the right size

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
        return self._split(url, wanted, tx)

    def _split(self, url: str, wanted: Sequence[int], tx: Transaction) -> str:
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

    async def keep_exact(self, url: str, lot_sat: int, lots: int, least: int) -> None:
        """Have coins for payments of exactly `lot_sat`: when they make up fewer than `least`, they
        are swapped for `lots` of them, or for `least` when the money is too little."""
        url = self._mints.require(url)
        positive(lot_sat)
        if await self._store.run(lambda tx: self._fits(tx, url, lot_sat, least)):
            return
        for count in {lots: None, least: None}:
            with suppress(InsufficientFunds):
                await self._swap(url, partial(self._split, url, [lot_sat] * count))
                return

    def _fits(self, tx: Transaction, url: str, lot: int, lots: int) -> bool:
        """Whether so many payments can be made one after the other with nothing left over, with
        coins that carry no more for the fee than new ones would; and of the coins that any wallet
        would pay with, where the amount can be paid exactly by such."""
        per_coin = self._mints.active(url).input_fee_ppk
        most = lot + amounts.fee_included(lot, per_coin)
        heaps = {(heap.amount, heap.id): heap for heap in heaps_at(tx, self._mints, url)}
        for _ in range(lots):
            chosen = self._next_fit(list(heaps.values()), url, lot)
            if chosen is None:
                return False
            value = amounts.value_of(chosen)
            if value > most or value != lot + amounts.input_fee_of(chosen):
                return False
            for heap in chosen:
                left = heaps.pop((heap.amount, heap.id))
                if left.count > heap.count:
                    heaps[heap.amount, heap.id] = replace(left, count=left.count - heap.count)
        return True

    def _next_fit(self, heaps: list[Heap], url: str, lot: int) -> list[Heap] | None:
        active = self._mints.active(url)
        if amounts.is_usual(lot, active.input_fee_ppk):
            return amounts.usual_heaps(heaps, lot, active.id)
        return amounts.select_heaps(heaps, lot)

    async def renew(self, url: str, before: float) -> int:
        """Swap coins of keysets that sign no more, or end before `before` (unix seconds), for
        lasting ones; how much was renewed, 0 when there are none. At most RENEWED_AT_ONCE coins in
        one swap."""
        url = self._mints.require(url)
        result = await self._swap(url, lambda tx: self._prepare_renewal(tx, url, before))
        return result.amount_sat

    async def freshen(self, url: str) -> int:
        """Swap every coin that is there now for a fresh one; how much was swapped. Copies of the
        old ones, in a backup or in other hands, are worth nothing then."""
        url = self._mints.require(url)
        old = await self._store.run(lambda tx: {p.secret for p in tx.proofs.available(url)})
        total = 0
        while (came := await self._swap(url, partial(self._prepare_fresh, url, old))).amount_sat:
            total += came.amount_sat
        return total

    def _prepare_fresh(self, url: str, old: set[str], tx: Transaction) -> str | None:
        coins = [proof for proof in tx.proofs.available(url) if proof.secret in old]
        return self._prepare_same(tx, url, coins[:RENEWED_AT_ONCE])

    def _prepare_renewal(self, tx: Transaction, url: str, before: float) -> str | None:
        ending = self._mints.outgoing(url, tx.now, before)
        heaps = [heap for heap in heaps_at(tx, self._mints, url) if heap.id in ending]
        return self._prepare_same(tx, url, pick(tx, url, heaps)[:RENEWED_AT_ONCE])

    def _prepare_same(self, tx: Transaction, url: str, chosen: list[Proof]) -> str | None:
        """The swap of these coins for others of ours."""
        fee = amounts.input_fee(map(self._mints.fee_ppk(url), chosen))
        value = amounts.total(chosen) - fee
        if value <= 0:  # none, or not worth the fee
            return None
        body = Body(
            amount_sat=value,
            fee_sat=fee,
            inputs=journal.input_specs(chosen),
            outputs=keep_outputs(tx, self._mints, url, value),
        )
        op_id = write(tx, Kind.SPLIT, url, body)
        tx.proofs.reserve(chosen, op_id)
        return op_id

    async def _swap(self, url: str, prepare: Prepare) -> Result:
        """Prepare and drive; when the mint has retired a keyset meanwhile, once more."""
        before = self._mints.active(url).id
        write_down = partial(self._store.run, prepare)
        op_id = await self._executor.under_way.coins_for(write_down)
        if op_id is None:
            return Result()
        try:
            return await self._executor.drive(op_id)
        except MintError:
            await self._mints.refresh(url)
            if self._mints.active(url).id == before:
                raise
        op_id = await self._executor.under_way.coins_for(write_down)
        return await self._executor.drive(op_id) if op_id is not None else Result()


def parse(text: str) -> Token:
    """A token, or the payment to a request of ours (NUT-18), however it came."""
    try:
        if text.lstrip().startswith("{"):
            return requests.from_payload(text)
        return tokens.decode(text)
    except EcashError as exc:
        raise TokenInvalid(
            f"This is not a valid token: {exc}.", hint="Copy the whole text of it."
        ) from exc


def account_of(token: Token) -> str:
    """Where its ecash belongs (`wallet.accounts`). Raises TokenInvalid for a unit unknown to us."""
    if token.unit not in accounts.UNITS:
        hint = "Units that can be taken: " + ", ".join(accounts.UNITS)
        raise TokenInvalid("The token is in a unit that is not supported.", hint=hint)
    return accounts.normal(accounts.join(token.mint, token.unit))


def _checked(lock: Lock) -> None:
    try:
        conditions.check(lock)
    except EcashError as exc:
        raise TokenInvalid(
            f"The token cannot be locked so: {exc}.", kept="Nothing was sent."
        ) from exc

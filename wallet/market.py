"""Ecash between a client and a ghost: payments with blank change, refund slots, redeeming.

Client: `prepare` journals a payment before it is handed out and sends nothing; the ghost's change
settles it, or the mint says what became of it. Ghost: `redeem` and `refund` swap at the mint and
change the session's credit in the same transaction. Every call may be repeated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from wallet import journal
from wallet.chunks import check_payable, lots_worth, payable_until
from wallet.ecash import amounts, conditions
from wallet.ecash.curve import point
from wallet.ecash.deterministic import Seed
from wallet.ecash.errors import EcashError
from wallet.ecash.types import BlindSignature, Proof
from wallet.errors import MintLied, MintProblem, PaymentInvalid
from wallet.executor import Executor
from wallet.journal import Body, Kind, Operation, OutputSpec, Result, Role, State
from wallet.keyring import KeyRing
from wallet.mints import MintBook
from wallet.prepare import (
    choose,
    choose_usual,
    keep_outputs,
    own_outputs,
    positive,
    proofs_key,
    write,
)
from wallet.settle import match_key
from wallet.store import Store, Transaction
from wallet.types import OutgoingPayment, PaymentOutcome, Redeemed, RefundSlot

# One payment is one swap: more than this from a peer is an attempt to make us work.
MAX_PROOFS, MAX_BLANKS, MAX_SECRET_CHARS = 200, 64, 128


class Market:
    def __init__(
        self, store: Store, seed: Seed, mints: MintBook, executor: Executor, keys: KeyRing
    ) -> None:
        self._store = store
        self._seed = seed
        self._mints = mints
        self._executor = executor
        self._keys = keys

    # -- the client pays

    async def prepare(self, url: str, amount_sat: int, purpose: str) -> OutgoingPayment:
        url = self._mints.require_sat(url)
        positive(amount_sat)

        async def write_down() -> str:
            return await self._store.run(lambda tx: self._prepare_pay(tx, url, amount_sat, purpose))

        op_id = await self._executor.under_way.coins_for(write_down)
        return await self._outgoing(op_id, url, amount_sat)

    async def prepare_locked(
        self, url: str, amount_sat: int, key: str, purpose: str
    ) -> OutgoingPayment | None:
        """None when no lots for this key make up the amount."""
        url = self._mints.require_sat(url)
        positive(amount_sat)
        op_id = await self._store.run(
            lambda tx: self._prepare_lots(tx, url, amount_sat, key, purpose)
        )
        return None if op_id is None else await self._outgoing(op_id, url, amount_sat)

    async def _outgoing(self, op_id: str, url: str, amount_sat: int) -> OutgoingPayment:
        op = await self._executor.load(op_id)
        return OutgoingPayment(
            id=op_id,
            mint=url,
            amount_sat=amount_sat,
            total_sat=sum(proof.amount for proof in op.inputs),
            fee_sat=op.body.fee_sat,
            keyset_id=self._mints.active(url).id,
            proofs=op.inputs,
            outputs=[message.B_ for message in op.messages(self._seed)],
        )

    def _prepare_pay(self, tx: Transaction, url: str, amount: int, purpose: str) -> str:
        chosen, fee = choose_usual(tx, self._mints, url, amount)
        op_id = self._write_pay(tx, url, amount, chosen, fee, purpose)
        tx.proofs.reserve(chosen, op_id)
        return op_id

    def _prepare_lots(
        self, tx: Transaction, url: str, amount: int, key: str, purpose: str
    ) -> str | None:
        lots = lots_worth(tx.locks.ready(url, key, payable_until(tx.now)), amount)
        if lots is None:
            return None
        chosen = [coin for lot in lots for coin in tx.locks.coins(lot)]
        fee = amounts.input_fee(map(self._mints.fee_ppk(url), chosen))
        op_id = self._write_pay(tx, url, amount, chosen, fee, purpose)
        for lot in lots:
            tx.locks.hand_over(lot, op_id)
        return op_id

    def _write_pay(
        self, tx: Transaction, url: str, amount: int, chosen: list[Proof], fee: int, purpose: str
    ) -> str:
        change = amounts.total(chosen) - fee - amount
        body = Body(
            amount_sat=amount,
            fee_sat=fee,
            inputs=journal.input_specs(chosen),
            outputs=self._blanks(tx, url, change),
            note=purpose,
        )
        return write(tx, Kind.PAY, url, body, state=State.EXECUTING)

    def _blanks(self, tx: Transaction, url: str, most: int) -> list[OutputSpec]:
        return own_outputs(tx, self._mints, url, [0] * amounts.blanks_for(most), Role.KEEP)

    async def settle(self, payment_id: str, change: Sequence[BlindSignature]) -> int:
        """Book a payment as taken, with the change its receiver had signed.

        Raises PaymentInvalid, after booking, when the change is less than what is due.
        """
        async with self._executor.lock(payment_id):
            op = await self._executor.load(payment_id, Kind.PAY)
            if op.result is not None:
                return op.result.change_sat
            due = amounts.total(op.inputs) - op.body.fee_sat - op.body.amount_sat
            short = sum(signature.amount for signature in change) < due
            result = await self._ask_for_change(op) if short else await self._book(op, change)
        if result.change_sat < due:
            raise PaymentInvalid(
                f"The ghost gave back {result.change_sat} of {due} sat of change.",
                kept="The change that came is in the wallet; the payment is in the history.",
                hint="Use another ghost.",
            )
        return result.change_sat

    async def _ask_for_change(self, op: Operation) -> Result:
        """The ghost handed over less than is due: the mint may have signed all of it (NUT-09), or
        not even have seen the payment. PaymentInvalid leaves it open, for `resolve`."""
        refused = PaymentInvalid(
            "The ghost did not give all of the change back.",
            kept="The mint is asked for it.",
            hint="Use another ghost.",
        )
        try:
            found = await self._executor.look(op)
        except MintProblem as exc:
            raise refused from exc
        if found is None:
            raise refused
        return found

    async def _book(self, op: Operation, signatures: Sequence[BlindSignature]) -> Result:
        if len(signatures) > len(op.body.outputs):
            raise PaymentInvalid("The ghost sent more signatures than there were outputs.")
        pairs = list(zip(op.body.outputs, signatures, strict=False))
        try:
            return await self._executor.finish(op, pairs)
        except MintLied as exc:
            raise PaymentInvalid(
                "The ghost's change is not signed by the mint.",
                kept="The mint is asked for it.",
                hint="Use another ghost.",
            ) from exc

    async def abort(self, payment_id: str) -> None:
        """The payment was never handed to anybody: its ecash is available again."""
        async with self._executor.lock(payment_id):
            op = await self._executor.load(payment_id, Kind.PAY)
            if op.result is None:
                await self._executor.fail(op, "It was not sent.")

    async def resolve(self, payment_id: str) -> PaymentOutcome:
        """Ask the mint what became of a payment; take back what is unspent. MintBusy while the
        mint has not decided, MintUnreachable when it gives no answer: `recover` goes on then."""
        op = await self._executor.load(payment_id, Kind.PAY)
        if op.result is None:
            await self._executor.drive(payment_id, resend=False)
            op = await self._executor.load(payment_id)
            state = "spent"
        else:
            state = "settled"
        result = op.result or Result()
        if not result.failed:
            return PaymentOutcome(state, result.change_sat, 0)
        if not result.successor:
            return PaymentOutcome("reclaimed", 0, result.amount_sat)
        back = (await self._executor.drive(result.successor)).change_sat
        return PaymentOutcome("reclaimed", 0, back)

    # -- the client is refunded

    async def slot(self, url: str, max_sat: int) -> RefundSlot:
        url = self._mints.require_sat(url)
        positive(max_sat)

        def work(tx: Transaction) -> str:
            body = Body(amount_sat=max_sat, outputs=self._blanks(tx, url, max_sat))
            return write(tx, Kind.SLOT, url, body, state=State.EXECUTING)

        op = await self._executor.load(await self._store.run(work))
        outputs = [message.B_ for message in op.messages(self._seed)]
        return RefundSlot(op.id, url, max_sat, self._mints.active(url).id, outputs)

    async def fill(self, slot_id: str, change: Sequence[BlindSignature]) -> int:
        """Book what a ghost had signed on a slot; sat."""
        async with self._executor.lock(slot_id):
            op = await self._executor.load(slot_id, Kind.SLOT)
            if op.result is None:
                return (await self._book(op, change)).amount_sat
            return op.result.amount_sat

    async def resolve_slot(self, slot_id: str) -> int:
        """Ask the mint whether the slot was signed; sat, 0 while it was not."""
        async with self._executor.lock(slot_id):
            op = await self._executor.load(slot_id, Kind.SLOT)
            result = op.result or await self._executor.look(op)
        return result.amount_sat if result is not None else 0

    # -- the ghost earns

    async def redeem(
        self,
        url: str,
        proofs: Sequence[Proof],
        price_sat: int,
        blanks: Sequence[bytes],
        session: bytes,
        keyset_id: str | None = None,
    ) -> Redeemed:
        """Take a payment in: the price is ours and becomes credit, the rest is signed back."""
        url = self._mints.require_sat(url)
        if price_sat <= 0:
            raise PaymentInvalid("A payment must be for at least one sat.")
        keyset = await self._keyset_for(url, keyset_id)
        full = self._check_proofs(url, proofs)
        _check_blanks(blanks)
        if any(is_locked(proof) for proof in full):
            full = await self._opened(url, full)
        op_id = await self._store.run(
            lambda tx: self._prepare_redeem(tx, url, full, price_sat, blanks, session, keyset)
        )
        return Redeemed(price_sat, await self._signed(op_id))

    def _prepare_redeem(
        self,
        tx: Transaction,
        url: str,
        proofs: list[Proof],
        price: int,
        blanks: Sequence[bytes],
        session: bytes,
        keyset: str,
    ) -> str:
        key = f"redeem:{proofs_key(url, proofs)}"
        fee = amounts.input_fee(map(self._mints.fee_ppk(url), proofs))
        change = amounts.total(proofs) - fee - price
        parts = amounts.split(change) if change >= 0 else []
        if change < 0 or len(parts) > len(blanks):
            raise PaymentInvalid("The payment does not cover its price, or has no room for change.")
        peers = _peer_outputs(keyset, parts, blanks)
        wanted = ":".join([session.hex(), str(price), *(spec.blinded for spec in peers)])
        if (known := tx.operations.by_dedup(key)) is not None:
            return _same(journal.from_row(known), wanted)
        own = keep_outputs(tx, self._mints, url, price)
        body = Body(
            amount_sat=price,
            fee_sat=fee,
            own=False,
            inputs=journal.input_specs(proofs),
            outputs=sorted([*own, *peers], key=lambda spec: spec.amount),
            session=session.hex(),
        )
        return write(tx, Kind.REDEEM, url, body, key)

    def _check_proofs(self, url: str, proofs: Sequence[Proof]) -> list[Proof]:
        """Full keyset ids; PaymentInvalid for what no honest wallet sends."""
        if not 0 < len(proofs) <= MAX_PROOFS or len({p.secret for p in proofs}) != len(proofs):
            raise PaymentInvalid("The payment's proofs are too many, none, or not all different.")
        full: list[Proof] = []
        for proof in proofs:
            most = conditions.MAX_SECRET_CHARS if is_locked(proof) else MAX_SECRET_CHARS
            if not 0 < len(proof.secret) <= most:
                raise PaymentInvalid("The payment holds ecash that is malformed.")
            try:
                keyset = self._mints.keyset(url, self._mints.complete_id(url, proof.id))
                keyset.key(proof.amount)
                point(proof.C)
            except EcashError as exc:
                raise PaymentInvalid(f"The payment is malformed: {exc}.") from exc
            full.append(Proof(proof.amount, keyset.id, proof.secret, proof.C))
        return full

    async def _opened(self, url: str, proofs: list[Proof]) -> list[Proof]:
        """With our signature on what is locked to a key of ours. A payment that was taken before
        is the same one whenever it comes: the end of its lock counts the first time only."""
        known = f"redeem:{proofs_key(url, proofs)}"
        taken = await self._store.run(lambda tx: tx.operations.by_dedup(known)) is not None
        now = 0.0 if taken else self._store.clock()
        wanted = {p.secret: check_payable(p, now) for p in proofs if is_locked(p)}
        keys = await self._keys.find(set(wanted.values()))
        if len(keys) != len(set(wanted.values())):
            raise PaymentInvalid("The payment is locked to a key that is not ours.")

        def signed(proof: Proof) -> Proof:
            if proof.secret not in wanted:
                return proof
            signature = conditions.sign(keys[wanted[proof.secret]], proof.secret)
            return replace(proof, witness=conditions.Witness((signature,)).encode())

        return [signed(proof) for proof in proofs]

    async def _keyset_for(self, url: str, keyset_id: str | None) -> str:
        """The keyset a peer's blanks are signed with. One request has one keyset (NUT-03), so it
        must be the one we use ourselves, by the newest knowledge."""
        active = self._mints.active(url).id
        if keyset_id in (None, active):
            return active
        await self._mints.refresh(url)
        if keyset_id != self._mints.active(url).id:
            raise PaymentInvalid(
                "The outputs are for a keyset that the mint does not sign with now.",
                hint="Refresh the mint's keysets.",
            )
        return keyset_id or active

    async def refund(
        self,
        url: str,
        amount_sat: int,
        blanks: Sequence[bytes],
        session: bytes,
        keyset_id: str | None = None,
    ) -> list[BlindSignature]:
        """Give unspent credit back: our ecash, signed onto the client's blanks."""
        url = self._mints.require_sat(url)
        parts = amounts.split(amount_sat)
        if amount_sat <= 0 or len(parts) > len(blanks):
            raise PaymentInvalid("There are not enough outputs for this refund.")
        _check_blanks(blanks)
        peers = _peer_outputs(await self._keyset_for(url, keyset_id), parts, blanks)
        digest = hashlib.sha256(b"".join(sorted(blanks))).hexdigest()  # one refund, in any order
        op_id = await self._store.run(
            lambda tx: self._prepare_refund(tx, url, amount_sat, peers, session, digest)
        )
        return await self._signed(op_id)

    def _prepare_refund(
        self,
        tx: Transaction,
        url: str,
        amount: int,
        peers: list[OutputSpec],
        session: bytes,
        digest: str,
    ) -> str:
        key = f"refund:{digest}"
        wanted = ":".join([session.hex(), str(amount), *(spec.blinded for spec in peers)])
        if (known := tx.operations.by_dedup(key)) is not None:
            return _same(journal.from_row(known), wanted)
        chosen, fee = choose(tx, self._mints, url, amount)
        rest = amounts.total(chosen) - fee - amount
        own = keep_outputs(tx, self._mints, url, rest) if rest else []
        # The credit goes before the mint is asked: two settlements cannot both find it.
        tx.credits.add(session, -amount * 1000)
        body = Body(
            amount_sat=amount,
            fee_sat=fee,
            inputs=journal.input_specs(chosen),
            outputs=sorted([*own, *peers], key=lambda spec: spec.amount),
            session=session.hex(),
        )
        op_id = write(tx, Kind.REFUND, url, body, key)
        tx.proofs.reserve(chosen, op_id)
        return op_id

    async def _signed(self, op_id: str) -> list[BlindSignature]:
        return journal.signatures((await self._executor.drive(op_id)).signatures)


def is_locked(proof: Proof) -> bool:
    """Whether its secret is a lock (NUT-10), which a mint opens by a witness only."""
    return proof.secret.startswith("[")


def _check_blanks(blanks: Sequence[bytes]) -> None:
    if len(blanks) > MAX_BLANKS or len(set(blanks)) != len(blanks):
        raise PaymentInvalid("The change outputs are too many, or not all different.")
    try:
        for blank in blanks:
            point(blank)
    except EcashError as exc:
        raise PaymentInvalid("A change output is malformed.") from exc


def _peer_outputs(
    keyset_id: str, parts: Sequence[int], blanks: Sequence[bytes]
) -> list[OutputSpec]:
    return [
        OutputSpec(amount, keyset_id, Role.PEER, blinded=blank.hex())
        for amount, blank in zip(parts, blanks, strict=False)
    ]


def _same(op: Operation, wanted: str) -> str:
    """A repeated request must be the same in every part, or it is somebody else's."""
    match = op.result.match if op.result is not None else match_key(op)
    if match != wanted:
        raise PaymentInvalid("This ecash or these outputs were used in another payment.")
    return op.id

"""Ecash between a client and a ghost: payments with blank change, refund slots, redeeming.

Client: `prepare` journals a payment before it is handed out and sends nothing; the ghost's change
settles it, or the mint says what became of it. Ghost: `redeem` and `refund` swap at the mint and
change the session's credit in the same transaction. Every call may be repeated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from wallet import journal
from wallet.ecash import amounts
from wallet.ecash.curve import parse_point
from wallet.ecash.deterministic import Seed
from wallet.ecash.errors import EcashError
from wallet.ecash.types import BlindSignature, Proof
from wallet.errors import MintError, MintLied, PaymentInvalid
from wallet.executor import Executor
from wallet.journal import Body, Kind, Operation, OutputSpec, Result, Role, State
from wallet.mints import MintBook
from wallet.reclaim import keep_outputs, own_outputs
from wallet.settle import match_key
from wallet.store import Store, Transaction
from wallet.transfers import choose, proofs_key
from wallet.types import OutgoingPayment, PaymentOutcome, Redeemed, RefundSlot


class Market:
    def __init__(self, store: Store, seed: Seed, mints: MintBook, executor: Executor) -> None:
        self._store = store
        self._seed = seed
        self._mints = mints
        self._executor = executor

    # -- the client pays

    async def prepare(self, url: str, amount_sat: int, purpose: str) -> OutgoingPayment:
        url = self._mints.require(url)
        op_id = await self._store.run(lambda tx: self._prepare_pay(tx, url, amount_sat, purpose))
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
        chosen, fee = choose(tx, self._mints, url, amount)
        change = amounts.total(chosen) - fee - amount
        body = Body(
            amount_sat=amount,
            fee_sat=fee,
            inputs=journal.input_specs(chosen),
            outputs=self._blanks(tx, url, change),
            note=purpose,
        )
        op_id = _open(tx, Kind.PAY, State.EXECUTING, url, body)
        tx.proofs.reserve(chosen, op_id)
        return op_id

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
            result = await self._book(op, change)
        if result.change_sat < due:
            raise PaymentInvalid(
                f"The ghost gave back {result.change_sat} of {due} sat of change.",
                kept="The change that came is in the wallet; the payment is in the history.",
                hint="Use another ghost.",
            )
        return result.change_sat

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
        """Ask the mint what became of a payment; take back what is unspent."""
        op = await self._executor.load(payment_id, Kind.PAY)
        total = amounts.total(op.inputs)
        if op.result is not None:
            return PaymentOutcome("settled", op.result.change_sat, 0)
        try:
            result = await self._executor.drive(payment_id, resend=False)
        except MintError as exc:
            if exc.mint_code == 0:  # taken back earlier
                return PaymentOutcome("reclaimed", 0, total)
            raise
        after = await self._executor.load(payment_id)
        if after.result is not None and after.result.failed:
            return PaymentOutcome("reclaimed", 0, result.amount_sat or total)
        return PaymentOutcome("spent", result.change_sat, 0)

    # -- the client is refunded

    async def slot(self, url: str, max_sat: int) -> RefundSlot:
        url = self._mints.require(url)

        def work(tx: Transaction) -> str:
            body = Body(amount_sat=max_sat, outputs=self._blanks(tx, url, max_sat))
            return _open(tx, Kind.SLOT, State.EXECUTING, url, body)

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
        url = self._mints.require(url)
        try:
            full = [
                Proof(p.amount, self._mints.complete_id(url, p.id), p.secret, p.C) for p in proofs
            ]
            for blank in blanks:
                parse_point(blank.hex())
        except EcashError as exc:
            raise PaymentInvalid(f"The payment is malformed: {exc}.") from exc
        if len({proof.secret for proof in full}) != len(full) or price_sat <= 0:
            raise PaymentInvalid("The payment is malformed.")
        keyset = self._keyset_for(url, keyset_id)
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
        key = f"redeem:{proofs_key(proofs)}"
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
        return _open(tx, Kind.REDEEM, State.PREPARED, url, body, key)

    def _keyset_for(self, url: str, keyset_id: str | None) -> str:
        """The keyset a peer's blanks are to be signed with: the one it names, if it is active."""
        if keyset_id is None:
            return self._mints.active(url).id
        if not any(k.active and k.id == keyset_id for k in self._mints.keysets(url)):
            raise PaymentInvalid(
                "The outputs are for a keyset that the mint does not sign with.",
                hint="Refresh the mint's keysets.",
            )
        return keyset_id

    async def refund(
        self,
        url: str,
        amount_sat: int,
        blanks: Sequence[bytes],
        session: bytes,
        keyset_id: str | None = None,
    ) -> list[BlindSignature]:
        """Give unspent credit back: our ecash, signed onto the client's blanks."""
        url = self._mints.require(url)
        parts = amounts.split(amount_sat)
        if amount_sat <= 0 or len(parts) > len(blanks):
            raise PaymentInvalid("There are not enough outputs for this refund.")
        peers = _peer_outputs(self._keyset_for(url, keyset_id), parts, blanks)
        digest = hashlib.sha256(b"".join(blanks)).hexdigest()
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
        op_id = _open(tx, Kind.REFUND, State.PREPARED, url, body, key)
        tx.proofs.reserve(chosen, op_id)
        return op_id

    async def _signed(self, op_id: str) -> list[BlindSignature]:
        return journal.signatures((await self._executor.drive(op_id)).signatures)


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


def _open(
    tx: Transaction, kind: Kind, state: State, url: str, body: Body, dedup: str | None = None
) -> str:
    op_id = journal.new_id()
    tx.operations.add(op_id, kind.value, state.value, url, journal.encode(body), dedup)
    return op_id

"""What a ghost takes in and gives back: payments redeemed at the mint, unspent credit refunded.

Both swap at the mint and change the session's credit in the same transaction, so a call may be
repeated, and nobody's money is taken twice. The client's side: `wallet.market`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from wallet import journal
from wallet.chunks import check_payable
from wallet.ecash import amounts, conditions
from wallet.ecash.curve import point
from wallet.ecash.errors import EcashError
from wallet.ecash.types import BlindSignature, Proof
from wallet.errors import PaymentInvalid
from wallet.executor import Executor
from wallet.journal import Body, Kind, Operation, OutputSpec, Role
from wallet.keyring import KeyRing
from wallet.mints import MintBook
from wallet.prepare import choose, keep_outputs, proofs_key, write
from wallet.settle import match_key
from wallet.store import Store, Transaction
from wallet.types import Redeemed

# One payment is one swap: more than this from a peer is an attempt to make us work.
MAX_PROOFS, MAX_BLANKS, MAX_SECRET_CHARS = 200, 64, 128


class Earning:
    """Of one wallet."""

    def __init__(self, store: Store, mints: MintBook, executor: Executor, keys: KeyRing) -> None:
        self._store = store
        self._mints = mints
        self._executor = executor
        self._keys = keys

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
        if any(conditions.is_lock(proof.secret) for proof in full):
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
            locked = conditions.is_lock(proof.secret)
            most = conditions.MAX_SECRET_CHARS if locked else MAX_SECRET_CHARS
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
        wanted = {p.secret: check_payable(p, now) for p in proofs if conditions.is_lock(p.secret)}
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

"""Between the wallet's ecash types and their form on the wire. Pure; no secret in any error."""

from __future__ import annotations

from collections.abc import Iterable

from engine.errors import WireError
from engine.market.seams import Payment
from engine.wire.session import Pay, WireProof, WireSignature
from wallet.ecash.types import BlindSignature, Proof


def pay_message(n: int, mint: str, payment: Payment) -> Pay:
    """The message that hands a prepared payment to the ghost; `mint` as its quote spells it."""
    return Pay(
        n=n,
        mint=mint,
        sat=payment.amount_sat,
        id=keyset_bytes(payment.keyset_id),
        proofs=tuple(_wire_proof(proof) for proof in payment.proofs),
        outs=tuple(payment.outputs),
    )


def proofs_of(pay: Pay) -> list[Proof]:
    """The proofs of a payment, as the wallet takes them."""
    return [Proof(item.a, item.id.hex(), item.s, item.c) for item in pay.proofs]


def wire_signatures(signatures: Iterable[BlindSignature]) -> tuple[WireSignature, ...]:
    """Change for the client."""
    return tuple(
        WireSignature(item.amount, keyset_bytes(item.id), item.C_, item.e, item.s)
        for item in signatures
    )


def signatures_of(change: Iterable[WireSignature]) -> list[BlindSignature]:
    """Change from the ghost, as the wallet takes it; the wallet checks every DLEQ."""
    return [BlindSignature(item.a, item.id.hex(), item.c, item.e, item.s) for item in change]


def keyset_bytes(keyset_id: str) -> bytes:
    """A keyset id (hex) as bytes."""
    try:
        return bytes.fromhex(keyset_id)
    except ValueError:
        raise WireError("A keyset id is not hexadecimal.") from None


def _wire_proof(proof: Proof) -> WireProof:
    return WireProof(proof.amount, keyset_bytes(proof.id), proof.secret, proof.C)

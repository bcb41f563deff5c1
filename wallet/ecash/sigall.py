"""Locks that want one signature over the whole request (SIG_ALL of NUT-11, also with NUT-14).

The signature covers every input and output, so nobody on the way can send the ecash elsewhere. It
goes with the first input; all inputs must have the same lock. Mints of before the NUT's change of
what is signed check the older text, so the witness carries a signature over either: a mint counts
those that fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from wallet.ecash import conditions
from wallet.ecash.conditions import Lock, NotYetOpen, Witness
from wallet.ecash.types import BlindedMessage, Proof

# A mint that has no witness to read refuses, even where the lock asks for no signature any more.
NO_SIGNATURES = '{"signatures": []}'


def text(inputs: Sequence[Proof], outputs: Sequence[BlindedMessage], quote_id: str = "") -> str:
    """What is signed (NUT-11); with a quote for a melt."""
    spent = "".join(proof.secret + proof.C.hex() for proof in inputs)
    made = "".join(str(message.amount) + message.B_.hex() for message in outputs)
    return spent + made + quote_id


def older_text(inputs: Sequence[Proof], outputs: Sequence[BlindedMessage]) -> str:
    """What was signed before: secrets and blinded outputs without keys and amounts."""
    return "".join(proof.secret for proof in inputs) + "".join(m.B_.hex() for m in outputs)


def common_lock(locks: Sequence[Lock | None]) -> Lock | None:
    """The SIG_ALL lock of a request; None when no input asks for it. NotYetOpen when other inputs
    are locked in another way, which no mint takes in one request."""
    asking = next((lock for lock in locks if lock is not None and lock.sig_all), None)
    if asking is not None and any(lock != asking for lock in locks):
        raise NotYetOpen("its lock wants one signature over coins of different locks (SIG_ALL)")
    return asking


def open_all(
    inputs: Sequence[Proof],
    lock: Lock,
    keys: Mapping[str, bytes],
    outputs: Sequence[BlindedMessage],
    *,
    now: float,
    preimage: str = "",
) -> list[Proof]:
    """The inputs with the witnesses that spend them for exactly these outputs, or NotYetOpen.

    Every signature must be ours: other signers would have to agree on the outputs first.
    """
    signed = [
        conditions.open_lock(covered, lock, keys, now=now, preimage=preimage)
        for covered in (text(inputs, outputs), older_text(inputs, outputs))
    ]
    shown = signed[0].preimage
    first = Witness(tuple(s for witness in signed for s in witness.signatures), shown)
    rest = Witness(preimage=shown).encode()
    opened = [replace(proof, witness=rest) for proof in inputs]
    return [replace(opened[0], witness=first.encode() or NO_SIGNATURES), *opened[1:]]

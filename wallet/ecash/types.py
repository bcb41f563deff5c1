"""The nouns of Cashu: proofs, blinded messages, blind signatures, states.

Plain frozen values, checked when they are built from foreign data (`curve.parse_point`,
`tokens`, `schemas`), never printing a secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

# NUT-00: amounts are unsigned; 2**63 keeps every sum inside what SQLite and JSON peers can hold.
MAX_AMOUNT = 2**63 - 1


class ProofState(StrEnum):
    """NUT-07 states."""

    UNSPENT = "UNSPENT"
    PENDING = "PENDING"
    SPENT = "SPENT"


@dataclass(frozen=True, slots=True)
class ProofDleq:
    """NUT-12 proof carried by a token. `r` is the sender's blinding factor."""

    e: bytes = field(repr=False)
    s: bytes = field(repr=False)
    r: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Proof:
    """Ecash: an unblinded signature `C` of the mint's key for `amount` on `secret`.

    `secret` is the text the mint hashes (64 hex characters for ours); who knows it owns the value,
    unless it is a lock (`conditions`), which the `witness` opens.
    """

    amount: int
    id: str
    secret: str = field(repr=False)
    C: bytes = field(repr=False)
    dleq: ProofDleq | None = field(default=None, repr=False)
    witness: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class BlindedMessage:
    """An output to be signed. `amount` is 0 for a blank, whose amount the signer chooses."""

    amount: int
    id: str
    B_: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class BlindSignature:
    """The mint's answer to a blinded message, with its NUT-12 proof (e, s)."""

    amount: int
    id: str
    C_: bytes = field(repr=False)
    e: bytes = field(repr=False)
    s: bytes = field(repr=False)

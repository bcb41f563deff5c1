"""Proof of work: a puzzle that is dear to solve and costs one hash to check.

A busy relay or mailbox asks for it so that a flood costs its sender more than its receiver. Pure
functions; the caller binds the challenge to what is paid for (and makes it fresh), keeps track of
what was spent, and runs a long search outside its event loop (engine.circuit.effort). Not a secret
and not an identity: whoever buys computing time buys nonces.
"""

from __future__ import annotations

import hashlib
import struct

LABEL = b"peer2prompt work v1"
NONCE_BYTES = 8
MAX_BITS = 24  # eight seconds of one core; nobody is asked for more
MAX_CHALLENGE_BYTES = 0xFFFF
_NONCE = struct.Struct(">Q")
_LENGTH = struct.Struct(">H")
_DIGEST_BITS = 256


def solve(challenge: bytes, bits: int) -> bytes:
    """The first nonce, counted from zero, whose hash begins with `bits` zero bits.

    Takes 2^bits hashes on average, half a microsecond each. Raises ValueError when `bits` is not
    within 0 to MAX_BITS or the challenge is too long.
    """
    start = 0
    while True:
        found = search(challenge, bits, start, 1 << 16)
        if found is not None:
            return found
        start += 1 << 16


def search(challenge: bytes, bits: int, start: int, count: int) -> bytes | None:
    """The first nonce among `count` from `start` on that solves the puzzle, or None."""
    limit = _limit(bits)
    base = _prefix(challenge)
    for number in range(start, start + count):
        nonce = _NONCE.pack(number)
        attempt = base.copy()
        attempt.update(nonce)
        if attempt.digest() < limit:
            return nonce
    return None


def check(challenge: bytes, nonce: bytes, bits: int) -> bool:
    """True when `nonce` solves the puzzle; with no bits asked any eight bytes do.

    Raises ValueError for a challenge or number of bits that `solve` would refuse.
    """
    limit = _limit(bits)
    if len(nonce) != NONCE_BYTES:
        return False
    attempt = _prefix(challenge)
    attempt.update(nonce)
    return attempt.digest() < limit


def _prefix(challenge: bytes) -> hashlib._Hash:
    """Everything hashed before the nonce: the length keeps two challenges from running together."""
    if len(challenge) > MAX_CHALLENGE_BYTES:
        raise ValueError("a work challenge is at most 65,535 bytes")
    return hashlib.sha256(LABEL + _LENGTH.pack(len(challenge)) + challenge)


def _limit(bits: int) -> bytes:
    """Digests below this (as bytes of one length compare like integers) have enough zero bits."""
    if not 0 <= bits <= MAX_BITS:
        raise ValueError(f"work is asked for in 0 to {MAX_BITS} bits")
    if bits == 0:
        return b"\xff" * (_DIGEST_BITS // 8) + b"\x00"  # above every digest
    return (1 << (_DIGEST_BITS - bits)).to_bytes(_DIGEST_BITS // 8, "big")

"""What an identity costs: a memory-hard proof of work per node and epoch, a bump against Sybils.

    solved when scrypt(label || node_id || epoch u32 || nonce, salt = label, N = 256, r = 8, p = 1)
    begins with `bits` zero bits                      (RFC 7914; 256 KiB, under a millisecond)

Checking costs one evaluation, finding one 2^bits. The epoch of a node is a week long and begins at
a moment of its own, so that a network does not work all at once. Pure.
"""

from __future__ import annotations

import hashlib
import os

from engine.crypto.keys import NODE_ID_BYTES

NONCE_BYTES = 8
EPOCH_S = 7 * 86_400
MAX_BITS = 24
_LABEL = b"peer2prompt identity work v1"


def epoch_of(node_id: bytes, now: int) -> int:
    """The epoch of this node at `now` (unix seconds)."""
    return (now + int.from_bytes(node_id[:8], "big") % EPOCH_S) // EPOCH_S


def epoch_ends(node_id: bytes, epoch: int) -> int:
    """When the epoch is over (unix seconds)."""
    return (epoch + 1) * EPOCH_S - int.from_bytes(node_id[:8], "big") % EPOCH_S


def is_solved(node_id: bytes, epoch: int, nonce: bytes, bits: int) -> bool:
    """True when `nonce` is worth `bits` for this node and epoch."""
    if len(node_id) != NODE_ID_BYTES or len(nonce) != NONCE_BYTES or not 0 <= epoch < 1 << 32:
        return False
    digest = hashlib.scrypt(
        _LABEL + node_id + epoch.to_bytes(4, "big") + nonce,
        salt=_LABEL,
        n=256,
        r=8,
        p=1,
        dklen=8,
    )
    return int.from_bytes(digest, "big") >> (64 - bits) == 0 if bits else True


def solve(node_id: bytes, epoch: int, bits: int) -> bytes:
    """A nonce worth `bits`. Takes 2^bits evaluations on average: not for the event loop."""
    if not 0 <= bits <= MAX_BITS:
        raise ValueError("identity work is at most 24 bits")
    start = int.from_bytes(os.urandom(NONCE_BYTES), "big")
    for step in range(1 << (MAX_BITS + 6)):
        nonce = ((start + step) % (1 << 64)).to_bytes(NONCE_BYTES, "big")
        if is_solved(node_id, epoch, nonce, bits):
            return nonce
    raise RuntimeError("no nonce was found")  # 2^-92: not on this earth

"""A memory-hard proof of work over any message: what identities and records pay with.

    worth = leading zero bits of scrypt(label || message || nonce, salt = label, N = 256, r = 8,
            p = 1, 8 bytes)                       (RFC 7914; 256 KiB, under a millisecond)

Pure. What the message binds the work to is the caller's matter.
"""

from __future__ import annotations

import hashlib
import os

NONCE_BYTES = 8
MAX_BITS = 24
_DIGEST_BYTES = 8


def worth(label: bytes, message: bytes, nonce: bytes) -> int:
    """The bits of work that `nonce` proves: 0 to 64. Costs one evaluation."""
    digest = hashlib.scrypt(
        label + message + nonce, salt=label, n=256, r=8, p=1, dklen=_DIGEST_BYTES
    )
    return 8 * _DIGEST_BYTES - int.from_bytes(digest, "big").bit_length()


def search(label: bytes, message: bytes, bits: int) -> bytes:
    """A nonce worth `bits`. Takes 2^bits evaluations on average: not for the event loop."""
    if not 0 <= bits <= MAX_BITS:
        raise ValueError("memory-hard work is at most 24 bits")
    start = int.from_bytes(os.urandom(NONCE_BYTES), "big")
    for step in range(1 << (MAX_BITS + 6)):
        nonce = ((start + step) % (1 << 64)).to_bytes(NONCE_BYTES, "big")
        if not bits or worth(label, message, nonce) >= bits:
            return nonce
    raise RuntimeError("no nonce was found")  # 2^-92: not on this earth

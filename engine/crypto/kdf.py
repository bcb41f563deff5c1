"""HKDF-SHA256 (RFC 5869) and the two hash helpers everything else derives keys with.

Pure functions over bytes. `hmac.digest` is the one-shot OpenSSL path: a ratchet step costs three
calls of about a microsecond, which is why the general-purpose HKDF object is not used here.
"""

from __future__ import annotations

import hashlib
import hmac

HASH_BYTES = 32
KEY_BYTES = 32
_MAX_OUTPUT = 255 * HASH_BYTES  # RFC 5869 section 2.3


def sha256(*parts: bytes | memoryview) -> bytes:
    """SHA-256 of the concatenation of `parts`."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def hkdf_extract(salt: bytes, ikm: bytes) -> bytes:
    """HKDF-Extract: a 32-byte pseudo-random key. An empty salt means 32 zero bytes (RFC 5869)."""
    return hmac.digest(salt or bytes(HASH_BYTES), ikm, "sha256")


def hkdf_expand(prk: bytes, info: bytes, length: int = KEY_BYTES) -> bytes:
    """HKDF-Expand: `length` bytes (one block unless told otherwise) bound to `info`."""
    if not 0 < length <= _MAX_OUTPUT:
        raise ValueError("HKDF-Expand yields 1 to 8160 bytes")
    block = hmac.digest(prk, info + b"\x01", "sha256")
    okm = block
    counter = 2
    while len(okm) < length:
        block = hmac.digest(prk, block + info + bytes([counter]), "sha256")
        okm += block
        counter += 1
    return okm[:length]


def constant_time_equal(left: bytes, right: bytes) -> bool:
    """Compare two secrets or authenticators without leaking where they differ."""
    return hmac.compare_digest(left, right)

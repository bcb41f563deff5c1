"""Blind Diffie-Hellman key exchange on secp256k1 (NUT-00): the wallet's half.

Alice picks a secret x and a blinding factor r and sends B_ = Y + rG with Y = hash_to_curve(x).
The mint answers C_ = kB_. Alice keeps C = C_ - rK = kY, which only the holder of k could make and
which the mint has never seen. Names are those of NUT-00. No randomness here.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from coincurve import PublicKey

from wallet.ecash.errors import EcashError

DOMAIN = b"Secp256k1_HashToCurve_Cashu_"
POINT_BYTES = 33
SCALAR_BYTES = 32
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
# Each try succeeds with probability one half; NUT-00 bounds the tries at 2**16.
HASH_TRIES = 2**16


def point(data: bytes) -> PublicKey:
    """A compressed curve point, or EcashError. Uncompressed forms are refused (NUT-01)."""
    if len(data) != POINT_BYTES or data[0] not in (2, 3):
        raise EcashError("a curve point must be 33 bytes in compressed form")
    try:
        return PublicKey(data)
    except ValueError as exc:
        raise EcashError("33 bytes that are not a point of the curve") from exc


def parse_point(text: str) -> bytes:
    """Hex from a peer -> the 33 bytes of a valid point."""
    data = parse_hex(text, POINT_BYTES)
    point(data)
    return data


def parse_hex(text: str, length: int) -> bytes:
    """Exactly `length` bytes in hex. Raises EcashError."""
    if len(text) != 2 * length:
        raise EcashError(f"expected {2 * length} hex characters")
    try:
        # bytes.fromhex skips white space, so the length is checked once more below.
        data = bytes.fromhex(text)
    except ValueError as exc:
        raise EcashError("not a hex string") from exc
    if len(data) != length:
        raise EcashError(f"expected {2 * length} hex characters")
    return data


def scalar(data: bytes) -> bytes:
    """A private scalar in [1, n), or EcashError."""
    if len(data) != SCALAR_BYTES or not 0 < int.from_bytes(data, "big") < CURVE_ORDER:
        raise EcashError("not a scalar of the curve")
    return data


def hash_to_curve(message: bytes) -> PublicKey:
    """NUT-00: the first counter for which 02 || SHA-256(SHA-256(D || x) || counter) is a point."""
    inner = hashlib.sha256(DOMAIN + message).digest()
    for counter in range(HASH_TRIES):
        candidate = hashlib.sha256(inner + counter.to_bytes(4, "little")).digest()
        try:
            return PublicKey(b"\x02" + candidate)
        except ValueError:
            continue
    raise EcashError("no curve point for this message")


def secret_to_y(secret: str) -> bytes:
    """Y of a proof: what NUT-07 asks about. Hashes the text, not the bytes it may encode."""
    return hash_to_curve(secret.encode()).format()


def blind(secret: str, r: bytes) -> bytes:
    """B_ = Y + rG."""
    blinded = PublicKey.combine_keys(
        [hash_to_curve(secret.encode()), PublicKey.from_secret(scalar(r))]
    )
    return blinded.format()


def unblind(C_: bytes, r: bytes, K: bytes) -> bytes:
    """C = C_ - rK."""
    try:
        return PublicKey.combine_keys([point(C_), key_point(K).multiply(minus(r))]).format()
    except ValueError as exc:
        raise EcashError("the unblinded signature is no curve point") from exc


@lru_cache(maxsize=1024)
def key_point(K: bytes) -> PublicKey:
    """A mint's public key: the same few again and again, so it is read once."""
    return point(K)


def minus(number: bytes) -> bytes:
    """The negative of a scalar: to take away xP is to add (-x)P."""
    return (CURVE_ORDER - int.from_bytes(scalar(number), "big")).to_bytes(SCALAR_BYTES, "big")

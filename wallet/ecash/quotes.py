"""NUT-20: a mint quote locked to a key, so that knowing its id is not enough to take the coins."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from coincurve import PrivateKey, PublicKeyXOnly

from wallet.ecash.curve import point, scalar


def public_key(private_key: bytes) -> str:
    """The compressed key, in hex, that goes into the quote request."""
    return PrivateKey(scalar(private_key)).public_key.format().hex()


def message(quote_id: str, blinded: Sequence[bytes]) -> bytes:
    """quote id || B_0 || ... || B_n, all as text."""
    return (quote_id + "".join(B_.hex() for B_ in blinded)).encode()


def sign(private_key: bytes, quote_id: str, blinded: Sequence[bytes]) -> str:
    """BIP-340 signature over the SHA-256 of the message, in hex."""
    digest = hashlib.sha256(message(quote_id, blinded)).digest()
    return PrivateKey(scalar(private_key)).sign_schnorr(digest).hex()


def verify(key: bytes, quote_id: str, blinded: Sequence[bytes], signature: bytes) -> bool:
    digest = hashlib.sha256(message(quote_id, blinded)).digest()
    x_only = PublicKeyXOnly(point(key).format()[1:])
    return bool(len(signature) == 64 and x_only.verify(signature, digest))

"""A signed document: 64 bytes of Ed25519 signature, then the deterministic CBOR it covers.

The signature is over `label || body`; labels keep a quote from passing as a receipt. Pure.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.crypto.keys import SIGNATURE_BYTES, verify_signature
from engine.errors import WireError


def seal(label: bytes, body: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """signature || body."""
    return sign(label + body) + body


def split(raw: bytes) -> tuple[bytes, bytes]:
    """(signature, body), not verified yet: the key is often inside the body."""
    if len(raw) <= SIGNATURE_BYTES:
        raise WireError("A signed document is too short.")
    return raw[:SIGNATURE_BYTES], raw[SIGNATURE_BYTES:]


def check(label: bytes, public: bytes, raw: bytes) -> bytes:
    """The body, once its signature by `public` verified."""
    signature, body = split(raw)
    if not verify_signature(public, signature, label + body):
        raise WireError("A signed document does not carry a valid signature.")
    return body

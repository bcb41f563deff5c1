"""X25519 and Ed25519 as the protocol uses them: raw 32-byte strings, strict about what peers send.

Every X25519 public key from a peer must be the canonical encoding of a field element (RFC 7748
accepts others) and every shared secret must be non-zero, so a key has one encoding and a point of
small order is refused. Nothing here holds state.
"""

from __future__ import annotations

import os

from nacl import bindings
from nacl.exceptions import BadSignatureError, CryptoError

from engine.crypto.kdf import sha256
from engine.errors import HandshakeError

X25519_BYTES = 32
ED25519_PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64
NODE_ID_BYTES = 32
NODE_ID_LABEL = b"peer2prompt node id v1"

_FIELD_PRIME = 2**255 - 19


def x25519_generate() -> bytes:
    """A fresh X25519 private key."""
    return os.urandom(X25519_BYTES)


def x25519_public(private: bytes) -> bytes:
    """The public key of an X25519 private key."""
    return bindings.crypto_scalarmult_base(private)


def is_canonical_x25519(public: bytes | memoryview) -> bool:
    """True when `public` is 32 bytes that encode an integer below 2^255 - 19."""
    return len(public) == X25519_BYTES and int.from_bytes(public, "little") < _FIELD_PRIME


def x25519(private: bytes, public: bytes) -> bytes:
    """The shared secret of our private and a peer's public key.

    Raises HandshakeError for a public key that is not canonical or of small order.
    """
    if not is_canonical_x25519(public):
        raise HandshakeError("a peer sent a public key that is not canonical")
    try:
        return bindings.crypto_scalarmult(private, public)
    except CryptoError as error:
        raise HandshakeError("a peer sent a public key of small order") from error


def node_id_of(ed25519_public: bytes) -> bytes:
    """NodeID: the name of a node, derived from its Ed25519 key."""
    if len(ed25519_public) != ED25519_PUBLIC_BYTES:
        raise ValueError("an Ed25519 public key is 32 bytes long")
    return sha256(NODE_ID_LABEL, ed25519_public)


def verify_signature(ed25519_public: bytes, signature: bytes, message: bytes) -> bool:
    """True when `signature` is the key's Ed25519 signature over `message`.

    libsodium refuses small-order and non-canonical keys and non-canonical scalars.
    """
    if len(ed25519_public) != ED25519_PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        bindings.crypto_sign_open(signature + message, ed25519_public)
    except (BadSignatureError, CryptoError):
        return False
    return True

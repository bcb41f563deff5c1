"""The node's long-term name: an Ed25519 key and the NodeID derived from it.

Signs; never encrypts. The seed leaves this class only through `seed`, for the encrypted store, and
never shows in a repr, a log or an error.
"""

from __future__ import annotations

import os

from nacl import bindings

from engine.crypto.keys import NODE_ID_BYTES, SIGNATURE_BYTES, node_id_of, verify_signature

__all__ = ["NODE_ID_BYTES", "SEED_BYTES", "Identity", "node_id_of", "short_id", "verify_signature"]

SEED_BYTES = 32
SHORT_ID_CHARS = 8


def short_id(node_id: bytes) -> str:
    """The first eight hex digits of a NodeID, for people."""
    return node_id.hex()[:SHORT_ID_CHARS]


class Identity:
    """An Ed25519 signing key. `generate` makes one, `Identity(seed)` restores one."""

    __slots__ = ("_secret", "_seed", "node_id", "public")

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise ValueError("an identity seed is 32 bytes long")
        public, secret = bindings.crypto_sign_seed_keypair(seed)
        self._seed = bytes(seed)
        self._secret: bytes = secret
        self.public: bytes = public
        self.node_id = node_id_of(public)

    @classmethod
    def generate(cls) -> Identity:
        """A fresh identity from the system's random source."""
        return cls(os.urandom(SEED_BYTES))

    @property
    def seed(self) -> bytes:
        """The 32 bytes to keep in the encrypted store."""
        return self._seed

    @property
    def short_id(self) -> str:
        """What people see of the NodeID."""
        return short_id(self.node_id)

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature (64 bytes) over `message`; callers put a label in front."""
        return bytes(bindings.crypto_sign(message, self._secret)[:SIGNATURE_BYTES])

    def __repr__(self) -> str:
        return f"Identity({self.short_id})"

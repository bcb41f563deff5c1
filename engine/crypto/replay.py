"""Which client ephemerals an onion key has already answered, until that key dies.

A replayed CREATE gains nothing (the hop adds fresh randomness, so the keys differ every time); the
cache makes a replay visible and cheap to refuse. It is bounded, and refuses when it is full.
"""

from __future__ import annotations

import hashlib
import os

from engine.errors import HandshakeError

# Entries are 64-bit keyed hashes: at half a million a chance collision refuses an honest handshake
# once in 10^13, the set takes some 35 MB, and filling it costs an attacker's relay-side budget of
# over a minute of handshakes, which the rate limit per neighbour spreads over hours.
MAX_HANDSHAKES_PER_KEY = 1 << 19
_ENTRY_BYTES = 8


class HandshakeReplayCache:
    """Remembers H(X) per onion key. X is canonical by then, so it cannot be disguised."""

    __slots__ = ("_limit", "_secret", "_seen")

    def __init__(self, limit: int = MAX_HANDSHAKES_PER_KEY) -> None:
        self._limit = limit
        self._secret = os.urandom(32)
        self._seen: dict[bytes, set[int]] = {}

    def check(self, onion_public: bytes, client_public: bytes) -> None:
        """Raise HandshakeError when this ephemeral was seen before, or no more can be kept."""
        seen = self._seen.get(onion_public)
        if seen is None:
            return
        if self._entry(client_public) in seen:
            raise HandshakeError("a handshake was replayed")
        if len(seen) >= self._limit:
            raise HandshakeError("this onion key has answered as many handshakes as it may")

    def remember(self, onion_public: bytes, client_public: bytes) -> None:
        """Note an ephemeral whose handshake was answered."""
        self._seen.setdefault(onion_public, set()).add(self._entry(client_public))

    def forget(self, onion_public: bytes) -> None:
        """The onion key is erased: its handshakes cannot be answered any more."""
        self._seen.pop(onion_public, None)

    def count(self, onion_public: bytes) -> int:
        """Handshakes remembered for a key."""
        return len(self._seen.get(onion_public, ()))

    def _entry(self, client_public: bytes) -> int:
        digest = hashlib.blake2b(client_public, digest_size=_ENTRY_BYTES, key=self._secret)
        return int.from_bytes(digest.digest(), "big")

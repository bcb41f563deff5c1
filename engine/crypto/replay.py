"""Which client ephemerals an onion key has already answered, until that key dies.

A replayed CREATE gains nothing (the hop adds fresh randomness, so the keys differ every time); the
cache makes a replay visible and refuses it. It is bounded by forgetting the oldest half: refusing
new handshakes instead would let anyone who fills it, at a minute of the hop's work, silence the hop
until its onion key rotates. Entries are keyed hashes, so a journal that keeps them over a restart
(engine.circuit.replay_journal) says nothing of what they stand for.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from engine.errors import HandshakeError

# Entries are 64-bit keyed hashes: at half a million a chance collision refuses an honest handshake
# once in 10^13, and the sets take some 35 MB.
MAX_HANDSHAKES_PER_KEY = 1 << 19
SECRET_BYTES = 32
_ENTRY_BYTES = 8


class Journal(Protocol):
    """Keeps entries beyond the life of the process. Never raises."""

    def append(self, onion_public: bytes, entry: int) -> None:
        """Note an entry, before its handshake is answered."""

    def turn(self, onion_public: bytes) -> None:
        """What was noted since the last turn becomes the older half; what was older goes."""


@dataclass(slots=True)
class _Seen:
    """The ephemerals of one onion key: those of late, and those before them."""

    recent: set[int] = field(default_factory=set)
    older: set[int] = field(default_factory=set)


class HandshakeReplayCache:
    """Remembers X per onion key. X is canonical by then, so it cannot be disguised."""

    __slots__ = ("_half", "_journal", "_secret", "_seen")

    def __init__(
        self,
        limit: int = MAX_HANDSHAKES_PER_KEY,
        *,
        secret: bytes | None = None,
        journal: Journal | None = None,
    ) -> None:
        self._half = max(1, limit // 2)
        self._secret = secret or os.urandom(SECRET_BYTES)
        self._journal = journal
        self._seen: dict[bytes, _Seen] = {}

    def check(self, onion_public: bytes, client_public: bytes) -> None:
        """Raise HandshakeError when this ephemeral is remembered."""
        seen = self._seen.get(onion_public)
        if seen is None:
            return
        entry = self._entry(client_public)
        if entry in seen.recent or entry in seen.older:
            raise HandshakeError("a handshake was replayed")

    def remember(self, onion_public: bytes, client_public: bytes) -> None:
        """Note an ephemeral whose handshake is about to be answered."""
        seen = self._seen.setdefault(onion_public, _Seen())
        if len(seen.recent) >= self._half:
            seen.older, seen.recent = seen.recent, set()
            if self._journal is not None:
                self._journal.turn(onion_public)
        entry = self._entry(client_public)
        seen.recent.add(entry)
        if self._journal is not None:
            self._journal.append(onion_public, entry)

    def restore(self, onion_public: bytes, older: Iterable[int], recent: Iterable[int]) -> None:
        """Take up what a journal kept of a key."""
        self._seen[onion_public] = _Seen(set(recent), set(older))

    def forget(self, onion_public: bytes) -> None:
        """The onion key is erased: its handshakes cannot be answered any more."""
        self._seen.pop(onion_public, None)

    def count(self, onion_public: bytes) -> int:
        """Handshakes remembered for a key."""
        seen = self._seen.get(onion_public)
        return len(seen.recent) + len(seen.older) if seen else 0

    def _entry(self, client_public: bytes) -> int:
        digest = hashlib.blake2b(client_public, digest_size=_ENTRY_BYTES, key=self._secret)
        return int.from_bytes(digest.digest(), "big")

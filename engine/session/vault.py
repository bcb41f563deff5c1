"""Keeps what is needed to get credit back after a crash: the secret of every unsettled session.

A record is written before the session's first payment and deleted when it is settled. It holds no
prompt, no answer and no route; it lies in the encrypted store only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from nacl.signing import SigningKey

from engine.errors import WireError
from engine.market.seams import ClientStore
from engine.wire import cbor
from engine.wire.schema import octets, take, text
from engine.wire.session import session_hash

NAMESPACE = "ask_sessions"
_RECORD = {
    "session": octets(16),
    "seed": octets(32),
    "ghost": octets(32),
    "mint": text(256),
    "slot": text(128),
}


@dataclass(frozen=True, slots=True)
class SavedSession:
    """The secret of one session, the ghost it is with, where it paid, the refund under way."""

    session: bytes = field(repr=False)
    seed: bytes = field(repr=False)
    ghost: bytes
    mint: str = ""
    slot: str = ""

    @classmethod
    def new(cls, ghost: bytes) -> SavedSession:
        return cls(os.urandom(16), os.urandom(32), ghost)

    @property
    def name(self) -> str:
        return self.session.hex()

    @property
    def key(self) -> bytes:
        """The session's Ed25519 public key."""
        return bytes(SigningKey(self.seed).verify_key)

    @property
    def hash(self) -> bytes:
        """What its receipts and its credit are kept under."""
        return session_hash(self.session, self.key)

    def sign(self, message: bytes) -> bytes:
        return SigningKey(self.seed).sign(message).signature

    def encode(self) -> bytes:
        """The record as it is stored."""
        fields: dict[str, cbor.Value] = {
            "session": self.session,
            "seed": self.seed,
            "ghost": self.ghost,
            "mint": self.mint,
            "slot": self.slot,
        }
        return cbor.encode(fields)

    @classmethod
    def decode(cls, raw: bytes) -> SavedSession:
        """The session in a record. Raises WireError."""
        return cls(**take(cbor.decode_map(raw), _RECORD))

    def with_mint(self, mint: str) -> SavedSession:
        return replace(self, mint=mint)

    def with_slot(self, slot: str) -> SavedSession:
        return replace(self, slot=slot)


class SessionVault:
    """The records of all unsettled sessions."""

    def __init__(self, store: ClientStore) -> None:
        self._secrets = store.secrets

    async def save(self, saved: SavedSession) -> None:
        await self._secrets.put(NAMESPACE, saved.name, saved.encode())

    async def forget(self, saved: SavedSession) -> None:
        await self._secrets.delete(NAMESPACE, saved.name)

    async def load_all(self) -> list[SavedSession]:
        """Every unsettled session; a record that does not parse is skipped, not deleted."""
        found: list[SavedSession] = []
        for name in await self._secrets.keys(NAMESPACE):
            raw = await self._secrets.get(NAMESPACE, name)
            try:
                found.append(SavedSession.decode(raw or b""))
            except WireError:
                continue
        return found

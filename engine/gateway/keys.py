"""The keys of the local API: made here, shown once, kept as hashes in the encrypted store.

A key is 256 random bits, so a plain hash of it tells nobody anything; no slow hash is needed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Protocol

import msgspec

from engine.errors import Peer2PromptError

PREFIX = "p2p-"
MAX_KEYS = 100
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_LABEL = b"peer2prompt api key v1\0"


class BadKeyName(Peer2PromptError):
    """A name that is taken, unknown or not a name."""

    code = "api_key"
    exit_code = 2


class SecretBook(Protocol):
    """The part of the store that keys need."""

    async def get_secret(self, ns: str, key: str) -> bytes | None: ...

    async def put_secret(self, ns: str, key: str, value: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key. `created` is unix seconds."""

    name: str
    hash: str
    created: float


class ApiKeys:
    """Makes, lists, revokes and recognises keys. `load` before anything else."""

    def __init__(self, store: SecretBook, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now
        self._keys: tuple[ApiKey, ...] = ()

    async def load(self) -> None:
        """Read what the store has."""
        raw = await self._store.get_secret("api", "keys")
        if raw is not None:
            self._keys = msgspec.json.decode(raw, type=tuple[ApiKey, ...])

    def all(self) -> tuple[ApiKey, ...]:
        """Every key, the oldest first."""
        return self._keys

    async def new(self, name: str) -> str:
        """A new key in words to be shown once. Raises BadKeyName."""
        if not _NAME.fullmatch(name):
            raise BadKeyName(
                "A key's name is letters, digits, dots, dashes and underscores, at most 40.",
                hint="Name it after the program that will use it.",
            )
        if any(key.name == name for key in self._keys):
            raise BadKeyName(
                f"There is a key named {name} already.",
                kept="It goes on working.",
                hint=f"Choose another name, or first: peer2prompt api key revoke {name}",
            )
        if len(self._keys) >= MAX_KEYS:
            raise BadKeyName(f"There are {MAX_KEYS} keys already.", hint="Revoke one.")
        key = PREFIX + secrets.token_urlsafe(32)
        await self._keep((*self._keys, ApiKey(name, _hash(key), self._now())))
        return key

    async def revoke(self, name: str) -> None:
        """Forget a key. Raises BadKeyName when there is none of this name."""
        left = tuple(key for key in self._keys if key.name != name)
        if len(left) == len(self._keys):
            raise BadKeyName("There is no key of this name.", hint="See: peer2prompt api key list")
        await self._keep(left)

    def name_of(self, key: str) -> str | None:
        """The name of a key that is valid. Takes as long for a wrong key as for a right one."""
        given, found = _hash(key), None
        for known in self._keys:
            if hmac.compare_digest(known.hash, given):
                found = known.name
        return found

    async def _keep(self, keys: tuple[ApiKey, ...]) -> None:
        await self._store.put_secret(
            "api", "keys", msgspec.json.encode([asdict(key) for key in keys])
        )
        self._keys = keys


def _hash(key: str) -> str:
    return hashlib.sha256(_LABEL + key.encode("utf-8", "surrogateescape")).hexdigest()

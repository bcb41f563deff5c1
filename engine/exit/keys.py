"""Provider keys: in the encrypted store by name, or in a file that the settings name.

Never in the settings, a log, an error or an argument of a command. Which key a provider refused is
remembered by its hash, so that a restart does not offer with it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from engine.errors import ConfigError
from engine.exit.settings_upstreams import KEY_NAME, UpstreamSettings
from engine.market.seams import SecretBook

NAMESPACE = "provider"
REFUSED = "refused"
MAX_KEY_BYTES = 4_096


def clean_key(text: str) -> str:
    """A key as it was pasted, without what surrounds it. Raises ConfigError."""
    key = text.strip()
    if not key or len(key) > MAX_KEY_BYTES or not key.isascii() or not key.isprintable():
        raise ConfigError(
            "That is no provider key.",
            kept="Nothing was changed.",
            hint="Paste the key alone, on one line.",
        )
    if " " in key:
        raise ConfigError("A provider key holds no spaces.", kept="Nothing was changed.")
    return key


def check_name(name: str) -> str:
    """The name of a key. Raises ConfigError."""
    if not KEY_NAME.fullmatch(name) or name == REFUSED:
        raise ConfigError(
            "The name of a key is made of small letters, digits, - _ and dots.",
            hint="For example openai or openai-2.",
        )
    return name


class KeyRing:
    """The keys of a ghost's upstreams."""

    def __init__(self, secrets: SecretBook) -> None:
        self._secrets = secrets

    def __repr__(self) -> str:
        return "KeyRing()"

    async def put(self, name: str, key: str) -> None:
        """Keep a key under a name, in place of the one there was. Raises ConfigError."""
        await self._secrets.put(NAMESPACE, check_name(name), clean_key(key).encode())

    async def names(self) -> list[str]:
        """The names that have a key."""
        return [name for name in await self._secrets.keys(NAMESPACE) if name != REFUSED]

    async def named(self, name: str) -> str:
        """The key of this name. Raises ConfigError when there is none."""
        raw = await self._secrets.get(NAMESPACE, name)
        if raw is None or name == REFUSED:
            raise ConfigError(
                f"There is no provider key named {name!r} in the encrypted store.",
                kept="Nothing was sent to the provider.",
                hint=f"Put it there: `peer2prompt ghost key {name}`.",
            )
        return raw.decode()

    async def of(self, upstream: UpstreamSettings) -> str:
        """The upstream's key, "" when it needs none. Raises ConfigError."""
        if upstream.key:
            return await self.named(upstream.key)
        return "" if upstream.key_file is None else read_key_file(upstream.key_file)

    async def all_of(self, upstreams: Sequence[UpstreamSettings]) -> list[str]:
        """The keys of all, in order. Raises ConfigError."""
        return [await self.of(upstream) for upstream in upstreams]

    async def note_refused(self, keys: Sequence[str]) -> None:
        """A provider refused these; remembered until they change or `forget_refused`."""
        marks = sorted({*await self._marks(), *map(_mark, keys)})
        await self._secrets.put(NAMESPACE, REFUSED, json.dumps(marks).encode())

    async def refused_among(self, keys: Sequence[str]) -> frozenset[int]:
        """The places of those keys that were refused before."""
        marks = await self._marks()
        return frozenset(n for n, key in enumerate(keys) if _mark(key) in marks)

    async def _marks(self) -> set[str]:
        raw = await self._secrets.get(NAMESPACE, REFUSED)
        return set(json.loads(raw)) if raw is not None else set()

    async def forget_refused(self) -> None:
        """The operator says that the keys are good again."""
        await self._secrets.delete(NAMESPACE, REFUSED)


def read_key_file(path: Path) -> str:
    """The key in a file. Raises ConfigError."""
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The provider key file {path} cannot be read.",
            hint="Check key_file (or provider_key_file) under [ghost].",
        ) from error


def _mark(key: str) -> str:
    return hashlib.sha256(b"peer2prompt refused key" + key.encode()).hexdigest()

"""Opens the node's encrypted store with the secret that the settings name.

The only place that reads a passphrase from a file or a descriptor. What a home holds besides, and
what a store is made of, is known elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path

from engine.config import PASSPHRASE_FILE_ENV, STORE_NAME, NodeConfig, StoreConfig
from engine.errors import ConfigError
from wallet.store import KeyFile, Passphrase, Store

MAX_PASSPHRASE_BYTES = 4_096


async def open_store(config: NodeConfig) -> Store:
    """Open the store, or create it. Raises ConfigError, and the WalletErrors of `Store.open`."""
    return await open_store_with(config, store_secret(config.store, config.home))


async def open_store_with(config: NodeConfig, secret: KeyFile | Passphrase) -> Store:
    """The same with a secret from elsewhere."""
    return await Store.open(config.home / STORE_NAME, secret, create=True)


def store_secret(store: StoreConfig, home: Path) -> KeyFile | Passphrase:
    """The key file, or the passphrase from a descriptor or file. Raises ConfigError."""
    if store.key_file is not None:
        return KeyFile(store.key_file, create=True)
    if store.passphrase_fd is not None:
        with os.fdopen(store.passphrase_fd, "rb") as pipe:
            return _passphrase(pipe.read(MAX_PASSPHRASE_BYTES))
    if store.passphrase_file is not None:
        try:
            return _passphrase(store.passphrase_file.read_bytes()[:MAX_PASSPHRASE_BYTES])
        except OSError as error:
            raise ConfigError(
                f"The passphrase file {store.passphrase_file} cannot be read.",
                kept="The store was not touched.",
                hint=f"Check [store] passphrase_file or {PASSPHRASE_FILE_ENV}.",
            ) from error
    raise ConfigError(
        f"Nothing opens the store in {home}: no passphrase and no key file is given.",
        kept="The store was not touched.",
        hint=f"Set {PASSPHRASE_FILE_ENV}, or [store] key_file in config.toml.",
    )


def _passphrase(raw: bytes) -> Passphrase:
    try:
        text = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ConfigError("The passphrase is not valid UTF-8.") from error
    if not text:
        raise ConfigError("The passphrase is empty.", hint="Choose a passphrase.")
    return Passphrase(text)

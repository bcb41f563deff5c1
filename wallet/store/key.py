"""From a passphrase or a key file to the store's key, and the sidecar that says how.

The sidecar `<store>.kdf` holds the salt and the cost of Argon2id and a check value, so that a
wrong passphrase is told apart from a damaged file. The check value helps an attacker no more than
the first page of the store does. May not touch the database itself.

A passphrase can be changed: then the sidecar (version 2) also holds the store's key, wrapped under
what the new secret gives. The store itself is not written again, so nothing can go wrong half way;
the price is that an old copy of the sidecar goes on to be opened by the old passphrase.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from nacl import pwhash
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from wallet.errors import ForeignStore, NewerStore, StoreDamaged, StoreError, WrongPassphrase

KEY_BYTES = 32
SALT_BYTES = pwhash.argon2id.SALTBYTES
SIDECAR_VERSION = 2
PLAIN_VERSION = 1  # without a wrapped key: older programs read it too
MAX_SIDECAR_BYTES = 4096
# A sidecar may not make us allocate without bound: 4 GiB and 32 passes are above libsodium's
# "sensitive" setting.
MAX_MEMORY_BYTES, MAX_PASSES = 4 << 30, 32


class KdfCost(Enum):
    """Argon2id settings: (passes, bytes). MODERATE takes about 0.6 s and 256 MiB."""

    INTERACTIVE = (pwhash.argon2id.OPSLIMIT_INTERACTIVE, pwhash.argon2id.MEMLIMIT_INTERACTIVE)
    MODERATE = (pwhash.argon2id.OPSLIMIT_MODERATE, pwhash.argon2id.MEMLIMIT_MODERATE)


@dataclass(frozen=True, slots=True)
class Passphrase:
    """What a person types. `cost` is used when a store is created; later the sidecar rules."""

    text: str = field(repr=False)
    cost: KdfCost = KdfCost.MODERATE


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file with the key itself (64 hex characters or 32 raw bytes), for headless use."""

    path: Path
    create: bool = False


Secret = Passphrase | KeyFile


class StoreKey:
    """32 bytes that open a store; never printed. Sub-keys are derived, the key is not used raw."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise StoreError("A store key must be 32 bytes.")
        self._key = key

    def __repr__(self) -> str:
        return "StoreKey(hidden)"

    @classmethod
    def from_passphrase(
        cls, passphrase: str, salt: bytes, cost: tuple[int, int] = KdfCost.MODERATE.value
    ) -> StoreKey:
        """Argon2id of the passphrase; `cost` is passes and bytes of memory."""
        passes, memory = cost
        return cls(pwhash.argon2id.kdf(KEY_BYTES, passphrase.encode(), salt, passes, memory))

    @classmethod
    def from_key_file(cls, path: Path | str, *, create: bool = False) -> StoreKey:
        """The key in a file, made there when `create` and it is missing. Raises StoreError."""
        path = Path(path)
        if create and not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_private(path, secrets.token_hex(KEY_BYTES).encode() + b"\n", replace=False)
        try:
            data = path.read_bytes()
        except OSError as exc:
            raise StoreError(
                f"The key file {path} cannot be read ({exc.strerror}).",
                hint="Check the path and that the file belongs to you.",
            ) from exc
        return cls(_parse_key(data, path))

    def database_key(self) -> str:
        """Hex for SQLCipher's raw key form."""
        return self._derive(b"peer2prompt store database key v1").hex()

    def check(self) -> str:
        return self._derive(b"peer2prompt store check v1")[:16].hex()

    def wrap(self, inner: StoreKey) -> str:
        """Another key, encrypted under this one."""
        return bytes(self._box().encrypt(inner._key)).hex()

    def unwrap(self, text: str) -> StoreKey | None:
        """The key that `wrap` hid, or None when this is not the key that hid it."""
        try:
            return StoreKey(self._box().decrypt(bytes.fromhex(text)))
        except CryptoError:
            return None

    def _box(self) -> SecretBox:
        return SecretBox(self._derive(b"peer2prompt store wrap v2"))

    def _derive(self, label: bytes) -> bytes:
        return hmac.digest(self._key, label, hashlib.sha256)


def sidecar_path(store: Path) -> Path:
    return store.with_name(store.name + ".kdf")


def unlock(store: Path, secret: Secret) -> StoreKey:
    """The key of an existing store. Raises WrongPassphrase when the check value differs."""
    data = _read_sidecar(store)
    if isinstance(secret, Passphrase):
        if data["kdf"] != "argon2id13":
            raise WrongPassphrase(
                "This store is opened by a key file, not by a passphrase.",
                hint="Name the key file in the settings.",
            )
        cost = (data["passes"], data["memory_bytes"])
        key = StoreKey.from_passphrase(secret.text, bytes.fromhex(data["salt"]), cost)
    else:
        if data["kdf"] != "key-file":
            raise WrongPassphrase(
                "This store is opened by a passphrase, not by a key file.",
                hint="Give the passphrase.",
            )
        key = StoreKey.from_key_file(secret.path)
    found = key.unwrap(data["wrapped"]) if "wrapped" in data else key
    if found is None or not hmac.compare_digest(found.check(), data["check"]):
        what = "passphrase" if isinstance(secret, Passphrase) else "key file"
        raise WrongPassphrase(
            f"The {what} does not open this store.",
            kept="The store was not changed.",
            hint=f"Try again with the right {what}; without it the store cannot be read.",
        )
    return found


def create(store: Path, secret: Secret) -> StoreKey:
    """A new key with its sidecar, on disk before the store is."""
    key, how = _new_key(secret)
    _write_sidecar(store, {"peer2prompt_store": PLAIN_VERSION, **how, "check": key.check()})
    return key


def change(store: Path, old: Secret, new: Secret) -> None:
    """From now on `new` opens the store instead of `old`. Raises WrongPassphrase for a wrong old
    one. Whole or not at all; what the old sidecar said is overwritten."""
    key = unlock(store, old)
    outer, how = _new_key(new)
    wrapped = {"check": key.check(), "wrapped": outer.wrap(key)}
    before = os.open(sidecar_path(store), os.O_RDWR)
    try:
        _write_sidecar(store, {"peer2prompt_store": SIDECAR_VERSION, **how, **wrapped})
        overwrite(before)
    finally:
        os.close(before)


def overwrite(handle: int) -> None:
    """Random bytes over all of an open file, flushed: as gone as the disk lets it be."""
    length = os.fstat(handle).st_size
    os.lseek(handle, 0, os.SEEK_SET)
    while length > 0:
        length -= os.write(handle, secrets.token_bytes(min(length, 1 << 20)))
    os.fsync(handle)


def _new_key(secret: Secret) -> tuple[StoreKey, dict[str, Any]]:
    """What a secret gives, and the lines of a sidecar that say how."""
    if isinstance(secret, Passphrase):
        if not secret.text:
            raise StoreError("An empty passphrase protects nothing.", hint="Choose a passphrase.")
        salt = secrets.token_bytes(SALT_BYTES)
        passes, memory = secret.cost.value
        key = StoreKey.from_passphrase(secret.text, salt, (passes, memory))
        return key, {
            "kdf": "argon2id13",
            "salt": salt.hex(),
            "passes": passes,
            "memory_bytes": memory,
        }
    return StoreKey.from_key_file(secret.path, create=secret.create), {"kdf": "key-file"}


def _write_sidecar(store: Path, body: dict[str, Any]) -> None:
    write_private(sidecar_path(store), json.dumps(body, indent=1).encode() + b"\n")


def write_private(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Write whole or not at all, mode 0600, flushed to the disk."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            os.link(temporary, path)
            temporary.unlink()
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _parse_key(data: bytes, path: Path) -> bytes:
    if len(data) == KEY_BYTES:
        return data
    try:
        text = data.decode("ascii").strip()
        if len(text) == 2 * KEY_BYTES:
            return bytes.fromhex(text)
    except ValueError:
        pass
    raise StoreError(
        f"The key file {path} does not hold a key.",
        hint="A key file is 64 hex characters or 32 raw bytes.",
    )


def _read_sidecar(store: Path) -> dict[str, Any]:
    path = sidecar_path(store)
    try:
        raw = path.read_bytes()
    except FileNotFoundError as exc:
        raise ForeignStore(
            f"The file {store} has no {path.name} beside it, so it is no Peer2Prompt store.",
            kept="The file was not changed.",
            hint="Restore the .kdf file from a backup, or choose another path.",
        ) from exc
    except OSError as exc:
        raise StoreError(f"The file {path} cannot be read ({exc.strerror}).") from exc
    try:
        data = json.loads(raw[:MAX_SIDECAR_BYTES])
        _check_sidecar(data, path)
    except (ValueError, KeyError, TypeError) as exc:
        raise StoreDamaged(
            f"The file {path} is damaged, so the store's key cannot be derived.",
            kept="The store was not changed.",
            hint="Restore the .kdf file from a backup.",
        ) from exc
    return dict(data)


def _check_sidecar(data: dict[str, Any], path: Path) -> None:
    if data["peer2prompt_store"] > SIDECAR_VERSION:
        raise NewerStore(
            f"The file {path} was written by a newer version of the program.",
            hint="Update Peer2Prompt.",
        )
    bytes.fromhex(data["check"])
    bytes.fromhex(data.get("wrapped", ""))
    if data["kdf"] == "argon2id13":
        bytes.fromhex(data["salt"])
        if not 1 <= data["passes"] <= MAX_PASSES or not 8192 <= data["memory_bytes"] <= (
            MAX_MEMORY_BYTES
        ):
            raise ValueError("cost out of range")
    elif data["kdf"] != "key-file":
        raise ValueError("unknown kdf")

"""Keeping the store: another passphrase, a backup, bringing one back, and wiping everything.

A backup is one file that holds the encrypted store and its sidecar as they are: it is opened by the
passphrase (or key file) of the day it was made. Bringing one back leaves a mark beside the store,
because the ecash in it may be spent by now and its counters used: the wallet asks the mints before
it uses either (`Store.brought_back`). May hold no SQL but PRAGMAs.
"""

from __future__ import annotations

import io
import os
import tarfile
from contextlib import suppress
from pathlib import Path

import trio

from wallet.errors import ForeignStore, StoreDamaged, StoreError
from wallet.store import archive
from wallet.store import key as keys
from wallet.store.archive import SIDECAR_MEMBER, STORE_MEMBER
from wallet.store.core import Store
from wallet.store.key import Secret

# What belongs to one store, by what follows its name. The sidecar comes first: without it the rest
# is noise, even when the power goes after the first file.
SUFFIXES = (".kdf", "", "-wal", "-shm", ".lock", ".brought-back")


async def change_secret(store: Store, old: Secret, new: Secret) -> None:
    """From now on `new` opens the store. Raises WrongPassphrase when `old` does not."""

    def change(_connection: object) -> None:
        keys.change(store.path, old, new)
        archive.destroy_copies(store.path)  # they are opened by the old one

    await store.exclusively(change)


async def check_secret(store: Store, secret: Secret) -> None:
    """Whether `secret` opens the store. Raises WrongPassphrase when it does not."""
    await trio.to_thread.run_sync(keys.unlock, store.path, secret)


async def back_up(store: Store, target: Path) -> int:
    """Write a backup to `target`, which must not exist; its size in bytes."""
    if target.exists():
        raise StoreError(f"The file {target} exists already.", hint="Choose another name.")
    return await store.exclusively(
        lambda connection: archive.write_archive(connection, store.path, target)
    )


def bring_back(backup: Path, path: Path) -> None:
    """Put the store of a backup to `path`, where none may be. The node must not run."""
    if path.exists() or keys.sidecar_path(path).exists():
        raise StoreError(
            f"There is a store at {path} already.",
            kept="It was not changed.",
            hint="Wipe it first, or use another home directory.",
        )
    found = _members(backup)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark(path).touch(mode=0o600)
    keys.write_private(path, found[STORE_MEMBER])
    # Last: without it there is no store, so a bring-back that was cut short can be repeated.
    keys.write_private(keys.sidecar_path(path), found[SIDECAR_MEMBER])


def _members(backup: Path) -> dict[str, bytes]:
    """The two files of a backup, and nothing else that an archive might want to write."""
    try:
        with tarfile.open(backup, "r:") as found_in:
            found = {
                member.name: _content(found_in, member)
                for member in found_in
                if member.isfile() and member.name in (STORE_MEMBER, SIDECAR_MEMBER)
            }
    except tarfile.TarError as exc:
        raise ForeignStore(f"The file {backup} is no backup of a store.") from exc
    except OSError as exc:
        raise StoreError(f"The file {backup} cannot be read ({exc.strerror}).") from exc
    if set(found) != {STORE_MEMBER, SIDECAR_MEMBER}:
        raise StoreDamaged(
            f"The backup {backup} is cut short or holds no store.", hint="Use another backup."
        )
    return found


def _content(found_in: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = found_in.extractfile(member) or io.BytesIO()
    data = file.read()
    if len(data) != member.size:
        raise StoreDamaged("The backup is cut short.", hint="Use another backup.")
    return data


def mark(path: Path) -> Path:
    """The file that says a store came from a backup and was not compared with the mints yet."""
    return path.with_name(path.name + ".brought-back")


async def is_brought_back(store: Store) -> bool:
    """Whether the store came from a backup that was not compared with the mints yet."""
    return await trio.to_thread.run_sync(mark(store.path).exists)


async def settled(store: Store) -> None:
    """The mints have been asked: the store is like any other."""
    await trio.to_thread.run_sync(lambda: mark(store.path).unlink(missing_ok=True))


def wipe(path: Path, key_file: Path | None = None) -> list[str]:
    """Overwrite and remove the key, then everything of the store; names of what was removed.

    Works on an open store too: its process reads no more than it has. Only the seed words, a
    backup, or a copy that the disk kept by itself can bring anything back.
    """
    files = [path.with_name(path.name + suffix) for suffix in SUFFIXES]
    gone = archive.destroy_copies(path)
    for file in [*([key_file] if key_file else []), *files]:
        small = file.name.endswith(".kdf") or file == key_file
        with suppress(FileNotFoundError):
            if small:
                _overwrite(file)
            file.unlink()
            gone.append(file.name)
    return gone


def _overwrite(file: Path) -> None:
    handle = os.open(file, os.O_RDWR)
    try:
        keys.overwrite(handle)
    finally:
        os.close(handle)

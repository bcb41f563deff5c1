"""A store in one file: the encrypted database and its sidecar as they are, in a plain archive.

Also the copy that is made before a newer program brings a store to its form. It holds what was in
the store then, chats deleted since included, so it does not stay: see `expire_copies`.
"""

from __future__ import annotations

import errno
import os
import secrets
import tarfile
import time
from pathlib import Path
from typing import Any

from wallet.errors import StoreError, StoreFull
from wallet.store import key as keys

STORE_MEMBER, SIDECAR_MEMBER = "store.db", "store.db.kdf"
COPY_MARK = ".before-"
COPY_LIFE_S = 7 * 86_400.0
HEAD_BYTES = 8_192  # the sidecar comes first: without it the rest of an archive is noise


def write_archive(connection: Any, path: Path, target: Path, *, replace: bool = False) -> int:
    """Write the store at `path` to `target`, whole or not at all; its size in bytes. Nobody may
    write meanwhile."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # everything into one file
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                _add(archive, SIDECAR_MEMBER, keys.sidecar_path(path))
                _add(archive, STORE_MEMBER, path)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(target)
        else:
            os.link(temporary, target)
    except OSError as exc:
        kind = StoreFull if exc.errno in (errno.ENOSPC, errno.EDQUOT) else StoreError
        raise kind(
            f"The backup {target} cannot be written ({exc.strerror}).",
            kept="The store was not changed.",
        ) from exc
    finally:
        temporary.unlink(missing_ok=True)
    return target.stat().st_size


def _add(archive: tarfile.TarFile, name: str, source: Path) -> None:
    """Without owner, time or path: a backup says nothing about the machine."""
    with source.open("rb") as file:
        member = tarfile.TarInfo(name)
        member.size = source.stat().st_size
        member.mode = 0o600
        archive.addfile(member, file)


# -- before an upgrade -----------------------------------------------------------------------------


def copy_before(connection: Any, path: Path, version: int) -> None:
    """Keep the store as it is now beside it; copies of earlier upgrades go. Raises StoreFull when
    there is no room."""
    target = path.with_name(f"{path.name}{COPY_MARK}{version}")
    write_archive(connection, path, target, replace=True)
    for copy in copies(path):
        if copy != target:
            _destroy(copy)


def copies(path: Path) -> list[Path]:
    """The copies that upgrades have left beside a store."""
    return sorted(path.parent.glob(f"{path.name}{COPY_MARK}*"))


def expire_copies(path: Path) -> None:
    """Destroy what is older than COPY_LIFE_S."""
    for copy in copies(path):
        if time.time() - copy.stat().st_mtime > COPY_LIFE_S:
            _destroy(copy)


def destroy_copies(path: Path) -> list[str]:
    """Destroy all of them; their names."""
    found = copies(path)
    for copy in found:
        _destroy(copy)
    return [copy.name for copy in found]


def _destroy(copy: Path) -> None:
    with copy.open("r+b") as file:
        file.write(secrets.token_bytes(min(HEAD_BYTES, copy.stat().st_size)))
        file.flush()
        os.fsync(file.fileno())
    copy.unlink()

"""Keeps the replay cache over a restart: one small append-only file for each onion key.

Eight bytes are written for each circuit before it is answered, into the system's page cache: that
costs two microseconds and survives the death of the process, kill -9 included. It does not survive
a power cut. So a file says in its head under which boot of the machine it was written: after
another boot, unless it was closed cleanly, it is not trusted, and its onion key must not be served
again. The entries are hashes under a key from the encrypted store.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_MAGIC = b"p2p-rpl1"
_BOOT_BYTES = 16
_HEAD_BYTES = len(_MAGIC) + _BOOT_BYTES
_CLEAN = bytes(_BOOT_BYTES)
_ENTRY = struct.Struct(">Q")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

Kept = tuple[Sequence[int], Sequence[int]]
"""The older and the recent entries of a key."""


def boot_mark() -> bytes:
    """Sixteen bytes that stand for this boot of the machine.

    Where the system does not tell, they are random: then only a clean end is trusted.
    """
    try:
        return hashlib.sha256(_BOOT_ID.read_bytes()).digest()[:_BOOT_BYTES]
    except OSError:
        return os.urandom(_BOOT_BYTES)


class ReplayJournal:
    """The journal files of a relay's onion keys, in one folder."""

    def __init__(self, folder: Path, *, boot: bytes | None = None) -> None:
        self._folder = folder
        self._boot = boot_mark() if boot is None else boot
        self._open: dict[bytes, int] = {}

    def load(self, onion_public: bytes) -> Kept | None:
        """What was kept for a key, and keep on writing; None when it cannot be trusted."""
        path = self._path(onion_public)
        try:
            recent = self._read(path)
            old = path.with_suffix(".old")
            older = self._read(old) if old.exists() else ()
            if recent is None or older is None:
                return None
            self._take_up(onion_public, path)
        except OSError:
            return None
        return older, recent

    def start(self, onion_public: bytes) -> None:
        """Begin the file of a new key. Raises OSError when it cannot be written."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._path(onion_public)
        path.write_bytes(_MAGIC + self._boot)
        path.chmod(0o600)
        self._take_up(onion_public, path)

    def append(self, onion_public: bytes, entry: int) -> None:
        """Note an entry. A file that cannot be written is removed, so that it is not trusted."""
        descriptor = self._open.get(onion_public)
        if descriptor is None:
            return
        try:
            written = os.write(descriptor, _ENTRY.pack(entry))
        except OSError:
            written = 0
        if written != _ENTRY.size:
            self.forget(onion_public)

    def turn(self, onion_public: bytes) -> None:
        """The entries so far become the older half."""
        if onion_public not in self._open:
            return
        path = self._path(onion_public)
        try:
            os.close(self._open.pop(onion_public))
            path.replace(path.with_suffix(".old"))
            self.start(onion_public)
        except OSError:
            self.forget(onion_public)

    def forget(self, onion_public: bytes) -> None:
        """Remove the files of a key that is not served any more."""
        descriptor = self._open.pop(onion_public, None)
        if descriptor is not None:
            os.close(descriptor)
        path = self._path(onion_public)
        for file in (path, path.with_suffix(".old")):
            with suppress(OSError):
                file.unlink()

    def close(self) -> None:
        """Write everything out and say so in the files: they are good after any boot."""
        for onion_public, descriptor in self._open.items():
            with suppress(OSError):
                os.fsync(descriptor)
                self._mark(self._path(onion_public), _CLEAN)
                old = self._path(onion_public).with_suffix(".old")
                if old.exists():
                    self._mark(old, _CLEAN)
            os.close(descriptor)
        self._open.clear()

    def _path(self, onion_public: bytes) -> Path:
        return self._folder / f"{hashlib.sha256(onion_public).hexdigest()[:16]}.log"

    def _read(self, path: Path) -> Sequence[int] | None:
        data = path.read_bytes()
        magic, boot = data[: len(_MAGIC)], data[len(_MAGIC) : _HEAD_BYTES]
        if magic != _MAGIC or boot not in (self._boot, _CLEAN):
            return None
        whole = (len(data) - _HEAD_BYTES) // _ENTRY.size * _ENTRY.size
        return [entry for (entry,) in _ENTRY.iter_unpack(data[_HEAD_BYTES : _HEAD_BYTES + whole])]

    def _take_up(self, onion_public: bytes, path: Path) -> None:
        """Open for appending, after the head has said, on the disk, that it is in use."""
        self._mark(path, self._boot)
        size = path.stat().st_size
        torn = (size - _HEAD_BYTES) % _ENTRY.size
        if torn:  # the process died within a write
            os.truncate(path, size - torn)
        self._open[onion_public] = os.open(path, os.O_WRONLY | os.O_APPEND)

    @staticmethod
    def _mark(path: Path, boot: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.pwrite(descriptor, boot, len(_MAGIC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

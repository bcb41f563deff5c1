"""Sealing and opening link records with the keys of a finished link handshake.

One object per direction, one AEAD call per record, no copies. The key ratchets every 2^16 records,
the counter runs on. A record that does not verify ends the link: the cipher refuses further use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

from cryptography.exceptions import InvalidTag

from engine.crypto.kdf import hkdf_expand
from engine.crypto.suite import Suite, new_aead
from engine.errors import LinkError

RECORDS_PER_KEY = 1 << 16
MAX_RECORDS = 1 << 48
RATCHET_LABEL = b"peer2prompt link ratchet v1"

Buffer = bytes | bytearray | memoryview


class LinkCipher:
    """One direction of a link. Nonce: four zero bytes and the record's number as u64."""

    __slots__ = ("_count", "_edge", "_key", "_open", "_seal", "_suite")

    def __init__(self, suite: Suite, key: bytes) -> None:
        self._suite = suite
        self._key = key
        self._count = 0
        self._edge = RECORDS_PER_KEY
        self._load()

    def _load(self) -> None:
        aead = new_aead(self._suite, self._key)
        self._seal: Callable[..., int] = aead.encrypt_into
        self._open: Callable[..., int] = aead.decrypt_into

    def seal_into(self, cell: Buffer, out: memoryview) -> None:
        """Write the 2,048-byte record of a 2,032-byte cell into `out` (they may not overlap)."""
        count = self._count
        if count >= self._edge:
            self._ratchet()
        self._seal(count.to_bytes(12, "big"), cell, None, out)
        self._count = count + 1

    def open_into(self, record: memoryview, out: memoryview) -> None:
        """Write the cell of a record into `out`; raises LinkError when it does not verify.

        After an error the content of `out` means nothing and the cipher is erased.
        """
        count = self._count
        if count >= self._edge:
            self._ratchet()
        try:
            self._open(count.to_bytes(12, "big"), record, None, out)
        except InvalidTag as error:
            self.erase()
            raise LinkError("a link record did not verify") from error
        self._count = count + 1

    def seal_batch(self, cells: Sequence[Buffer], outs: Sequence[memoryview]) -> None:
        """`seal_into` for every cell; `outs` may be longer than `cells`."""
        first = self._count
        end = first + len(cells)
        if end > self._edge:
            for cell, out in zip(cells, outs, strict=False):
                self.seal_into(cell, out)
            return
        seal = self._seal
        for count, cell, out in zip(range(first, end), cells, outs, strict=False):
            seal(count.to_bytes(12, "big"), cell, None, out)
        self._count = end

    def open_batch(self, records: Sequence[memoryview], outs: Sequence[memoryview]) -> None:
        """`open_into` for every record; `outs` may be longer than `records`.

        Raises LinkError when any of them does not verify; then none may be used.
        """
        first = self._count
        end = first + len(records)
        if end > self._edge:
            for record, out in zip(records, outs, strict=False):
                self.open_into(record, out)
            return
        opening = self._open
        try:
            for count, record, out in zip(range(first, end), records, outs, strict=False):
                opening(count.to_bytes(12, "big"), record, None, out)
        except InvalidTag as error:
            self.erase()
            raise LinkError("a link record did not verify") from error
        self._count = end

    def _ratchet(self) -> None:
        """The next key; the old one is dropped. Also the place where a dead cipher is noticed."""
        if not self._key:
            raise LinkError("the link is closed")
        if self._count >= MAX_RECORDS:
            raise LinkError("a link has carried as many records as one handshake allows")
        self._key = hkdf_expand(self._key, RATCHET_LABEL)
        self._edge += RECORDS_PER_KEY
        self._load()

    def erase(self) -> None:
        """Drop the keys; any further use raises LinkError."""
        self._key = b""
        self._edge = 0
        self._seal = self._open = _refuse

    def __repr__(self) -> str:
        return f"LinkCipher({self._suite.name})"


def _refuse(*_args: object) -> NoReturn:
    raise LinkError("the link is closed")

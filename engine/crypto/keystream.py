"""Fillers and keystream heads in batches: what a client precomputes and a relay reads ahead.

Two suites, one interface. A filler is 16 pseudo-random bytes for cell n of a hop; a head is the
first bytes of the AEAD keystream of cell n. Both come as columns: 16 bytes per cell, one cell after
the other, so that a batch is one ECB call and columns combine with one XOR.
"""

from __future__ import annotations

from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from engine.crypto.suite import Suite

BLOCK_BYTES = 16
BATCH_CELLS = 64
_ZEROS = bytes(4 * BLOCK_BYTES)

# Sum of 2^(128 i): multiplying by it repeats a 128-bit block. The second sums j * 2^(128 i) with j
# counting up from the most significant block: adding a multiple of it numbers the blocks.
_REPEAT = [sum(1 << (128 * i) for i in range(count)) for count in range(BATCH_CELLS + 1)]
_NUMBER = [
    sum((count - 1 - i) << (128 * i) for i in range(count)) for count in range(BATCH_CELLS + 1)
]


class FillerSource(Protocol):
    """Makes fillers under one auxiliary key."""

    def fillers(self, first: int, count: int) -> bytes:
        """The fillers of cells first to first + count - 1, 16 bytes each; count <= 64."""


class HeadSource(Protocol):
    """Makes the start of AEAD keystreams under one AEAD key."""

    def heads(self, role: int, first: int, count: int, columns: int) -> list[bytes]:
        """`columns` columns of 16 bytes per cell: keystream bytes 16 c to 16 c + 15 of each."""


def xor(left: bytes, right: bytes) -> bytes:
    """XOR of two strings of equal length."""
    size = len(left)
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(size, "big")


class _AesBlocks:
    """AES-256 of numbered blocks, in one ECB call per batch."""

    __slots__ = ("_update",)

    def __init__(self, key: bytes) -> None:
        self._update = Cipher(algorithms.AES256(key), modes.ECB()).encryptor().update

    def fillers(self, first: int, count: int) -> bytes:
        blocks = first * _REPEAT[count] + _NUMBER[count]
        return self._update(blocks.to_bytes(count * BLOCK_BYTES, "big"))

    def heads(self, role: int, first: int, count: int, columns: int) -> list[bytes]:
        # GCM encrypts with counter blocks nonce || u32, and the data starts at counter 2.
        result = []
        for column in range(columns):
            base = (role << 96) | (first << 32) | (2 + column)
            blocks = base * _REPEAT[count] + (_NUMBER[count] << 32)
            result.append(self._update(blocks.to_bytes(count * BLOCK_BYTES, "big")))
        return result


class _ChaChaBlocks:
    """ChaCha20 blocks of numbered nonces: one short call per cell."""

    __slots__ = ("_reset", "_update")

    def __init__(self, key: bytes) -> None:
        encryptor = Cipher(algorithms.ChaCha20(key, bytes(16)), None).encryptor()
        self._reset, self._update = encryptor.reset_nonce, encryptor.update

    def _cells(self, prefix: bytes, first: int, count: int, size: int) -> list[bytes]:
        reset, update, zeros = self._reset, self._update, _ZEROS[:size]
        result = []
        for n in range(first, first + count):
            reset(prefix + n.to_bytes(8, "big"))
            result.append(update(zeros))
        return result

    def fillers(self, first: int, count: int) -> bytes:
        return b"".join(self._cells(bytes(8), first, count, BLOCK_BYTES))

    def heads(self, role: int, first: int, count: int, columns: int) -> list[bytes]:
        # RFC 8439: block 0 keys Poly1305 and the data starts at block 1 (counter little-endian).
        prefix = (1).to_bytes(4, "little") + role.to_bytes(4, "big")
        cells = self._cells(prefix, first, count, columns * BLOCK_BYTES)
        return [
            b"".join(cell[start : start + BLOCK_BYTES] for cell in cells)
            for start in range(0, columns * BLOCK_BYTES, BLOCK_BYTES)
        ]


def filler_source(suite: Suite, aux_key: bytes) -> FillerSource:
    """Fillers under a forward auxiliary key."""
    return _AesBlocks(aux_key) if suite is Suite.AES_256_GCM else _ChaChaBlocks(aux_key)


def head_source(suite: Suite, aead_key: bytes) -> HeadSource:
    """Keystream heads under a forward AEAD key."""
    return _AesBlocks(aead_key) if suite is Suite.AES_256_GCM else _ChaChaBlocks(aead_key)

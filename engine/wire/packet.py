"""Packets: PACKET cell bodies, and the chunk of an answer inside a sealed packet.

A PACKET cell is `handle || payload`; it belongs to no circuit. What the ghost seals in a payload is
one numbered chunk of its answer. Strict codecs only. Wire format: docs/protocol.md, "Packets".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from engine.crypto.packets import HANDLE_BYTES, PACKET_BYTES, PACKET_PLAIN_BYTES
from engine.errors import WireError
from engine.wire.cells import BODY_BYTES

_HEAD = struct.Struct(">HHH")  # place in the answer, chunks in the answer, bytes in this one
CHUNK_BYTES = PACKET_PLAIN_BYTES - _HEAD.size
MAX_CHUNKS = 0xFFFF
_ZEROS = bytes(CHUNK_BYTES)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Part `seq` (from 0) of `total`; every part but the last is full."""

    seq: int
    total: int
    data: bytes = field(repr=False)

    def encode(self) -> bytes:
        """seq u16 || total u16 || length u16 || data || zeros to 1,992 bytes."""
        _check(self.seq, self.total, len(self.data))
        head = _HEAD.pack(self.seq, self.total, len(self.data))
        return head + self.data + _ZEROS[len(self.data) :]

    @classmethod
    def decode(cls, plain: bytes) -> Chunk:
        """Parse the plaintext of a packet. Raises WireError."""
        if len(plain) != PACKET_PLAIN_BYTES:
            raise WireError("a packet has the wrong length")
        seq, total, length = _HEAD.unpack_from(plain)
        _check(seq, total, length)
        end = _HEAD.size + length
        if plain[end:] != _ZEROS[length:]:
            raise WireError("a packet's padding is not zero")
        return cls(seq, total, plain[_HEAD.size : end])


def _check(seq: int, total: int, length: int) -> None:
    if not 0 <= seq < total <= MAX_CHUNKS or length > CHUNK_BYTES:
        raise WireError("a packet's numbers do not fit")
    if seq < total - 1 and length != CHUNK_BYTES:
        raise WireError("a packet before the last is not full")


def split_chunks(data: bytes) -> list[Chunk]:
    """The chunks of an answer; an empty answer is one empty chunk. At most 65,535 chunks."""
    total = max(1, -(-len(data) // CHUNK_BYTES))
    if total > MAX_CHUNKS:
        raise ValueError("an answer of more than 65535 packets")
    return [
        Chunk(seq, total, data[seq * CHUNK_BYTES : (seq + 1) * CHUNK_BYTES]) for seq in range(total)
    ]


def parse_packet_body(body: bytes | bytearray | memoryview) -> tuple[bytes, bytes]:
    """(handle, payload) of a PACKET cell's body. Raises WireError when it is not a whole body."""
    if len(body) != BODY_BYTES:
        raise WireError("a packet cell has the wrong length")
    return bytes(body[:HANDLE_BYTES]), bytes(body[HANDLE_BYTES:])


def packet_body(handle: bytes, payload: bytes) -> bytes:
    """The body of a PACKET cell."""
    if len(handle) != HANDLE_BYTES or len(payload) != PACKET_BYTES:
        raise ValueError("a packet is a handle of 16 and a payload of 2008 bytes")
    return handle + payload

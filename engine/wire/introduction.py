"""The body of an ADVERT cell: how neighbours that only know each other's address get acquainted.

    body = length u16 || advert || zeros          length 0 asks, anything else is the answer

Pure. Whether the advert is believed is its reader's matter. docs/protocol.md, "Directory".
"""

from __future__ import annotations

import struct

from engine.errors import WireError
from engine.wire.advert import MAX_ADVERT_BYTES
from engine.wire.cells import BODY_BYTES

_LENGTH = struct.Struct(">H")


def encode_introduction(advert: bytes = b"") -> bytes:
    """The body that carries `advert`, or asks for the neighbour's."""
    return (_LENGTH.pack(len(advert)) + advert).ljust(BODY_BYTES, b"\0")


def parse_introduction(body: bytes | memoryview) -> bytes:
    """The encoded advert, empty when the neighbour asks for ours. Raises WireError."""
    if len(body) != BODY_BYTES:
        raise WireError("an introduction has the wrong length")
    (size,) = _LENGTH.unpack_from(body)
    end = _LENGTH.size + size
    if size > MAX_ADVERT_BYTES or any(body[end:]):
        raise WireError("an introduction is malformed")
    return bytes(body[_LENGTH.size : end])

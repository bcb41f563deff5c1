"""CREATE and CREATED cell bodies, and the EXTEND frame that carries a CREATE to the next hop.

The handshake payloads themselves belong to engine.crypto.hop; this module places them in cells and
frames. What a payload leaves of a cell body is random, so that the body has one look at every hop.
"""

from __future__ import annotations

import ipaddress
import os
import struct
from dataclasses import dataclass

from engine.crypto.hop import CREATE_BYTES, CREATED_BYTES
from engine.errors import WireError
from engine.wire.cells import BODY_BYTES

__all__ = [
    "CREATED_BYTES",
    "CREATE_BYTES",
    "Extend",
    "create_body",
    "created_body",
    "encode_address",
    "encode_extend",
    "parse_address",
    "parse_create_body",
    "parse_created_body",
    "parse_extend",
]

_PORT = struct.Struct(">H")
_ADDRESS_BYTES = {4: 4, 6: 16}


@dataclass(frozen=True)
class Extend:
    """What a client asks a hop to do: carry `payload` (a CREATE) to the relay at host and port."""

    host: str
    port: int
    payload: bytes


def create_body(payload: bytes) -> bytes:
    """The body of a CREATE cell."""
    return _fill(payload, CREATE_BYTES)


def created_body(payload: bytes) -> bytes:
    """The body of a CREATED cell."""
    return _fill(payload, CREATED_BYTES)


def _fill(payload: bytes, size: int) -> bytes:
    if len(payload) != size:
        raise ValueError("a handshake payload has the wrong length")
    return bytes(payload) + os.urandom(BODY_BYTES - size)


def parse_create_body(body: bytes | bytearray | memoryview) -> bytes:
    """The CREATE payload of a cell body; the random rest is ignored."""
    return _head(body, CREATE_BYTES)


def parse_created_body(body: bytes | bytearray | memoryview) -> bytes:
    """The CREATED payload of a cell body; the random rest is ignored."""
    return _head(body, CREATED_BYTES)


def _head(body: bytes | bytearray | memoryview, size: int) -> bytes:
    if len(body) != BODY_BYTES:
        raise WireError("a handshake cell has the wrong length")
    return bytes(body[:size])


def encode_address(host: str, port: int) -> bytes:
    """family u8 (4 or 6) || address || port u16. `host` is a literal address, never a name."""
    if not 0 < port <= 0xFFFF:
        raise ValueError("a port is between 1 and 65535")
    address = ipaddress.ip_address(host)
    return bytes([address.version]) + address.packed + _PORT.pack(port)


def parse_address(data: bytes, offset: int) -> tuple[str, int, int]:
    """(host, port, offset after it). IPv4 inside IPv6 is refused: an address has one encoding."""
    size = _ADDRESS_BYTES.get(data[offset]) if offset < len(data) else None
    if size is None:
        raise WireError("an address has an unknown family")
    end = offset + 1 + size + _PORT.size
    if len(data) < end:
        raise WireError("an address is cut short")
    address = ipaddress.ip_address(data[offset + 1 : offset + 1 + size])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise WireError("an IPv4 address is encoded as IPv6")
    (port,) = _PORT.unpack_from(data, offset + 1 + size)
    if port == 0:
        raise WireError("an address has port zero")
    return str(address), port, end


def encode_extend(host: str, port: int, payload: bytes) -> bytes:
    """Data of an EXTEND frame: the next hop's address, then its CREATE payload."""
    if len(payload) != CREATE_BYTES:
        raise ValueError("a handshake payload has the wrong length")
    return encode_address(host, port) + payload


def parse_extend(data: bytes | memoryview) -> Extend:
    """Parse an EXTEND frame's data. Raises WireError; whether the address may be dialled is the
    relay's policy, not a matter of parsing."""
    data = bytes(data)
    host, port, end = parse_address(data, 0)
    payload = data[end:]
    if len(payload) != CREATE_BYTES:
        raise WireError("an EXTEND frame has the wrong length")
    return Extend(host, port, payload)

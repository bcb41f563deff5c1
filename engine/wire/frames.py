"""Frames: what the two ends of a circuit say to each other inside the region of a cell.

A region is frames back to back, then zeros. Parsing is strict: known types only, lengths within
each type's bounds, circuit frames on stream 0 and stream frames elsewhere, nothing behind the end.
What frames mean is engine.circuit's business. Wire format: docs/protocol.md, "Frames".
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import NamedTuple

from engine.crypto.geometry import REGION_BYTES
from engine.crypto.hop import CREATE_BYTES, CREATED_BYTES
from engine.errors import WireError
from engine.wire.refusal import REFUSAL_BYTES
from engine.wire.shape import ShapeClass, ShapePlan, encode_shape, parse_shape

__all__ = [
    "ACK_DIGEST_BYTES",
    "FRAME_HEADER",
    "MAX_FRAME_DATA",
    "REGION_BYTES",
    "Ack",
    "Begin",
    "EndReason",
    "Frame",
    "FrameType",
    "Purpose",
    "RunState",
    "ShapeClass",
    "ShapePlan",
    "encode_ack",
    "encode_begin",
    "encode_run",
    "encode_shape",
    "pack_frame",
    "parse_ack",
    "parse_begin",
    "parse_region",
    "parse_run",
    "parse_shape",
]

FRAME_HEADER = struct.Struct(">BHH")  # type, stream_id, length
MAX_FRAME_DATA = REGION_BYTES - FRAME_HEADER.size
MAX_STREAM_ID = 0xFFFF
ACK_DIGEST_BYTES = 16
MAX_HOST_BYTES = 253  # a DNS name in text form

_ZEROS = bytes(REGION_BYTES)
_ACK = struct.Struct(f">Q{ACK_DIGEST_BYTES}s")
_PORT = struct.Struct(">H")
_HOST_CHARS = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-.:")


class FrameType(enum.IntEnum):
    """What a frame is. PAD ends the region and never appears as a frame."""

    PAD = 0
    EXTEND = 1
    EXTENDED = 2
    TRUNCATED = 3
    BEGIN = 4
    CONNECTED = 5
    DATA = 6
    END = 7
    HALF_CLOSE = 8
    ACK = 9
    SHAPE = 10
    DROP = 11
    RUN = 12


class EndReason(enum.IntEnum):
    """Why a stream is closed. FINISHED is the authenticated end mark."""

    FINISHED = 0
    PROTOCOL = 1
    REFUSED = 2
    CONNECT_FAILED = 3
    TIMEOUT = 4
    RESOURCE = 5
    POLICY = 6
    INTERNAL = 7


class RunState(enum.IntEnum):
    """The byte of a RUN frame."""

    REST = 0
    GO = 1


class Purpose(enum.IntEnum):
    """What a stream is for: the first byte of BEGIN."""

    SESSION = 1
    TCP = 2
    MAILBOX = 3
    DIRECTORY = 4
    LOOKUP = 5


# One byte says it all.
_PLAIN_PURPOSES = frozenset(Purpose) - {Purpose.TCP}


class Frame(NamedTuple):
    """One frame of a region."""

    type: FrameType
    stream_id: int
    data: bytes


class _Rule(NamedTuple):
    """Bounds of a frame type: data length, and whether it lives on stream 0 (None: on any)."""

    type: FrameType
    least: int
    most: int
    on_circuit: bool | None


_EXTEND_ADDRESS = (1 + 4 + 2, 1 + 16 + 2)
_RULES: dict[int, _Rule] = {
    rule.type: rule
    for rule in (
        _Rule(
            FrameType.EXTEND,
            _EXTEND_ADDRESS[0] + CREATE_BYTES,
            _EXTEND_ADDRESS[1] + CREATE_BYTES,
            on_circuit=True,
        ),
        _Rule(FrameType.EXTENDED, CREATED_BYTES, CREATED_BYTES, on_circuit=True),
        _Rule(FrameType.TRUNCATED, 1, REFUSAL_BYTES, on_circuit=True),
        _Rule(FrameType.BEGIN, 1, 1 + 1 + MAX_HOST_BYTES + 2, on_circuit=False),
        _Rule(FrameType.CONNECTED, 0, 0, on_circuit=False),
        _Rule(FrameType.DATA, 1, MAX_FRAME_DATA, on_circuit=False),
        _Rule(FrameType.END, 1, 1, on_circuit=False),
        _Rule(FrameType.HALF_CLOSE, 0, 0, on_circuit=False),
        _Rule(FrameType.ACK, _ACK.size, _ACK.size, on_circuit=None),
        _Rule(FrameType.SHAPE, 4, 4 + 2 * 8, on_circuit=True),
        _Rule(FrameType.DROP, 0, MAX_FRAME_DATA, on_circuit=True),
        _Rule(FrameType.RUN, 1, 1, on_circuit=True),
    )
}


def parse_region(region: bytes | bytearray | memoryview) -> list[Frame]:
    """The frames of a region (at most 1,960 bytes). Raises WireError when any byte is amiss."""
    data = bytes(region)
    size = len(data)
    if size > REGION_BYTES:
        raise WireError("a region is too long")
    frames: list[Frame] = []
    offset = 0
    unpack, header = FRAME_HEADER.unpack_from, FRAME_HEADER.size
    while offset < size and data[offset]:
        if size - offset < header:
            raise WireError("a frame header is cut short")
        kind, stream_id, length = unpack(data, offset)
        rule = _RULES.get(kind)
        if rule is None:
            raise WireError("a frame has an unknown type")
        frame_type, least, most, on_circuit = rule
        if not least <= length <= most:
            raise WireError("a frame has a length its type does not allow")
        if on_circuit is not None and on_circuit is not (stream_id == 0):
            raise WireError("a frame is on a stream its type does not belong to")
        offset += header
        end = offset + length
        if end > size:
            raise WireError("a frame is longer than its region")
        frames.append(Frame(frame_type, stream_id, data[offset:end]))
        offset = end
    if offset < size and data[offset:] != _ZEROS[: size - offset]:
        raise WireError("a region does not end in zeros")
    return frames


def pack_frame(frame_type: FrameType, stream_id: int, data: bytes | memoryview = b"") -> bytes:
    """One frame's bytes. Raises ValueError for a frame that `parse_region` would refuse."""
    rule = _RULES.get(frame_type)
    if rule is None or not rule.least <= len(data) <= rule.most:
        raise ValueError("the frame's type and length do not fit")
    if rule.on_circuit is not None and rule.on_circuit is not (stream_id == 0):
        raise ValueError("the frame's type and stream do not fit")
    return FRAME_HEADER.pack(frame_type, stream_id, len(data)) + bytes(data)


class Ack(NamedTuple):
    """Data of an ACK: bytes received so far, and the running digest at that point."""

    total: int
    digest: bytes = bytes(ACK_DIGEST_BYTES)


def encode_ack(ack: Ack) -> bytes:
    """total u64 || digest 16 (zeros for the circuit, stream 0)."""
    return _ACK.pack(ack.total, ack.digest)


def parse_ack(data: bytes | memoryview) -> Ack:
    """Parse an ACK frame's data."""
    if len(data) != _ACK.size:
        raise WireError("an acknowledgement has the wrong length")
    return Ack(*_ACK.unpack(data))


@dataclass(frozen=True)
class Begin:
    """Data of a BEGIN: what the stream is for, and for TCP where to."""

    purpose: Purpose
    host: str = ""
    port: int = 0


def encode_begin(begin: Begin) -> bytes:
    """purpose u8, then for TCP: host_len u8 || host || port u16."""
    if begin.purpose is not Purpose.TCP:
        return bytes([begin.purpose])
    host = begin.host.encode("ascii")
    if not _is_host(host) or not 0 < begin.port <= 0xFFFF:
        raise ValueError("the host or port of a stream is malformed")
    return bytes([begin.purpose, len(host)]) + host + _PORT.pack(begin.port)


def parse_begin(data: bytes | memoryview) -> Begin:
    """Parse a BEGIN frame's data. Raises WireError; policy is the exit's own matter."""
    data = bytes(data)
    if len(data) == 1 and data[0] in _PLAIN_PURPOSES:
        return Begin(Purpose(data[0]))
    if len(data) < 2 or data[0] != Purpose.TCP or len(data) != 2 + data[1] + _PORT.size:
        raise WireError("a BEGIN frame is malformed")
    host = data[2 : 2 + data[1]]
    (port,) = _PORT.unpack_from(data, 2 + data[1])
    if not _is_host(host) or port == 0:
        raise WireError("a BEGIN frame names a malformed host or port")
    return Begin(Purpose.TCP, host.decode("ascii"), port)


def encode_run(state: RunState) -> bytes:
    """state u8."""
    return bytes([state])


def parse_run(data: bytes | memoryview) -> RunState:
    """Parse a RUN frame's data."""
    if len(data) != 1 or data[0] not in RunState.__members__.values():
        raise WireError("a RUN frame names an unknown state")
    return RunState(data[0])


def _is_host(host: bytes) -> bool:
    """A lower-case DNS name (IDNA form) or a literal address; nothing with escapes or spaces."""
    return 0 < len(host) <= MAX_HOST_BYTES and _HOST_CHARS.issuperset(host)

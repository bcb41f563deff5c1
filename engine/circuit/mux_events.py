"""What the peer of a circuit did, as `engine.circuit.mux` tells it: a class for each event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from engine.wire.frames import EndReason, Frame


@dataclass(frozen=True)
class StreamOpened:
    """The peer asks for a stream; answer with `accept` or `refuse`."""

    stream_id: int
    request: bytes


@dataclass(frozen=True)
class StreamAccepted:
    """The stream asked for is open."""

    stream_id: int


class StreamData(NamedTuple):
    """Bytes arrived, in order."""

    stream_id: int
    data: bytes


@dataclass(frozen=True)
class StreamFinished:
    """The peer's authenticated end of data; this side may still send."""

    stream_id: int


@dataclass(frozen=True)
class StreamEnded:
    """The stream is closed in both directions."""

    stream_id: int
    reason: EndReason


@dataclass(frozen=True)
class StreamWritable:
    """The peer acknowledged data of this stream."""

    stream_id: int


@dataclass(frozen=True)
class Control:
    """A frame of the circuit itself (EXTEND, EXTENDED, TRUNCATED, SHAPE) for the layer above."""

    frame: Frame


Event = (
    StreamOpened
    | StreamAccepted
    | StreamData
    | StreamFinished
    | StreamEnded
    | StreamWritable
    | Control
)

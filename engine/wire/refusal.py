"""Why a hop did not make a circuit: the head of a DESTROY body, and the data of TRUNCATED.

A refusal is one byte, a DESTROY reason; for WORK_NEEDED the work that is asked for follows. It is a
hint of the neighbour's, never proof. Wire format: docs/protocol.md, "Cells" and "Frames".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from engine.crypto.hop import WORK_SEED_BYTES
from engine.crypto.work import MAX_BITS
from engine.errors import WireError
from engine.wire.cells import DestroyReason, destroy_reason

_DEMAND = struct.Struct(f">BB{WORK_SEED_BYTES}s")
REFUSAL_BYTES = _DEMAND.size
_NO_SEED = bytes(WORK_SEED_BYTES)


@dataclass(frozen=True)
class Refusal:
    """A reason; for WORK_NEEDED also the bits of work and the seed it must be done over."""

    reason: DestroyReason
    bits: int = 0
    seed: bytes = _NO_SEED

    def __post_init__(self) -> None:
        if self.reason is DestroyReason.WORK_NEEDED:
            if not 0 < self.bits <= MAX_BITS or len(self.seed) != WORK_SEED_BYTES:
                raise WireError("a demand for work is out of its bounds")
        elif self.bits or self.seed != _NO_SEED:
            raise WireError("only a demand for work names bits and a seed")

    def encode(self) -> bytes:
        """reason u8, and for WORK_NEEDED bits u8 || seed 16."""
        if self.reason is DestroyReason.WORK_NEEDED:
            return _DEMAND.pack(self.reason, self.bits, self.seed)
        return bytes([self.reason])


def parse_truncated(data: bytes | memoryview) -> Refusal:
    """Data of a TRUNCATED frame. Raises WireError when its length or a bound does not fit."""
    reason = destroy_reason(data)
    if reason is DestroyReason.WORK_NEEDED:
        if len(data) != REFUSAL_BYTES:
            raise WireError("a demand for work has the wrong length")
        return Refusal(*_demand(data))
    if len(data) != 1:
        raise WireError("a refusal has the wrong length")
    return Refusal(reason)


def parse_destroy(body: bytes | bytearray | memoryview) -> Refusal:
    """The refusal at the head of a DESTROY body; what follows it is ignored.

    Raises WireError for a demand that is cut short or out of bounds.
    """
    reason = destroy_reason(body)
    if reason is not DestroyReason.WORK_NEEDED:
        return Refusal(reason)
    if len(body) < REFUSAL_BYTES:
        raise WireError("a demand for work is cut short")
    return Refusal(*_demand(body))


def _demand(data: bytes | bytearray | memoryview) -> tuple[DestroyReason, int, bytes]:
    _reason, bits, seed = _DEMAND.unpack_from(data)
    return DestroyReason.WORK_NEEDED, bits, seed

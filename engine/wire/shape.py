"""The SHAPE frame: what a circuit's ends agree on before the first stream opens.

Values only: class, tick and ladder. The clock that follows them is engine.circuit.shaping. Wire
format: docs/protocol.md, "SHAPE".
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from engine.errors import WireError

DEFAULT_TICK_MS = 125
DEFAULT_LADDER = (64, 256, 1024, 4096)  # cells: 8 s, 32 s, 128 s, 512 s at the default tick
MIN_TICK_MS, MAX_TICK_MS = 10, 5_000
MAX_LADDER_STEPS = 8
MAX_STEP_CELLS = 0xFFFF

_HEAD = struct.Struct(">BHB")


class ShapeClass(enum.IntEnum):
    """What a circuit promises about its traffic shape. The wire value is the SHAPE frame's byte."""

    BULK = 0
    TEXT = 1
    ALWAYS_ON = 2

    @property
    def label(self) -> str:
        """The name users and configuration files use."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True)
class ShapePlan:
    """Class, tick (milliseconds) and ladder (cells, strictly rising) of a circuit."""

    shape_class: ShapeClass
    tick_ms: int = DEFAULT_TICK_MS
    ladder: tuple[int, ...] = DEFAULT_LADDER

    def __post_init__(self) -> None:
        if self.shape_class is ShapeClass.BULK:
            return  # tick and ladder mean nothing
        if not MIN_TICK_MS <= self.tick_ms <= MAX_TICK_MS:
            raise WireError(f"a shape tick must be {MIN_TICK_MS} to {MAX_TICK_MS} ms")
        if not 1 <= len(self.ladder) <= MAX_LADDER_STEPS:
            raise WireError(f"a shape ladder has 1 to {MAX_LADDER_STEPS} steps")
        rising = all(a < b for a, b in zip((0, *self.ladder), self.ladder, strict=False))
        if not rising or self.ladder[-1] > MAX_STEP_CELLS:
            raise WireError("the steps of a shape ladder must rise and fit 16 bits")

    @property
    def tick_s(self) -> float:
        """The tick in seconds."""
        return self.tick_ms / 1000

    @property
    def always_on(self) -> bool:
        """True for the class whose runs do not end."""
        return self.shape_class is ShapeClass.ALWAYS_ON

    @property
    def longest_s(self) -> float:
        """Seconds that a run up to the top of the ladder takes."""
        return self.tick_s * max(self.ladder, default=0)


BULK_PLAN = ShapePlan(ShapeClass.BULK, 0, ())


def encode_shape(plan: ShapePlan) -> bytes:
    """Data of a SHAPE frame: class u8, tick_ms u16, ladder_count u8, ladder u16 each."""
    head = _HEAD.pack(plan.shape_class, plan.tick_ms, len(plan.ladder))
    return head + b"".join(step.to_bytes(2, "big") for step in plan.ladder)


def parse_shape(data: bytes | memoryview) -> ShapePlan:
    """Parse a SHAPE frame's data. Raises WireError for anything `encode_shape` would not write."""
    data = bytes(data)
    if len(data) < _HEAD.size:
        raise WireError("a SHAPE frame is cut short")
    value, tick_ms, count = _HEAD.unpack_from(data)
    if len(data) != _HEAD.size + 2 * count:
        raise WireError("a SHAPE frame has the wrong length")
    try:
        shape_class = ShapeClass(value)
    except ValueError as error:
        raise WireError("a SHAPE frame names an unknown class") from error
    return ShapePlan(shape_class, tick_ms, struct.unpack_from(f">{count}H", data, _HEAD.size))

"""Traffic shapes as the screen shows them: name, cost in bytes, what is still told. Headless."""

from __future__ import annotations

from dataclasses import dataclass

from tui.app.jsonish import Json, line, maybe_real, maybe_whole
from tui.sizes import data_size, shape_cost, shape_leak


@dataclass(frozen=True, slots=True)
class ShapeOffer:
    """One traffic shape the node can use for a conversation."""

    name: str
    default: bool = False
    tick_ms: int = 0
    bytes_per_minute: int | None = None
    least_bytes: int | None = None
    least_s: float | None = None
    leak_bits: float | None = None
    leak_bound: str = ""
    words: str = ""

    @classmethod
    def of(cls, source: Json) -> ShapeOffer:
        return cls(
            name=line(source, "shape"),
            default=source.get("default") is True,
            tick_ms=maybe_whole(source, "tick_ms") or 0,
            bytes_per_minute=maybe_whole(source, "bytes_per_minute"),
            least_bytes=maybe_whole(source, "least_bytes"),
            least_s=maybe_real(source, "least_s"),
            leak_bits=maybe_real(source, "leak_bits"),
            leak_bound=line(source, "leak_bound"),
            words=line(source, "words"),
        )

    @property
    def weak(self) -> bool:
        """True for a shape that promises nothing."""
        return self.leak_bits is None

    @property
    def tier(self) -> str:
        """The word at the bottom left."""
        if self.weak:
            return "bulk"
        return "always-on" if self.least_bytes is None else f"{self.name}-shaped"

    @property
    def cost(self) -> str:
        """What it costs and tells, in a line."""
        price = shape_cost(self.bytes_per_minute, self.least_bytes, self.least_s)
        return f"{price}; {shape_leak(self.leak_bits)}"

    @property
    def short_cost(self) -> str:
        """The same where there is little room, both ways together."""
        if self.weak:
            return "weaker: rhythm shows"
        if self.least_bytes is None:
            return f"{data_size(2 * (self.bytes_per_minute or 0))}/min"
        return f"≥{data_size(2 * self.least_bytes)}"

"""What went over links, in numbers: records and padding, without saying whose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.wire.cells import RECORD_BYTES

if TYPE_CHECKING:
    from engine.link.connection import Link


@dataclass(frozen=True)
class LinkCounts:
    """Records (2,048 bytes each) in both directions, and how many of them were link padding."""

    records_in: int = 0
    records_out: int = 0
    padding_in: int = 0
    padding_out: int = 0

    @classmethod
    def of(cls, link: Link) -> LinkCounts:
        """The counts of one link so far."""
        return cls(link.records_in, link.records_out, link.padding_in, link.padding_out)

    def __add__(self, other: LinkCounts) -> LinkCounts:
        return LinkCounts(
            self.records_in + other.records_in,
            self.records_out + other.records_out,
            self.padding_in + other.padding_in,
            self.padding_out + other.padding_out,
        )

    @property
    def bytes_in(self) -> int:
        """Bytes received, the handshakes aside."""
        return self.records_in * RECORD_BYTES

    @property
    def bytes_out(self) -> int:
        """Bytes sent, the handshakes aside."""
        return self.records_out * RECORD_BYTES
